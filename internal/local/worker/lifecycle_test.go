package worker

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/local/worker/jail"
)

func TestStart_ErrorsSayWhy(t *testing.T) {
	t.Parallel()
	tests := []struct {
		module, tail string
		exitCode     int
	}{
		{"crash", "broken at import", 1},
		{"noexport", "exports no function named handler", 1},
		{"unsettled", "", 13},
	}
	for _, tt := range tests {
		t.Run(tt.module, func(t *testing.T) {
			start := failedStart(t, Spec{Handler: tt.module + ".handler"})
			if start.Reason != Crashed || start.ExitCode != tt.exitCode || !strings.Contains(start.LogTail, tt.tail) {
				t.Errorf("got %+v", start)
			}
		})
	}
	t.Run("never", func(t *testing.T) {
		for timeout := 2 * time.Second; ; timeout *= 2 { // Node.js needs some of it to reach the bundle
			start := failedStart(t, Spec{Handler: "never.handler", StartTimeout: timeout})
			if start.Reason != Timeout || start.ExitCode != 0 {
				t.Errorf("got %+v", start)
			}
			if strings.Contains(start.LogTail, "still thinking") {
				return
			}
			if timeout > testPatience {
				t.Fatalf("after %s the error lacks the log lines: %+v", timeout, start)
			}
		}
	})
}

// failedStart returns the error of a bundle that does not start, and checks that a visitor sees
// nothing of it.
func failedStart(t *testing.T, spec Spec) StartError {
	t.Helper()
	spec.Dir = "testdata/broken"
	s := newSite(t, spec)
	err := s.Warm(t.Context())
	var start *StartError
	if !errors.As(err, &start) {
		t.Fatalf("got %v", err)
	}
	if a := s.get(t, "/"); a.StatusCode != 502 || strings.Contains(a.body, "broken") {
		t.Errorf("a request got %d %q", a.StatusCode, a.body)
	}
	return *start
}

func TestStart_RepeatedFailureRefusesAtOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t, Spec{Dir: "testdata/broken", Handler: "crash.handler", QueueTimeout: testPatience})
	for {
		if a := s.get(t, "/"); a.StatusCode == 503 {
			if n, err := strconv.Atoi(a.Header.Get("Retry-After")); err != nil || n < 1 {
				t.Errorf("Retry-After %q", a.Header.Get("Retry-After"))
			}
			return
		}
	}
}

func TestStart_BadSpecs(t *testing.T) {
	t.Parallel()
	good := Spec{Dir: "testdata/streaming", Handler: "index.handler", Tmp: t.TempDir()}
	for name, change := range map[string]func(*Spec){
		"no such module":  func(s *Spec) { s.Handler = "missing.handler" },
		"no export":       func(s *Spec) { s.Handler = "index" },
		"outside":         func(s *Spec) { s.Handler = "../app.handler" },
		"no folder":       func(s *Spec) { s.Dir = "" },
		"min above max":   func(s *Spec) { s.Min, s.Max = 3, 2 },
		"no place for it": func(s *Spec) { s.Tmp = filepath.Join(s.Tmp, "missing") },
	} {
		spec := good
		change(&spec)
		if pool, err := NewPool(testNode(t), spec); err == nil {
			pool.Close()
			t.Errorf("%s: no error", name)
		}
	}
}

func TestStart_LongFolderName(t *testing.T) {
	t.Parallel()
	long := filepath.Join(t.TempDir(), strings.Repeat("long", 30))
	if err := os.Mkdir(long, 0o700); err != nil {
		t.Fatal(err)
	}
	pool, err := NewPool(testNode(t), Spec{Dir: "testdata/streaming", Handler: "index.handler", Tmp: long, Max: 1})
	if err != nil {
		t.Fatal(err)
	}
	warm(t, pool)
	pool.Close()
	if left, err := os.ReadDir(long); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	if _, err := os.Stat(pool.home.sockets); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the sockets' folder: %v", err)
	}
}

func TestPool_GrowsAndShrinks(t *testing.T) {
	t.Parallel()
	s := newSite(t, Spec{Max: 2, Concurrency: 1, IdleAfter: 50 * time.Millisecond})
	if st := s.Stats(); st.Processes+st.Starting != 0 {
		t.Fatalf("at first: %+v", st)
	}
	ctx, cancel := context.WithCancel(t.Context())
	for range 3 { // one more than there are processes: it goes over Concurrency, not in the queue
		s.open(t, ctx, "/quiet")
	}
	// The second process may have ended again before it is seen: no request needs it.
	s.eventually(t, "two processes", func(st Stats) bool { return s.Usage().Launched == 2 && st.InFlight == 3 && st.RSS > 0 })
	cancel()
	s.eventually(t, "no process", func(st Stats) bool { return st.Processes == 0 })
	if a := s.get(t, "/hello"); a.body != "hello" {
		t.Errorf("on demand: %d %q", a.StatusCode, a.body)
	}
	s.SetMin(2)
	s.eventually(t, "two processes by minimum", func(st Stats) bool { return st.Processes == 2 })
	s.SetMin(0)
	s.eventually(t, "no process again", func(st Stats) bool { return st.Processes == 0 })
	if n := s.Stats().Restarts; n != 0 {
		t.Errorf("%d restarts", n)
	}
}

