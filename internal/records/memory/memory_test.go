package memory_test

import (
	"errors"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/records/memory"
	"github.com/anchor-deploy/anchor/internal/records/recordstest"
)

func TestConformance(t *testing.T) {
	recordstest.Run(t, func(*testing.T) (recordstest.Store, func() recordstest.Store) {
		s := memory.New()
		return s, func() recordstest.Store { return s } // it has nothing to reopen
	})
}

func TestStore_Fault_BeforeAndAfterItsEffect(t *testing.T) {
	lost := errors.New("lost")
	for _, apply := range []bool{false, true} {
		s, ctx := memory.New(), t.Context()
		s.Fault = func(op string) (bool, error) {
			if op == "CreateProject" {
				return apply, lost
			}
			return false, nil
		}
		if err := s.CreateProject(ctx, anchor.Project{ID: "p", Slug: "shop"}); !errors.Is(err, lost) {
			t.Errorf("apply %v: error %v, want %v", apply, err, lost)
		}
		if _, err := s.Project(ctx, "p"); (err == nil) != apply {
			t.Errorf("apply %v: afterwards the project's error is %v", apply, err)
		}
	}
}

func TestConformance_People(t *testing.T) {
	recordstest.RunPeople(t, func(*testing.T) recordstest.PeopleStore { return memory.New() })
}
