package worker

import (
	"net/url"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// block blocks the event loop of a process until the file exists. It returns when the loop is
// blocked.
func (s *site) block(t testing.TB, method string) (status <-chan int, until string) {
	t.Helper()
	until = filepath.Join(t.TempDir(), "end")
	before := s.logs.count("blocked")
	status = s.background(t, method, "/block?until="+url.QueryEscape(until), nil)
	s.logs.waitCount(t, "blocked", before+1)
	return status, until
}

func TestBlocked_RequestsUseOtherProcess(t *testing.T) {
	t.Parallel()
	// Nothing is killed here: the blocked process has to recover.
	s := newSite(t, Spec{Handler: "faults.handler", Min: 1, Max: 1, HangAfter: time.Hour})
	old := s.pid(t)
	blocked, until := s.block(t, "POST")
	s.logs.wait(t, "has not answered for 1s")
	other := s.pid(t)
	if other == old {
		t.Fatalf("process %d is blocked and answers", old)
	}
	touch(t, until)
	if status := receive(t, blocked, "the answer of the blocked process"); status != 200 {
		t.Errorf("the request that blocked it got %d", status)
	}
	signal(t, other, syscall.SIGSTOP)
	s.logs.waitCount(t, "has not answered for 1s", 2)
	if now := s.pid(t); now != old {
		t.Errorf("process %d answers instead of %d, which is free again", now, old)
	}
	signal(t, other, syscall.SIGCONT)
	if n := s.Stats().Restarts; n != 0 {
		t.Errorf("%d restarts", n)
	}
}

func TestStopped_ProcessIsReplaced(t *testing.T) {
	t.Parallel()
	s := newSite(t, Spec{Handler: "faults.handler", Min: 1, HangAfter: 3 * time.Second, IdleAfter: time.Millisecond})
	stopped := s.pid(t)
	signal(t, stopped, syscall.SIGSTOP)
	// Sent before it is known, a GET goes to the stopped process, and to another when that is
	// killed.
	if now := s.pid(t); now == stopped {
		t.Errorf("process %d is stopped and answers", stopped)
	}
	s.logs.wait(t, "process killed: its event loop was blocked for 3s")
	s.eventually(t, "one other process", func(st Stats) bool { return st.Processes == 1 && st.Restarts == 1 })
}

func TestStopped_IdleProcessIsReplaced(t *testing.T) {
	t.Parallel()
	s := newSite(t, Spec{Handler: "faults.handler", Min: 1, HangAfter: 2 * time.Second, IdleAfter: time.Millisecond})
	warm(t, s.Pool)
	pr := s.running()[0]
	pid := pr.walls.Program(pr.cmd.Process.Pid)
	signal(t, pid, syscall.SIGSTOP)
	s.eventually(t, "another process", func(st Stats) bool { return st.Processes == 1 && st.Restarts == 1 })
	if now := s.pid(t); now == pid {
		t.Errorf("process %d is stopped and answers", now)
	}
}

func TestBlocked_ReplacedOnceEach(t *testing.T) {
	t.Parallel()
	s := newSite(t, Spec{Handler: "faults.handler", Min: 1, Max: 2, HangAfter: time.Hour, QueueTimeout: testPatience})
	var ends []string
	for n := 1; n <= 4; n++ {
		_, until := s.block(t, "POST")
		ends = append(ends, until)
		s.logs.waitCount(t, "has not answered for 1s", n)
	}
	waiting := s.background(t, "GET", "/pid", nil)
	s.eventually(t, "a visitor waits", func(st Stats) bool { return st.Queued == 1 })
	if st := s.Stats(); st.Processes+st.Starting != 4 {
		t.Errorf("%+v, although all 4 are blocked and Max is 2", st)
	}
	for _, end := range ends {
		touch(t, end)
	}
	if status := receive(t, waiting, "the answer of the visitor who waited"); status != 200 {
		t.Errorf("the visitor who waited got %d", status)
	}
}

func TestBlocked_StarvedProcessIsNot(t *testing.T) {
	t.Parallel()
	pid := syscall.Getpid()
	quiet := func(lasted, waited time.Duration) silence {
		return silence{pid, beatEvery, int(lasted / beatEvery), time.Now().Add(-lasted), runDelay(pid) - waited}
	}
	for name, tt := range map[string]struct {
		silence
		blocked bool
	}{
		"it had no processor for 9 s": {quiet(10*time.Second, 9*time.Second), false},
		"it had a processor for 5 s":  {quiet(10*time.Second, 5*time.Second), true},
		"it slept, or was stopped":    {quiet(10*time.Second, 0), true},
		"it has just begun":           {quiet(9*time.Second, 0), false},
	} {
		if got := tt.lastsFor(10 * time.Second); got != tt.blocked {
			t.Errorf("%s: blocked %v", name, got)
		}
	}
}
