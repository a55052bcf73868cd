package worker

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/anchor-deploy/anchor/internal/local/worker/jail"
	"github.com/anchor-deploy/anchor/internal/testleak"
)

// testPatience bounds waits in tests. It only matters when something is broken.
const testPatience = 60 * time.Second

func TestMain(m *testing.M) {
	if name := os.Getenv("WORKER_TEST_PROBE"); name != "" {
		probe(name, os.Getenv("WORKER_TEST_ARG"))
		syscall.Exit(0) // under the race detector os.Exit would wait a second first (GORACE, atexit_sleep_ms)
	}
	if os.Getenv("WORKER_TEST_STAGE") == "refuse" {
		refuseNamespaces()
	}
	if dir := os.Getenv("ORPHAN_TEST_TMP"); dir != "" {
		holdPoolForEver(dir, os.Getenv("ORPHAN_TEST_BUNDLE"))
	}
	testleak.Main(m, goleak.IgnoreAnyFunction("github.com/anchor-deploy/anchor/internal/local/worker.spawnJobs"))
}

// logbook keeps the log lines of a pool, and lets tests wait for them.
type logbook struct {
	mu    sync.Mutex
	lines []Line
	more  chan struct{}
}

func newLogbook() *logbook { return &logbook{more: make(chan struct{})} }

func (b *logbook) add(line Line) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines = append(b.lines, line)
	close(b.more)
	b.more = make(chan struct{})
}

// wait returns the first line that contains text, as soon as there is one.
func (b *logbook) wait(t testing.TB, text string) Line {
	t.Helper()
	deadline := time.After(testPatience)
	for {
		b.mu.Lock()
		i := slices.IndexFunc(b.lines, func(l Line) bool { return strings.Contains(l.Text, text) })
		more := b.more
		var found Line
		if i >= 0 {
			found = b.lines[i]
		}
		b.mu.Unlock()
		if i >= 0 {
			return found
		}
		select {
		case <-more:
		case <-deadline:
			t.Fatalf("no line with %q was logged", text)
		}
	}
}

func (b *logbook) has(text string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.ContainsFunc(b.lines, func(l Line) bool { return strings.Contains(l.Text, text) })
}

// count returns how many lines contain text.
func (b *logbook) count(text string) (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, line := range b.lines {
		if strings.Contains(line.Text, text) {
			n++
		}
	}
	return n
}

// waitCount returns when n lines contain text.
func (b *logbook) waitCount(t testing.TB, text string, n int) {
	t.Helper()
	for deadline := time.Now().Add(testPatience); b.count(text) < n; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("only %d of %d lines with %q were logged", b.count(text), n, text)
		}
	}
}

// site is a pool behind a real HTTP server.
type site struct {
	*Pool
	url  string
	logs *logbook
}

func testNode(t testing.TB) Node {
	t.Helper()
	node, err := FindNode(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	return node
}

// testUser returns the user that processes run as, as those of a project do. Only the highest level
// gives it access to the tests' files.
func testUser(walls jail.Walls) *User {
	if walls.Level != jail.Separated {
		return nil
	}
	return &User{UID: 1_000_001, GID: 1_000_001}
}

// testWalls returns the walls of all tests' processes: none, unless a test of walls runs the others
// once more.
var testWalls = sync.OnceValue(func() jail.Walls {
	level := os.Getenv("WORKER_TEST_LEVEL")
	if level == "" {
		return jail.Walls{}
	}
	node, err := FindNode(context.Background(), "")
	if err != nil {
		panic(err)
	}
	number, err := strconv.Atoi(level)
	if err != nil {
		panic(err)
	}
	wanted := jail.Walls{Level: jail.Level(number)}
	walls, err := jail.Try(context.Background(), wanted.Level, node.Path, testUser(wanted))
	if err != nil {
		panic(err)
	}
	return walls
})

func newTestPool(t testing.TB, spec Spec) (*Pool, *logbook) {
	t.Helper()
	logs := newLogbook()
	if spec.Dir == "" {
		spec.Dir = "testdata/streaming"
	}
	if spec.Handler == "" {
		spec.Handler = "index.handler"
	}
	if spec.Max == 0 {
		spec.Max = 1
	}
	spec.Tmp, spec.Log = t.TempDir(), logs.add
	if spec.Tree == "" {
		spec.Tree = "testdata" // the bundles share modules
	} else {
		spec.Tree = spec.Dir
	}
	spec.Walls = testWalls()
	spec.User = testUser(spec.Walls)
	pool, err := NewPool(testNode(t), spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool, logs
}

func newSite(t testing.TB, spec Spec) *site {
	t.Helper()
	pool, logs := newTestPool(t, spec)
	server := httptest.NewServer(pool)
	t.Cleanup(func() {
		pool.Close() // first: it ends what hangs
		server.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	return &site{Pool: pool, url: server.URL, logs: logs}
}

type answer struct {
	*http.Response
	body string
}

func (s *site) do(t testing.TB, method, path string, body io.Reader, headers ...string) answer {
	t.Helper()
	return s.send(t, http.DefaultClient, method, path, body, headers...)
}

// getRaw sends a GET without an Accept-Encoding of its own, and returns the octets of the body as
// they came.
func (s *site) getRaw(t testing.TB, path string, headers ...string) answer {
	t.Helper()
	transport := &http.Transport{DisableCompression: true}
	defer transport.CloseIdleConnections()
	return s.send(t, &http.Client{Transport: transport}, http.MethodGet, path, nil, headers...)
}

func (s *site) send(t testing.TB, client *http.Client, method, path string, body io.Reader, headers ...string) answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testPatience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, s.url+path, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: read the body: %v", method, path, err)
	}
	return answer{resp, string(data)}
}

func (s *site) get(t testing.TB, path string, headers ...string) answer {
	t.Helper()
	return s.do(t, http.MethodGet, path, nil, headers...)
}

// open sends a GET and returns when the head of the answer has arrived. The caller reads and closes
// the body.
func (s *site) open(t testing.TB, ctx context.Context, path string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("GET %s: %v", path, err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

// background sends a GET and delivers its status, 0 when it failed.
func (s *site) background(t testing.TB, method, path string, body io.Reader) <-chan int {
	t.Helper()
	req, err := http.NewRequest(method, s.url+path, body)
	if err != nil {
		t.Fatal(err)
	}
	status := make(chan int, 1)
	go func() {
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			status <- 0
			return
		}
		defer resp.Body.Close()
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			status <- 0
			return
		}
		status <- resp.StatusCode
	}()
	return status
}

// eventually waits until the pool's state satisfies the condition.
func (s *site) eventually(t testing.TB, what string, ok func(Stats) bool) {
	t.Helper()
	for deadline := time.Now().Add(testPatience); !ok(s.Stats()); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s never came true; the pool is at %+v", what, s.Stats())
		}
	}
}

func decode[T any](t testing.TB, text string) (value T) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatalf("%v in %.200q", err, text)
	}
	return value
}

func receive[T any](t testing.TB, ch <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(testPatience):
		t.Fatalf("%s never happened", what)
		panic("unreachable")
	}
}

func warm(t testing.TB, p *Pool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testPatience)
	defer cancel()
	if err := p.Warm(ctx); err != nil {
		t.Fatal(err)
	}
}
