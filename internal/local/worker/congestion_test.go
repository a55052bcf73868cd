package worker

import (
	"net/http"
	"testing"
	"time"
)

func TestCongestion_Limit(t *testing.T) {
	type report struct {
		busy               bool
		inFlight, answered int
	}
	for name, tt := range map[string]struct {
		reports []report
		limit   int
		queue   int
	}{
		"no report":                         {nil, 1024, 512},
		"calm, however many":                {[]report{{false, 700, 10}}, 1024, 512},
		"busy with quick pages":             {[]report{{true, 60, 20}, {true, 60, 20}}, 80, 400},
		"busy with slow pages":              {[]report{{true, 30, 0}, {true, 30, 1}}, 8, 8},
		"streams that were open before":     {[]report{{false, 500, 0}, {true, 520, 10}}, 540, 200},
		"calm again":                        {[]report{{true, 60, 20}, {false, 12, 20}}, 1024, 512},
		"faster than any limit":             {[]report{{true, 900, 2000}}, 1024, 512},
		"one slow moment weighs little":     {[]report{{true, 60, 20}, {true, 60, 0}}, 56, 280},
		"long polls that ended in the rush": {[]report{{false, 100, 0}, {true, 40, 10}, {true, 10, 10}}, 140, 200},
	} {
		spec, err := Spec{Dir: ".", Tmp: "."}.withDefaults()
		if err != nil {
			t.Fatal(err)
		}
		pr := &process{}
		p := &Pool{spec: spec, procs: []*process{pr}}
		for _, r := range tt.reports {
			pr.congestion.answered = r.answered
			pr.congestion.note(r.busy, r.inFlight, beatEvery)
		}
		if got := p.limitOf(pr); got != tt.limit {
			t.Errorf("%s: the process takes %d requests, want %d", name, got, tt.limit)
		}
		if got := p.queueLimit(); got != tt.queue {
			t.Errorf("%s: %d requests may wait, want %d", name, got, tt.queue)
		}
	}
}

func TestCongestion_IgnoresGaps(t *testing.T) {
	c := congestion{}
	c.answered = 20
	c.note(true, 60, beatEvery)
	before := c
	c.note(true, 60, 2*loadLasts)
	if c != before {
		t.Errorf("a process that was blocked, or idle, has another rate: %+v, before %+v", c, before)
	}
}

func TestQueue_AnyProcessWithRoomKeepsItsLength(t *testing.T) {
	spec, err := Spec{Dir: ".", Tmp: "."}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	busy := &process{congestion: congestion{bounded: true, rate: 10}}
	p := &Pool{spec: spec, procs: []*process{busy, {}}}
	if got := p.queueLimit(); got != 512 {
		t.Errorf("beside a calm process: %d", got)
	}
	p.procs[1].leaving = true
	if got := p.queueLimit(); got != 50 {
		t.Errorf("the calm process is about to end: %d", got)
	}
	p.starting = 1
	if got := p.queueLimit(); got != 512 {
		t.Errorf("another process is starting: %d", got)
	}
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
