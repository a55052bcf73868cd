package worker

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// looked is how long a report of a busy loop in these tests is about.
const looked = 50 * time.Millisecond

func TestCongestion_Limit(t *testing.T) {
	type report struct {
		used            float64
		arrived, leaves int           // since the last report
		late            time.Duration // of the timer
	}
	twice := func(r report) []report { return []report{r, r} }
	for name, tt := range map[string]struct {
		reports []report
		limit   int
	}{
		"idle":                           {nil, 64},
		"calm, some":                     {[]report{{.2, 30, 0, 0}}, 30 + 64},
		"calm, a crowd":                  {[]report{{.2, 64, 0, 0}}, 64 + 128},
		"calm, the crowd grows":          {[]report{{.2, 64, 0, 0}, {.3, 128, 0, 0}}, 192 + 256},
		"busy and in time":               {twice(report{1, 30, 0, 0}), 64},
		"busy, in time, with a crowd":    {[]report{{1, 64, 0, 0}}, 72},
		"busy and late":                  {[]report{{1, 60, 0, time.Second}}, 51},
		"late until the crowd is gone":   {[]report{{1, 64, 0, time.Second}, {1, 0, 8, time.Second}}, 51},
		"late for long":                  {[]report{{1, 64, 0, time.Second}, {1, 0, 20, time.Second}, {1, 0, 20, time.Second}, {1, 0, 20, time.Second}, {1, 0, 2, time.Second}, {1, 0, 1, time.Second}, {1, 0, 1, time.Second}, {1, 0, 0, time.Second}, {1, 0, 0, time.Second}, {1, 0, 0, time.Second}}, 8},
		"streams that were open before":  {[]report{{.2, 60, 0, 0}, {1, 60, 0, time.Second}}, 60 + 51},
		"those before the rush end":      {[]report{{.2, 60, 0, 0}, {1, 40, 50, time.Second}}, 10 + 51},
		"calm again":                     {[]report{{1, 64, 0, time.Second}, {.3, 0, 60, 0}}, 4 + 64},
		"one slow moment weighs little":  {[]report{{1, 64, 0, time.Second}, {1, 0, 14, 0}, {1, 1, 0, 0}}, 57},
		"never more than the spec's own": {[]report{{.2, 1000, 0, 0}}, 1024},
	} {
		spec, err := Spec{Dir: ".", Tmp: "."}.withDefaults()
		if err != nil {
			t.Fatal(err)
		}
		pr := &process{}
		p := &Pool{spec: spec, procs: []*process{pr}, released: make(chan struct{})}
		var turns []turn
		for _, r := range tt.reports {
			for range r.arrived {
				turns = append(turns, pr.beginRequest())
			}
			for _, done := range turns[:r.leaves] {
				pr.inFlight--
				pr.congestion.leave(done.number)
			}
			turns = turns[r.leaves:]
			pr.congestion.note(pace{r.used, looked, r.late}, pr.inFlight, pr.taken, spec.Concurrency)
		}
		if got := p.limitOf(pr); got != tt.limit {
			t.Errorf("%s: the process takes %d requests, want %d: %+v", name, got, tt.limit, pr.congestion)
		}
	}
}

func TestCongestion_RateIgnoresGaps(t *testing.T) {
	var c congestion
	for range 100 {
		c.answered = 5
		c.note(pace{1, looked, 0}, 60, 60, 8)
	}
	if c.rate != 100 {
		t.Errorf("five answers in 50 ms are %v a second", c.rate)
	}
	c.note(pace{1, 2 * loadLasts, 2 * loadLasts}, 60, 60, 8)
	if c.rate != 100 {
		t.Errorf("a process that was blocked has the rate %v", c.rate)
	}
}

