package worker

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/local/worker/jail"
)

// pid returns the process id, as seen here, of the process that answers; it may have another one in
// its walls.
func (s *site) pid(t testing.TB) int {
	t.Helper()
	number, table, _ := strings.Cut(s.get(t, "/pid").body, " ")
	pid, err := strconv.Atoi(number)
	if err != nil {
		t.Fatal(err)
	}
	for _, pr := range s.running() {
		program := pr.walls.Program(pr.cmd.Process.Pid)
		if of, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", program)); err == nil && of == table && pr.walls.Level >= jail.Namespaced {
			return program
		}
	}
	return pid
}

func (p *Pool) running() []*process {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.procs)
}

func signal(t testing.TB, pid int, sig syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, sig); err != nil {
		t.Fatal(err)
	}
}

func TestExit_LetsOthersFinish(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/exit", "/exit-swallowed", "/exit-timer", "/abort"} {
		t.Run(path[1:], func(t *testing.T) {
			s := newSite(t, Spec{Handler: "faults.handler", Min: 1, IdleAfter: time.Millisecond})
			old := s.pid(t)
			inFlight := s.witnesses(t)
			want := 502
			if path == "/exit-timer" {
				want = 200
			}
			if a := s.do(t, "POST", path, strings.NewReader("not to be sent twice")); a.StatusCode != want {
				t.Errorf("the request that called it got %d %q", a.StatusCode, a.body)
			}
			s.logs.wait(t, "is about to end (process.")
			for s.pid(t) == old { // it takes requests until another one is there
			}
			inFlight.arriveWhole(t)
			s.logs.wait(t, map[bool]string{true: "process ended by itself (signal: aborted", false: "process ended by itself (exit status 7)"}[path == "/abort"])
			s.eventually(t, "one other process", func(st Stats) bool { return st.Processes == 1 && st.Restarts == 1 })
		})
	}
}

func TestExit_InListenerLetsOthersFinish(t *testing.T) {
	t.Parallel()
	s := newSite(t, Spec{Handler: "faults.handler", Min: 1})
	inFlight := s.witnesses(t)
	s.get(t, "/handlers-exit")
	s.get(t, "/throw?where=timer&what=error")
	s.logs.wait(t, "is about to end (process.exit(7))")
	inFlight.arriveWhole(t)
	s.logs.wait(t, "process ended by itself (exit status 7)")
}

func TestExit_SignalsFromOutside(t *testing.T) {
	t.Parallel()
	s := newSite(t, Spec{Handler: "faults.handler", Min: 1, IdleAfter: time.Millisecond})
	old := s.pid(t)
	inFlight := s.witnesses(t)
	// Anchor alone handles the signals of a terminal.
	signal(t, old, syscall.SIGINT)
	signal(t, old, syscall.SIGHUP)
	if now := s.pid(t); now != old {
		t.Errorf("process %d instead of %d", now, old)
	}
	signal(t, old, syscall.SIGTERM)
	for s.pid(t) == old {
	}
	inFlight.arriveWhole(t)
	s.logs.wait(t, "is about to end (SIGTERM)")
	s.eventually(t, "one other process", func(st Stats) bool { return st.Processes == 1 && st.Restarts == 1 })
}

// TestCrash_VisitorsAreAnswered: one visitor ends the process again and again, in every possible way,
// while others visit.
func TestCrash_VisitorsAreAnswered(t *testing.T) {
	t.Parallel()
	s := newSite(t, Spec{Handler: "faults.handler", Min: 1, MaxMemoryMB: 64})
	for range 3 {
		for _, path := range []string{"/kill", "/exit", "/abort", "/memory"} {
			if a := s.do(t, "POST", path, nil); a.StatusCode != 502 {
				t.Errorf("POST %s got %d", path, a.StatusCode)
			}
			for range 3 {
				if a := s.get(t, "/pid"); a.StatusCode != 200 {
					t.Errorf("after POST %s a visitor got %d %q", path, a.StatusCode, a.body)
				}
			}
		}
	}
	// A process that is about to end may receive the visitors that end it a second time.
	s.eventually(t, "the ends were noticed", func(st Stats) bool { return st.Restarts >= 6 })
}

