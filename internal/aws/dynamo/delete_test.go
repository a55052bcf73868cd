package dynamo_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awstest"
)

// furnish adds n of everything to the project.
func (s *stand) furnish(n int) {
	s.Helper()
	from := anchor.Live{}
	for i := range n {
		s.deployment(anchor.Queued)
		d := s.deployment(anchor.Deployed)
		var err error
		from, err = s.Move(s.ctx, from, releaseOf(d), nil)
		s.ok(err)
		_, err = s.Append(s.ctx, anchor.Event{DeploymentID: d.ID})
		s.ok(err)
		_, err = s.LockEnv(s.ctx, d.ID, []byte("x"))
		s.ok(err)
		s.ok(s.PutEnv(s.ctx, s.project.ID, []anchor.EnvVar{{Name: fmt.Sprintf("V%d", i), Value: strings.Repeat("x", 1000)}}))
		s.ok(s.CreateHostname(s.ctx, s.hostname(fmt.Sprintf("%d.example", i))))
		s.ok(s.PutNote(s.ctx, s.project.ID, fmt.Sprint(i)))
	}
}

func TestStore_DeleteProject_LargerThanOneTransaction(t *testing.T) {
	s := newStand(t)
	s.furnish(110)
	if n := s.rows(); n < 1000 {
		t.Fatalf("the project has %d items only", n)
	}
	s.ok(s.DeleteProject(s.ctx, s.project.ID))
	if n := s.rows(); n != 0 {
		t.Errorf("%d items are left", n)
	}
}

// TestStore_DeleteProject_EndsAtEachCall fails a deletion at each of its calls, before and after the call
// took effect. The project exists until all of it is deleted, and nothing can be added to it.
func TestStore_DeleteProject_EndsAtEachCall(t *testing.T) {
	s := newStand(t)
	left, ended := s.rows(), 0
	for _, operation := range []string{"GetItem", "TransactWriteItems", "Query", "BatchGetItem", "BatchWriteItem"} {
		for nth := 1; ; nth++ {
			stopped := false
			for _, after := range []bool{false, true} {
				s.project = s.newProject("p" + anchor.NewID())
				s.furnish(2)
				s.cloud.Wire.Break(awstest.Fault{Operation: "DynamoDB." + operation, Nth: nth, After: after, Status: 400, Code: "Ended"})
				err := s.DeleteProject(s.ctx, s.project.ID)
				s.cloud.Wire.Mend()
				stopped = stopped || err != nil
				s.finish(fmt.Sprintf("%s %d after %v", operation, nth, after), err, left)
			}
			if !stopped {
				break
			}
			ended++
		}
	}
	if ended < 10 {
		t.Errorf("it was ended at %d calls only", ended)
	}
}

// finish deletes what an interrupted deletion left, so that the number of items is left again.
func (s *stand) finish(where string, err error, left int) {
	s.Helper()
	if _, there := s.Project(s.ctx, s.project.ID); there == nil {
		err = s.DeleteProject(s.ctx, s.project.ID)
	} else if err != nil && errors.Is(there, anchor.ErrNotFound) {
		err = nil // everything was deleted, only the answer was lost
	}
	if err != nil {
		s.Errorf("%s: %v", where, err)
	}
	if _, err := s.ProjectBySlug(s.ctx, s.project.Slug); !errors.Is(err, anchor.ErrNotFound) {
		s.Errorf("%s: the slug is still there (%v)", where, err)
	}
	if n := s.rows(); n != left {
		s.Errorf("%s: there are %d items, want %d", where, n, left)
	}
}

// TestStore_DeleteProject_Retired asserts that retiring a project first leaves no other items.
func TestStore_DeleteProject_Retired(t *testing.T) {
	s := newStand(t)
	s.furnish(1)
	for range 2 {
		s.ok(s.RetireProject(s.ctx, s.project.ID))
	}
	s.ok(s.DeleteProject(s.ctx, s.project.ID))
	if n := s.rows(); n != 0 {
		t.Errorf("%d items are left", n)
	}
}
