package worker

import (
	"math"
	"sync"
	"testing"
	"time"
)

// fleet is the loops of a pool under a clock that a test moves.
type fleet struct {
	sizer
	now   time.Time
	loops []*loop
}

func newFleet(n int) *fleet {
	f := &fleet{now: time.Unix(1_000_000, 0)}
	for range n {
		f.loops = append(f.loops, &loop{})
	}
	return f
}

// step lets a quarter of a second pass, after which each loop reports a utilization.
func (f *fleet) step(utilization ...float64) {
	f.now = f.now.Add(beatEvery)
	for i, u := range utilization {
		f.loops[i].note(f.now, paceOf(u, float64(beatEvery.Milliseconds()), 0))
	}
}

// growsWithin returns after how long the loops call for another process, 0 when they never do.
func (f *fleet) growsWithin(limit time.Duration, inFlight int, utilization ...float64) time.Duration {
	for begun := f.now; f.now.Sub(begun) < limit; {
		f.step(utilization...)
		if f.wantsMore(f.now, f.loops, inFlight) {
			return f.now.Sub(begun)
		}
	}
	return 0
}

func (f *fleet) shrinksWithin(limit, after time.Duration, utilization ...float64) time.Duration {
	for begun := f.now; f.now.Sub(begun) < limit; {
		f.step(utilization...)
		if f.wantsLess(f.now, f.loops, after) {
			return f.now.Sub(begun)
		}
	}
	return 0
}

func TestSizer_GrowsWhenEveryLoopIsBusy(t *testing.T) {
	for name, tt := range map[string]struct {
		inFlight    int
		utilization []float64
		want        bool
	}{
		"busy":                          {3, []float64{1}, true},
		"one request":                   {1, []float64{1}, false},
		"as many requests as processes": {2, []float64{1, 1}, false},
		"one loop has room":             {9, []float64{1, 0.6}, false},
		"both are busy":                 {9, []float64{0.95, 1}, true},
		"waiting for something else":    {500, []float64{0.3}, false},
		"nonsense":                      {9, []float64{math.NaN()}, false},
	} {
		f := newFleet(len(tt.utilization))
		took := f.growsWithin(time.Minute, tt.inFlight, tt.utilization...)
		if got := took > 0; got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
		if tt.want && (took < growAfter || took > 2*growAfter) {
			t.Errorf("%s: after %s", name, took)
		}
	}
}

func TestSizer_DoesNotFlap(t *testing.T) {
	f := newFleet(1)
	for range 400 { // busy for half a second in turns with rest
		f.step(1)
		f.step(1)
		if f.wantsMore(f.now, f.loops, 9) {
			t.Fatal("it grows by a short peak")
		}
		f.step(0.2)
	}
	if f.growsWithin(time.Minute, 9, 1) == 0 {
		t.Fatal("it does not grow")
	}
	if took := f.growsWithin(time.Minute, 9, 1); took < growPause {
		t.Errorf("it grows again after %s", took)
	}
	f = newFleet(2)
	if took := f.shrinksWithin(time.Hour, time.Minute, 0.5, 0.5); took != 0 {
		t.Errorf("it ends a process after %s that would leave the other one busy", took)
	}
	for range 100 { // a peak within each minute
		f.shrinksWithin(beatEvery, time.Minute, 0.9, 0.9)
		if took := f.shrinksWithin(50*time.Second, time.Minute, 0.1, 0.1); took != 0 {
			t.Errorf("it ends a process %s after a peak", took)
		}
	}
	f.shrinksWithin(beatEvery, time.Minute, 0.9, 0.9)
	if took := f.shrinksWithin(time.Hour, time.Minute, 0.2, 0.2); took < time.Minute || took > 2*time.Minute {
		t.Errorf("it ends a process that is not needed after %s", took)
	}
}

func TestSizer_SilentLoopIsIdle(t *testing.T) {
	f := newFleet(2)
	f.step(1, 1)
	f.now = f.now.Add(2 * loadLasts)
	f.loops[0].note(f.now, pace{utilization: 0.4, span: beatEvery})
	if f.wantsLess(f.now, f.loops, time.Minute) {
		t.Error("at once")
	}
	f.now = f.now.Add(loadLasts / 2)
	if f.spareSince.IsZero() {
		t.Error("a process that reports nothing counts as busy")
	}
}

// TestPool_GrowsWithBusyLoop keeps a real process busy with fewer requests than Spec.Concurrency.
func TestPool_GrowsWithBusyLoop(t *testing.T) {
	t.Parallel()
	for _, free := range []bool{true, false} {
		spec := modulesSpec(modulesTree(t), "")
		spec.Max, spec.Concurrency = 2, 100
		s := newSite(t, spec)
		s.hasFreeCPU = func() bool { return free }
		warm(t, s.Pool)
		stop := make(chan struct{})
		var visitors sync.WaitGroup
		for range 3 {
			visitors.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
						if status := <-s.background(t, "GET", "/?burn=30", nil); status != 200 {
							t.Errorf("status %d", status)
							return
						}
					}
				}
			})
		}
		if free {
			s.eventually(t, "a second process", func(st Stats) bool { return st.Processes == 2 })
		} else {
			s.eventually(t, "a busy loop that has been considered", func(Stats) bool {
				s.mu.Lock()
				defer s.mu.Unlock()
				return !s.sizer.grown.IsZero()
			})
			if n := s.Stats().Processes; n != 1 {
				t.Errorf("%d processes without a free processor", n)
			}
		}
		close(stop)
		visitors.Wait()
	}
}
