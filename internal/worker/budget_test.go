package worker

import (
	"context"
	"testing"
)

func budgetUsed(b *Budget) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used
}

// Idle processes make room for those that are asked for: many functions, few processes.
func TestPoolsShareABudget(t *testing.T) {
	budget := NewBudget(2)
	var sites []*site
	for range 5 {
		sites = append(sites, newSite(t, Spec{Budget: budget}))
	}
	for range 2 {
		for n, s := range sites {
			warm(t, s.Pool)
			if used := budgetUsed(budget); used > 2 {
				t.Fatalf("%d processes after %d functions", used, n+1)
			}
		}
	}
	for n, s := range sites {
		if a := s.get(t, "/hello"); a.StatusCode != 200 || a.body != "hello" {
			t.Errorf("function %d answered %d %q", n, a.StatusCode, a.body)
		}
	}
	for _, s := range sites {
		if st := s.Stats(); st.Restarts != 0 {
			t.Errorf("a process that made room counts as crashed: %+v", st)
		}
	}
}

// A process that answers is not taken away; who waits for its place gets it once it is idle.
func TestABusyProcessKeepsItsPlace(t *testing.T) {
	budget := NewBudget(1)
	busy, other := newSite(t, Spec{Budget: budget}), newSite(t, Spec{Budget: budget})
	ctx, hangUp := context.WithCancel(t.Context())
	defer hangUp()
	busy.open(t, ctx, "/sse")
	answered := other.background(t, "GET", "/hello", nil)
	other.eventually(t, "a request that waits", func(st Stats) bool { return st.Queued == 1 })
	if st := busy.Stats(); st.Processes != 1 || st.InFlight != 1 {
		t.Errorf("the busy one is at %+v", st)
	}
	hangUp()
	if status := receive(t, answered, "the answer of the other"); status != 200 {
		t.Errorf("the other answered %d", status)
	}
}

// A pool that is closed while it waits for a place leaves none behind.
func TestAStartThatWaitsEndsWithItsPool(t *testing.T) {
	budget := NewBudget(1)
	busy, other := newSite(t, Spec{Budget: budget}), newSite(t, Spec{Budget: budget})
	ctx, hangUp := context.WithCancel(t.Context())
	defer hangUp()
	busy.open(t, ctx, "/sse")
	refused := other.background(t, "GET", "/hello", nil)
	other.eventually(t, "a request that waits", func(st Stats) bool { return st.Queued == 1 && st.Starting == 1 })
	other.Close()
	if status := receive(t, refused, "the refusal"); status == 200 {
		t.Error("a closed pool answered")
	}
	busy.Close()
	if used := budgetUsed(budget); used != 0 {
		t.Errorf("%d places are taken by nobody", used)
	}
}
