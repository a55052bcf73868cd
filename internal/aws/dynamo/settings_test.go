package dynamo_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Each part of a project's settings has its own writer, and they go with the project.
func TestSettings_HaveThreeWriters(t *testing.T) {
	s := newStand(t)
	p := s.newProject("settings")
	want := anchor.SettingsRecord{
		Set:     anchor.Settings{FunctionSettings: anchor.FunctionSettings{Memory: 2048, VPC: &anchor.VPC{Subnets: []string{"subnet-01234567"}}}},
		File:    &anchor.Settings{Tags: map[string]string{"Team": "web"}, Functions: map[string]anchor.FunctionSettings{"api": {Timeout: 9}}},
		Applied: anchor.Settings{LogRetentionDays: 30}, AppliedTo: []string{"anchor-shop-server"}, AppliedAt: 7, Failure: "AWS is busy",
	}
	read := func() anchor.SettingsRecord {
		t.Helper()
		r, err := s.another().ProjectSettings(s.ctx, p.ID)
		s.ok(err)
		return r
	}
	if diff := cmp.Diff(anchor.SettingsRecord{}, read()); diff != "" {
		t.Error(diff)
	}
	s.ok(s.NoteApplied(s.ctx, p.ID, want))
	s.ok(s.NoteFileSettings(s.ctx, p.ID, *want.File))
	s.ok(s.SetProjectSettings(s.ctx, p.ID, want.Set))
	if diff := cmp.Diff(want, read()); diff != "" {
		t.Error(diff)
	}
	s.ok(s.RetireProject(s.ctx, p.ID))
	if err := s.SetProjectSettings(s.ctx, p.ID, want.Set); anchor.KindOf(err) != anchor.KindNotFound {
		t.Errorf("settings of a retired project: %v", err)
	}
	s.ok(s.DeleteProject(s.ctx, p.ID))
	if diff := cmp.Diff(anchor.SettingsRecord{}, read()); diff != "" {
		t.Errorf("after the removal there is\n%s", diff)
	}
}