func TestQueue_AnyProcessWithRoomKeepsItsLength(t *testing.T) {
	spec, err := Spec{Dir: ".", Tmp: "."}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	busy := &process{congestion: congestion{busy: knownAfter, rate: 25}}
	p := &Pool{spec: spec, procs: []*process{busy, {}}}
	for name, step := range map[string]struct {
		change func()
		limit  int
	}{
		"1 beside a calm process":                  {func() {}, 512},
		"2 the calm process is about to end":       {func() { p.procs[1].leaving = true }, 50},
		"3 it is not known yet how fast it can be": {func() { busy.congestion.busy = knownAfter / 2 }, 512},
	} {
		p.procs[1].leaving, busy.congestion.busy = name[0] > '1', knownAfter
		step.change()
		if got := p.queueLimit(); got != step.limit {
			t.Errorf("%s: %d", name, got)
		}
	}
	busy.congestion.busy, p.starting = knownAfter, 1
	if got := p.queueLimit(); got != 512 {
		t.Errorf("another process is starting: %d", got)
	}
}

func TestQueue_RefusesWhatHasWaited(t *testing.T) {
	spec, err := Spec{Dir: ".", Tmp: "."}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	pr := &process{congestion: congestion{busy: knownAfter, rate: 100}}
	p := &Pool{spec: spec, procs: []*process{pr}}
	now := time.Now()
	wait := func(since time.Duration, suspect bool) *waiter {
		w := &waiter{suspect: suspect, since: now.Add(-since), answer: make(chan grant, 1)}
		p.waiters = append(p.waiters, w)
		return w
	}
	old, suspect, recent := wait(2*waitAtMost, false), wait(2*waitAtMost, true), wait(waitAtMost, false)
	p.trimQueue(now)
	if len(p.waiters) != 2 || p.waiters[0] != suspect || p.waiters[1] != recent {
		t.Errorf("%d wait, want two", len(p.waiters))
	}
	if g := <-old.answer; g.err == nil || g.process != nil {
		t.Errorf("what has waited got %+v", g)
	}
	pr.congestion = congestion{} // it is calm
	wait(2*waitAtMost, false)
	p.trimQueue(now)
	if len(p.waiters) != 3 {
		t.Error("it is refused although a process is calm")
	}
}

// crowd is a process whose event loop is a model: each turn of the loop runs a step of every page that has one to run.
// A page has steps of processor time, and after the first it may wait for something else.
type crowd struct {
	*Pool
	pr       *process
	pages    []*page
	reported time.Time
	used     time.Duration
	waits    []time.Duration // of pages that were served
	waited   []time.Duration // of those that also wait for something else
	refused  int
}

type page struct {
	turn
	came  time.Time
	left  int           // steps
	io    time.Duration // to wait after the first step
	ready time.Time
}

const (
	step  = 500 * time.Microsecond
	steps = 10 // of a page: 200 pages a second
)

func newCrowd(t *testing.T) *crowd {
	spec, err := Spec{Dir: ".", Tmp: ".", Max: 1}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	pr := &process{}
	p := &Pool{spec: spec, procs: []*process{pr}, released: make(chan struct{}), hasFreeCPU: func() bool { return false }}
	p.ctx, p.cancel = context.WithCancel(t.Context())
	t.Cleanup(p.cancel)
	return &crowd{Pool: p, pr: pr, reported: time.Now()}
}

// ask sends n requests. One that is refused is gone.
func (c *crowd) ask(t *testing.T, n int, io time.Duration) {
	for range n {
		came := time.Now()
		go func() {
			got, err := c.acquireProcess(c.ctx, false)
			if c.ctx.Err() != nil {
				return // the test is over
			}
			c.mu.Lock()
			defer c.mu.Unlock()
			var busy *busyError
			switch {
			case errors.As(err, &busy):
				c.refused++
			case err != nil:
				t.Error(err)
			default:
				c.pages = append(c.pages, &page{turn: got, came: came, left: steps, io: io})
			}
		}()
	}
	synctest.Wait()
}

// spin runs the loop once. It reports when it is due.
func (c *crowd) spin() {
	var took time.Duration
	var left []*page
	for _, p := range c.pages {
		if !p.ready.After(time.Now()) {
			took += step
			if p.left--; p.left == steps-1 {
				p.ready = time.Now().Add(p.io)
			}
		}
		if p.left > 0 {
			left = append(left, p)
			continue
		}
		if p.io > 0 {
			c.waited = append(c.waited, time.Since(p.came))
		} else {
			c.waits = append(c.waits, time.Since(p.came))
		}
		c.releaseProcess(p.turn)
	}
	c.mu.Lock()
	c.pages = left
	c.mu.Unlock()
	time.Sleep(max(took, time.Millisecond))
	c.used += took
	if span := time.Since(c.reported); span >= looked {
		c.noteLoad(c.pr, pace{min(1, c.used.Seconds()/span.Seconds()), span, max(0, took-looked/2)})
		c.reported, c.used = time.Now(), 0
	}
	synctest.Wait()
}

