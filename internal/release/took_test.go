package release_test

import (
	"testing"
	"time"
)

func TestService_Rollback_TookByTheClock(t *testing.T) {
	s := newStand(t)
	first := s.deployed(t)
	s.deployed(t)
	clock := time.UnixMilli(0)
	s.Now = func() time.Time { // each reading is 9 ms after the one before
		clock = clock.Add(9 * time.Millisecond)
		return clock
	}
	back, err := s.Rollback(t.Context(), s.project, "")
	must(t, err)
	again, err := s.Promote(t.Context(), s.project, first.ID)
	must(t, err)
	for what, took := range map[string]time.Duration{"rollback": back.Took, "promote": again.Took} {
		if took != 9*time.Millisecond {
			t.Errorf("the %s took %s, want 9ms", what, took)
		}
	}
}