func TestPool_FullQueueRefuses(t *testing.T) {
	t.Parallel()
	s := newSite(t, Spec{Limit: 1, Concurrency: 1, Queue: 1, QueueTimeout: testPatience})
	ctx, cancel := context.WithCancel(t.Context())
	s.open(t, ctx, "/quiet")
	queued := s.background(t, "GET", "/hello", nil)
	s.eventually(t, "one in the queue", func(st Stats) bool { return st.Queued == 1 })
	a := s.get(t, "/hello")
	if a.StatusCode != 503 || a.Header.Get("Retry-After") != "1" {
		t.Errorf("the third got %d, Retry-After %q", a.StatusCode, a.Header.Get("Retry-After"))
	}
	cancel()
	if status := receive(t, queued, "the answer to the queued request"); status != 200 {
		t.Errorf("the queued one got %d", status)
	}
}

func TestPool_QueueTimeout(t *testing.T) {
	t.Parallel()
	s := newSite(t, Spec{Limit: 1, Concurrency: 1, QueueTimeout: time.Millisecond})
	warm(t, s.Pool)
	s.open(t, t.Context(), "/quiet")
	if a := s.get(t, "/hello"); a.StatusCode != 503 || a.Header.Get("Retry-After") == "" {
		t.Errorf("got %d", a.StatusCode)
	}
	if n := s.Stats().Queued; n != 0 {
		t.Errorf("%d in the queue", n)
	}
}

func TestCrash_IsAnsweredAndRepaired(t *testing.T) {
	t.Parallel()
	s := newSite(t, Spec{Min: 2, Max: 2})
	s.eventually(t, "two processes", func(st Stats) bool { return st.Processes == 2 })
	a := s.do(t, "POST", "/crash", strings.NewReader("not to be sent twice"))
	if a.StatusCode != 502 || a.Header.Get("Retry-After") != "" {
		t.Errorf("the request that crashed it got %d", a.StatusCode)
	}
	for range 20 {
		if a := s.get(t, "/hello"); a.StatusCode != 200 {
			t.Errorf("meanwhile: %d %q", a.StatusCode, a.body)
		}
	}
	s.eventually(t, "two processes again", func(st Stats) bool { return st.Processes == 2 && st.Restarts == 1 })
	s.logs.wait(t, "process ended by itself (exit status 7)")
}

func TestCrash_GetIsRetriedOnce(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	counter := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, calls.Add(1)) }))
	t.Cleanup(counter.Close)
	s := newSite(t, Spec{Min: 1, Env: map[string]string{"COUNTER": counter.URL}})
	if a := s.get(t, "/crash-once"); a.StatusCode != 200 || a.body != "second" {
		t.Errorf("got %d %q", a.StatusCode, a.body)
	}
	if a := s.get(t, "/crash"); a.StatusCode != 502 {
		t.Errorf("one that crashes every process got %d", a.StatusCode)
	}
}

func TestAnswer_CutShortIsIncomplete(t *testing.T) {
	t.Parallel()
	s := newSite(t, Spec{})
	if status := receive(t, s.background(t, "GET", "/cut", nil), "the end"); status != 0 {
		t.Errorf("the client believes to have a whole answer, %d", status)
	}
}

func TestDrain_WaitsForRequests(t *testing.T) {
	t.Parallel()
	s := newSite(t, Spec{})
	gate := s.background(t, "GET", "/gate", nil)
	s.logs.wait(t, "gate waits")
	drained := make(chan error, 1)
	go func() { drained <- s.Drain(context.Background()) }()
	// The process still serves, and it has to: only another request opens the gate.
	if a := s.get(t, "/open"); a.body != "opened" {
		t.Errorf("while draining: %d %q", a.StatusCode, a.body)
	}
	if status := receive(t, gate, "the answer"); status != 200 {
		t.Errorf("the request in flight got %d", status)
	}
	if err := receive(t, drained, "the end of the drain"); err != nil {
		t.Error(err)
	}
	if a := s.get(t, "/hello"); a.StatusCode != 503 {
		t.Errorf("after it: %d", a.StatusCode)
	}
	if err := s.Warm(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("Warm: %v", err)
	}
}

func TestDrain_WaitsForBackgroundWork(t *testing.T) {
	t.Parallel()
	s := newSite(t, Spec{})
	if a := s.get(t, "/after"); a.body != "answered" {
		t.Fatalf("got %q", a.body)
	}
	if err := s.Drain(context.Background()); err != nil {
		t.Fatal(err)
	}
	if !s.logs.has("background work done") {
		t.Error("the process was stopped before")
	}
}

