package dynamo_test

import (
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

func TestStore_SwitchRecords(t *testing.T) {
	s := newStand(t)
	d := s.deployment(anchor.Queued)
	got, live, err := s.SwitchRecords(s.ctx, s.project.ID, d.ID)
	s.ok(err)
	if got.ID != d.ID || got.ProjectID != s.project.ID || live.Revision != 0 || live.ProjectID != s.project.ID {
		t.Errorf("before the first release it reads %+v and %+v", got, live)
	}
	for _, id := range []anchor.DeploymentID{"unknown", ""} {
		_, _, err = s.SwitchRecords(s.ctx, s.project.ID, id)
		s.code(err, anchor.KindNotFound, "unknown_deployment")
	}
	deploying := s.deployment(anchor.Deploying)
	deploying.Status, deploying.Version = anchor.Deployed, "1"
	moved, err := s.Move(s.ctx, anchor.Live{ProjectID: s.project.ID}, releaseOf(deploying), &deploying)
	s.ok(err)
	s.ok(s.PutNote(s.ctx, s.project.ID, "noted"))
	reader := s.another()
	got, live, err = reader.SwitchRecords(s.ctx, s.project.ID, deploying.ID)
	s.ok(err)
	if got.Status != anchor.Deployed || live != moved {
		t.Errorf("it reads %+v and %+v, want %+v", got, live, moved)
	}
	// The note came with them, and is used once: what others write later is read.
	calls := s.cloud.Wire.Record()
	if text, err := reader.Note(s.ctx, s.project.ID); err != nil || text != "noted" || len(calls()) != 0 {
		t.Errorf("the note is %q, %v", text, err)
	}
	s.ok(s.PutNote(s.ctx, s.project.ID, "changed"))
	if text, err := reader.Note(s.ctx, s.project.ID); err != nil || text != "changed" {
		t.Errorf("then the note is %q, %v", text, err)
	}
}
