package worker

import (
	"context"
	"errors"
	"testing"
	"time"
)

func budgetUsed(b *Budget) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used
}

// Idle processes make room for those that visitors need: many functions, few processes.
func TestBudget_SharedByPools(t *testing.T) {
	t.Parallel()
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

// A process that answers is not stopped; a pool that waits for its place gets it once the process
// is idle.
func TestBudget_BusyProcessKeepsPlace(t *testing.T) {
	t.Parallel()
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
func TestBudget_WaitingStartEndsWithPool(t *testing.T) {
	t.Parallel()
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

func yielding(p *Pool) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.countProcesses(func(pr *process) bool { return pr.yielding })
}

// A function whose visitors never stop does not keep every place: a function without a process gets
// the next.
func TestBudget_LoadedPoolYields(t *testing.T) {
	t.Parallel()
	budget := NewBudget(2)
	loaded, other := newSite(t, Spec{Budget: budget, Max: 2, Concurrency: 1, Limit: 1}), newSite(t, Spec{Budget: budget})
	ctx, hangUp := context.WithCancel(t.Context())
	defer hangUp()
	first, firstEnds := context.WithCancel(ctx)
	defer firstEnds()
	loaded.open(t, first, "/sse")
	loaded.open(t, ctx, "/sse")
	loaded.eventually(t, "two busy processes", func(st Stats) bool { return st.Processes == 2 && st.InFlight == 2 })
	next := loaded.background(t, "GET", "/hello", nil)
	loaded.eventually(t, "a visitor for the next room", func(st Stats) bool { return st.Queued == 1 })
	answered := other.background(t, "GET", "/hello", nil)
	loaded.eventually(t, "a process that yields", func(Stats) bool { return yielding(loaded.Pool) == 1 })
	firstEnds()
	if status := receive(t, answered, "the answer of the other"); status != 200 {
		t.Errorf("the other answered %d", status)
	}
	hangUp()
	if status := receive(t, next, "the visitor's answer"); status != 200 {
		t.Errorf("the visitor of the loaded function got %d", status)
	}
}

// A process that is idle except for endless background work does not block pools that wait for a
// place.
func TestBudget_BackgroundWorkDoesNotHoldPlace(t *testing.T) {
	t.Parallel()
	budget := NewBudget(2)
	working, idle, asking := newSite(t, Spec{Budget: budget}), newSite(t, Spec{Budget: budget}), newSite(t, Spec{Budget: budget})
	if a := working.get(t, "/background-forever"); a.StatusCode != 200 {
		t.Fatalf("the working one answered %d", a.StatusCode)
	}
	working.eventually(t, "an idle process", func(st Stats) bool { return st.InFlight == 0 })
	warm(t, idle.Pool)
	if a := asking.get(t, "/hello"); a.StatusCode != 200 {
		t.Errorf("the one that asks answered %d", a.StatusCode)
	}
}

// The replacement of a process that crashed comes before the growth of a function that has
// processes.
func TestBudget_PoolWithoutProcessIsNext(t *testing.T) {
	t.Parallel()
	budget := NewBudget(1)
	loaded, crashed := &Pool{}, &Pool{}
	growth, replacement := &claim{pool: loaded}, &claim{pool: crashed}
	budget.claims = []*claim{growth, replacement}
	budget.used = 1
	for _, c := range budget.claims {
		if taken, _ := budget.tryPlace(c, c == replacement); taken {
			t.Fatal("a place was taken that does not exist")
		}
	}
	budget.freePlace()
	if taken, _ := budget.tryPlace(growth, false); taken {
		t.Error("growth took the place of the replacement")
	}
	if taken, _ := budget.tryPlace(replacement, true); !taken {
		t.Error("the replacement got no place")
	}
}

// A probe does not wait for ever for a place that long requests hold.
func TestBudget_WarmEndsWithoutPlace(t *testing.T) {
	t.Parallel()
	budget := NewBudget(1)
	busy, other := newSite(t, Spec{Budget: budget}), newSite(t, Spec{Budget: budget, StartTimeout: time.Millisecond})
	ctx, hangUp := context.WithCancel(t.Context())
	defer hangUp()
	busy.open(t, ctx, "/sse")
	if err := other.Warm(t.Context()); !errors.Is(err, ErrNoPlace) {
		t.Errorf("got %v", err)
	}
}