func TestDrain_CutsAfterTimeout(t *testing.T) {
	t.Parallel()
	s := newSite(t, Spec{})
	stream := s.open(t, t.Context(), "/sse")
	ctx, cancel := context.WithCancel(t.Context())
	drained := make(chan error, 1)
	go func() { drained <- s.Drain(ctx) }()
	events := bufio.NewScanner(stream.Body)
	for range 20 {
		if !events.Scan() {
			t.Fatal("the stream ended before the drain's limit")
		}
	}
	cancel()
	if err := receive(t, drained, "the end of the drain"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	for events.Scan() {
	}
}

func TestClose_EndsRunningStart(t *testing.T) {
	t.Parallel()
	s := newSite(t, Spec{Dir: "testdata/broken", Handler: "never.handler", StartTimeout: time.Hour})
	started := make(chan error, 1)
	go func() { started <- s.Warm(context.Background()) }()
	s.logs.wait(t, "still thinking")
	s.Close()
	if err := receive(t, started, "the end of Warm"); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v", err)
	}
}

func TestBlocked_StuckEventLoopIsReplaced(t *testing.T) {
	t.Parallel()
	s := newSite(t, Spec{Min: 1, HangAfter: 2 * time.Second})
	if a := s.do(t, "POST", "/spin", nil); a.StatusCode != 502 {
		t.Errorf("got %d", a.StatusCode)
	}
	s.logs.wait(t, "event loop was blocked")
	// On a machine so busy that it stands still for HangAfter, the next one is killed, too.
	for end := time.Now().Add(testPatience); s.get(t, "/hello").body != "hello"; {
		if time.Now().After(end) {
			t.Fatal("no process answers afterwards")
		}
	}
}

// holdPoolForEver is the body of the process that TestKill_LeavesNoProcess kills. Its
// bundle prints the number of its process.
func holdPoolForEver(tmp, bundle string) {
	node, err := FindNode(context.Background(), "")
	if err != nil {
		panic(err)
	}
	print := func(l Line) { fmt.Println(l.Text) }
	pool, err := NewPool(node, Spec{
		Dir: "testdata/broken", Handler: bundle, Min: 1, Max: 1, Tmp: tmp, StartTimeout: time.Hour, Log: print,
		Walls: testWalls(), Tree: "testdata", User: testUser(testWalls()),
	})
	if err != nil {
		panic(err)
	}
	_ = pool.Warm(context.Background()) // one of the bundles never gets there
	select {}
}

func TestKill_LeavesNoProcess(t *testing.T) {
	t.Parallel()
	for _, bundle := range []string{"pid.handler", "spin.handler"} {
		t.Run(bundle, func(t *testing.T) { killAnchor(t, bundle, os.Getenv("WORKER_TEST_LEVEL")) })
	}
}

// killAnchor kills a process that holds a pool of the bundle, and waits until everything it has
// started has ended.
func killAnchor(t *testing.T, bundle, level string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	// Nobody removes the folder for sockets that a killed pool leaves in TMPDIR.
	cmd.Env = append(os.Environ(), "TMPDIR="+shortDir(t), "ORPHAN_TEST_TMP="+t.TempDir(), "ORPHAN_TEST_BUNDLE="+bundle, "WORKER_TEST_LEVEL="+level)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Fscan(out, &pid); err != nil {
		t.Fatal(err)
	}
	all := jail.Descendants(cmd.Process.Pid)
	if level == "" {
		all = []int{pid} // else it is a number in another process table
	}
	if len(all) == 0 || residentBytes(all[0]) == 0 {
		t.Fatalf("processes %v are not running", all)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	for _, pid := range all {
		for deadline := time.Now().Add(testPatience); residentBytes(pid) > 0; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("process %d is still running", pid)
			}
		}
	}
}

// shortDir returns a folder of the test whose path is short enough for sockets (unix(7)), and which
// other users may enter.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "k")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestFindNode(t *testing.T) {
	t.Parallel()
	node := testNode(t)
	if !filepath.IsAbs(node.Path) || !strings.Contains(node.Version, ".") {
		t.Errorf("found %+v", node)
	}
	if again, err := FindNode(t.Context(), node.Path); err != nil || again != node {
		t.Errorf("by its path: %+v, %v", again, err)
	}
	script := func(text string) string {
		path := filepath.Join(t.TempDir(), "node")
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for path, want := range map[string]error{
		filepath.Join(t.TempDir(), "none"): ErrNodeMissing,
		script("echo v18.19.0"):            ErrNodeTooOld,
		script("echo 1.2"):                 ErrNodeMissing,
		script("exit 3"):                   ErrNodeMissing,
	} {
		if _, err := FindNode(t.Context(), path); !errors.Is(err, want) || !strings.Contains(err.Error(), "install Node.js 20 or newer") {
			t.Errorf("got %v, want %v and what to install", err, want)
		}
	}
}

func TestClientBody_OverLimitIs413(t *testing.T) {
	t.Parallel()
	s := newSite(t, Spec{})
	limited := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, mib)
		s.ServeHTTP(w, r)
	})}
	front := serveOn(t, limited)
	if a := front.do(t, "POST", "/upload", zeros(8*mib)); a.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("got %d %q", a.StatusCode, a.body)
	}
}