func slowest(waits []time.Duration) (most time.Duration) {
	for _, w := range waits {
		most = max(most, w)
	}
	return most
}

// TestPool_OverloadShedsAtOnce asks for ten times the pages that a loop renders: what is served waits little, and the
// loop has always something to do.
func TestPool_OverloadShedsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t)
		begun := time.Now()
		for sent := 0; time.Since(begun) < 20*time.Second; c.spin() {
			due := int(2000 * time.Since(begun).Seconds())
			c.ask(t, due-sent, 0)
			sent = due
		}
		if n := len(c.waits); n < 3800 || c.refused < 30_000 {
			t.Errorf("%d served, %d refused", n, c.refused)
		}
		if w := slowest(c.waits); w > 3*queueWithin {
			t.Errorf("a page that was served waited %s", w)
		}
	})
}

// TestPool_OverloadKeepsWhatWaits has pages that wait for a slow API beside others that keep the loop busy.
func TestPool_OverloadKeepsWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t)
		begun := time.Now()
		const wait = 3 * time.Second
		for sent, slow := 0, 0; time.Since(begun) < 30*time.Second; c.spin() {
			due := int(100 * time.Since(begun).Seconds())
			c.ask(t, due-slow, wait) // 300 at a time
			slow = due
			if time.Since(begun) > 10*time.Second {
				rush := int(95 * (time.Since(begun) - 10*time.Second).Seconds())
				c.ask(t, rush-sent, 0)
				sent = rush
			}
		}
		if c.refused > 0 {
			t.Errorf("%d refused, with time for all", c.refused)
		}
		if w := slowest(c.waited); w > wait+time.Second {
			t.Errorf("a page that waits for 3 s took %s", w)
		}
		if len(c.waits) < 1700 || len(c.waited) < 2500 {
			t.Errorf("%d and %d served", len(c.waits), len(c.waited))
		}
	})
}

// TestPool_CrowdThatWaitsIsTaken opens 900 streams at once.
func TestPool_CrowdThatWaitsIsTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t)
		begun := time.Now()
		for sent := 0; time.Since(begun) < 3*time.Second; c.spin() {
			due := min(900, int(400*time.Since(begun).Seconds()))
			c.ask(t, due-sent, time.Hour)
			sent = due
		}
		if c.pr.inFlight != 900 || c.refused > 0 {
			t.Errorf("%d are open, %d were refused", c.pr.inFlight, c.refused)
		}
	})
}

// TestPool_BusyLoopRefusesWhatWouldWait asks a real process for far more than it can render.
func TestPool_BusyLoopRefusesWhatWouldWait(t *testing.T) {
	t.Parallel()
	spec := modulesSpec(modulesTree(t), "")
	spec.Max = 1
	s := newSite(t, spec)
	warm(t, s.Pool)
	var answers []<-chan int
	refused := false
	for !refused { // each 20 requests need 2 s
		for range 20 {
			answers = append(answers, s.background(t, http.MethodGet, "/?burn=100", nil))
		}
		time.Sleep(beatEvery) // what comes at once finds a calm process, which takes it
		s.mu.Lock()
		refused = s.refused.Load() > 0
		s.mu.Unlock()
		if len(answers) > spec.Queue+1024 {
			t.Fatalf("%d requests, none refused", len(answers))
		}
	}
	served, shed := 0, 0
	for _, a := range answers {
		switch status := <-a; status {
		case http.StatusOK:
			served++
		case http.StatusServiceUnavailable:
			shed++
		default:
			t.Errorf("status %d", status)
		}
	}
	if served == 0 || shed == 0 {
		t.Errorf("%d served, %d refused", served, shed)
	}
	if status := <-s.background(t, http.MethodGet, "/?burn=1", nil); status != http.StatusOK {
		t.Errorf("when the rush is over: status %d", status)
	}
}