// TestCrash_RetriedRequestRunsApart: a GET ends its process, and the one in which it is
// tried again. Visitors come in between.
func TestCrash_RetriedRequestRunsApart(t *testing.T) {
	t.Parallel()
	s := newSite(t, Spec{Handler: "faults.handler", Min: 1})
	for n := 1; n <= 5; n++ {
		killer := s.background(t, "GET", "/kill", nil)
		s.logs.waitCount(t, "process ended by itself", 2*n-1)
		for range 3 {
			if a := s.do(t, "POST", "/pid", strings.NewReader("not to be sent twice")); a.StatusCode != 200 {
				t.Errorf("a visitor got %d %q", a.StatusCode, a.body)
			}
		}
		if status := receive(t, killer, "the end of the request that kills"); status != 502 {
			t.Errorf("it got %d", status)
		}
		s.logs.waitCount(t, "process ended by itself", 2*n)
	}
}

// TestCrash_GetInFlightIsRetried: it is tried again alone, and not with the one that
// kills a second time.
func TestCrash_GetInFlightIsRetried(t *testing.T) {
	t.Parallel()
	s := newSite(t, Spec{Handler: "faults.handler", Min: 1})
	for n := 1; n <= 3; n++ {
		gate := filepath.Join(t.TempDir(), "gate")
		var bystanders []<-chan int
		for range 4 {
			bystanders = append(bystanders, s.background(t, "GET", "/wait?until="+gate, nil))
		}
		s.eventually(t, "all are in flight", func(st Stats) bool { return st.InFlight == 4 })
		killer := s.background(t, "GET", "/kill", nil)
		s.logs.waitCount(t, "process ended by itself", 2*n-1)
		touch(t, gate)
		if status := receive(t, killer, "the end of the request that kills"); status != 502 {
			t.Errorf("it got %d", status)
		}
		for _, b := range bystanders {
			if status := receive(t, b, "the answer to a bystander"); status != 200 {
				t.Errorf("a bystander got %d", status)
			}
		}
		s.logs.waitCount(t, "process ended by itself", 2*n)
	}
}

// A request under which a process broke the connection waits until that process has ended and made
// room for one aside. The other process, which serves visitors, must not get it.
func TestASuspectWaitsForTheEndOfItsProcess(t *testing.T) {
	t.Parallel()
	p := &Pool{spec: Spec{Max: 1, Limit: 10, Concurrency: 8}}
	broken, other := &process{gone: make(chan struct{}), doubted: true}, &process{gone: make(chan struct{})}
	p.procs = []*process{broken, other}
	if p.chooseProcess(true) != nil {
		t.Error("the process that serves visitors got it")
	}
	if p.chooseProcess(false) != other {
		t.Error("a visitor does not get the other process")
	}
	broken.doubted = false // a sign of life
	if p.chooseProcess(true) == nil {
		t.Error("it waits although no process ends and there is no room for another")
	}
}

func TestCrash_PausesDoNotDelayVisitors(t *testing.T) {
	t.Parallel()
	var b backoff
	b.startWorked()
	b.recordCrash(0)
	if wait := b.remainingPause(false); wait != 0 {
		t.Errorf("after the first crash %s", wait)
	}
	for range 20 {
		b.recordCrash(time.Second)
	}
	if wait := b.remainingPause(false); wait <= patience {
		t.Errorf("while nobody waits only %s", wait)
	}
	if wait := b.remainingPause(true); wait > firstBackoff || wait == 0 {
		t.Errorf("while visitors wait %s", wait)
	}
	b.recordCrash(stableAfter)
	if wait := b.remainingPause(true); wait > firstBackoff {
		t.Errorf("after a process that lived long %s", wait)
	}
}

// TestStart_FailureIsRetried: the process of a site ends, and the next one fails to
// start, once.
func TestStart_FailureIsRetried(t *testing.T) {
	t.Parallel()
	marks := t.TempDir()
	s := newSite(t, Spec{Dir: "testdata/broken", Handler: "once.handler", Min: 1, Env: map[string]string{"MARKS": marks}})
	warm(t, s.Pool)
	touch(t, filepath.Join(marks, "fail"))
	if a := s.do(t, "POST", "/", nil); a.StatusCode != 502 {
		t.Errorf("the request that ended the process got %d", a.StatusCode)
	}
	if a := s.get(t, "/"); a.StatusCode != 200 {
		t.Errorf("the next visitor got %d %q", a.StatusCode, a.body)
	}
	s.logs.wait(t, "not this time")
}
