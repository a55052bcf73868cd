package dynamo_test

import (
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awstest"
)

// meanwhile runs act, as another process, just before the nth call of the operation arrives.
func (s *stand) meanwhile(operation string, nth int, act func() error) {
	s.cloud.Wire.Break(awstest.Fault{Operation: "DynamoDB." + operation, Nth: nth, Do: func() {
		if err := act(); err != nil {
			s.Errorf("meanwhile: %v", err)
		}
	}})
}

func TestStore_DeleteProject_SlugTakenMeanwhile(t *testing.T) {
	s, other := newStand(t), anchor.Project{ID: anchor.ProjectID(anchor.NewID()), Slug: "shop"}
	const last = 3 // after the mark and the lease
	s.meanwhile("TransactWriteItems", last, func() error {
		if err := s.another().DeleteProject(s.ctx, s.project.ID); err != nil {
			return err
		}
		return s.another().CreateProject(s.ctx, other)
	})
	s.ok(s.DeleteProject(s.ctx, s.project.ID))
	got, err := s.ProjectBySlug(s.ctx, "shop")
	s.ok(err)
	if got != other {
		t.Errorf("the slug is of %+v, want %+v", got, other)
	}
}

func TestStore_DeleteProject_RefusesNewRecords(t *testing.T) {
	s := newStand(t)
	d := s.deployment(anchor.Deployed)
	foreign := s.hostname("www.example")
	foreign.ProjectID = s.newProject("other").ID
	s.ok(s.CreateHostname(s.ctx, foreign))
	foreign.Revision = 1
	s.meanwhile("Query", 1, func() error { // the project is marked by now
		s.code(s.CreateDeployment(s.ctx, s.fresh(anchor.Queued)), anchor.KindNotFound, "project_removing")
		_, err := s.Move(s.ctx, anchor.Live{}, releaseOf(d), nil)
		s.code(err, anchor.KindNotFound, "project_removing")
		s.code(s.CreateHostname(s.ctx, s.hostname("new.example")), anchor.KindNotFound, "project_removing")
		s.code(s.PutEnv(s.ctx, s.project.ID, []anchor.EnvVar{{Name: "A", Value: strings.Repeat("x", 1000)}}), anchor.KindNotFound, "project_removing")
		moved := foreign
		moved.ProjectID = s.project.ID
		_, err = s.UpdateHostname(s.ctx, moved)
		s.code(err, anchor.KindNotFound, "project_removing")
		return nil
	})
	s.ok(s.DeleteProject(s.ctx, s.project.ID))
	s.ok(s.DeleteProject(s.ctx, foreign.ProjectID))
	if n := s.rows(); n != 0 {
		t.Errorf("%d items are left", n)
	}
}

func TestStore_DeleteHostname_MovesMeanwhile(t *testing.T) {
	for _, test := range []struct {
		name   string
		remove func(*stand, anchor.Hostname) error
		stays  bool
	}{
		{"by itself", func(s *stand, h anchor.Hostname) error { return s.DeleteHostname(s.ctx, h.ID) }, false},
		{"with its project", func(s *stand, h anchor.Hostname) error { return s.DeleteProject(s.ctx, h.ProjectID) }, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newStand(t)
			h := s.hostname("www.example")
			s.ok(s.CreateHostname(s.ctx, h))
			h.Revision = 1
			moved := h
			moved.ProjectID = s.newProject("other").ID
			nth := 1
			if test.stays {
				nth = 2 // after the mark
			}
			s.meanwhile("TransactWriteItems", nth, func() error {
				_, err := s.another().UpdateHostname(s.ctx, moved)
				return err
			})
			s.ok(test.remove(s, h))
			_, err := s.HostnameByName(s.ctx, h.Name)
			if test.stays {
				s.ok(err)
			} else {
				s.code(err, anchor.KindNotFound, "unknown_domain")
			}
			s.ok(s.DeleteProject(s.ctx, moved.ProjectID))
			if _, err := s.Project(s.ctx, s.project.ID); err == nil {
				s.ok(s.DeleteProject(s.ctx, s.project.ID))
			}
			if n := s.rows(); n != 0 {
				t.Errorf("%d items are left", n)
			}
		})
	}
}

func TestStore_EnvRows_ChangeMeanwhile(t *testing.T) {
	s := newStand(t)
	put := func(c string) error {
		return s.another().PutEnv(s.ctx, s.project.ID, []anchor.EnvVar{{Name: "A", Value: strings.Repeat(c, 1000)}})
	}
	s.ok(put("1"))
	s.meanwhile("BatchGetItem", 1, func() error { return put("2") })
	all, err := s.EnvRows(s.ctx, s.project.ID)
	s.ok(err)
	if len(all) != 1 || all[0].Value != strings.Repeat("2", 1000) {
		t.Errorf("it is %.60v", all)
	}
}

func TestStore_DeleteEnv_ChangesMeanwhile(t *testing.T) {
	s := newStand(t)
	before := s.rows()
	put := func() error {
		return s.another().PutEnv(s.ctx, s.project.ID, []anchor.EnvVar{{Name: "A", Value: strings.Repeat("x", 1000)}})
	}
	s.ok(put())
	s.meanwhile("TransactWriteItems", 1, put)
	s.ok(s.DeleteEnv(s.ctx, s.project.ID, anchor.EnvSlot{Name: "A"}))
	if n := s.rows(); n != before {
		t.Errorf("there are %d items, want %d: a value is left", n, before)
	}
}

func TestStore_PutEnv_UnknownProjectLeavesNoItems(t *testing.T) {
	s := newStand(t)
	before := s.rows()
	s.code(s.PutEnv(s.ctx, "unknown", []anchor.EnvVar{{Name: "A", Value: strings.Repeat("x", 1000)}}), anchor.KindNotFound, "unknown_project")
	if n := s.rows(); n != before {
		t.Errorf("there are %d items, want %d", n, before)
	}
}
