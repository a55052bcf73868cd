package edge

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// version is one deployment. Once drained it must receive no requests.
type version struct {
	*Site
	stopped atomic.Bool
	late    atomic.Int64 // requests that arrived after the stop
}

func newVersion(t testing.TB, name string) *version {
	v := &version{}
	v.Site = &Site{
		ID:     name,
		Header: http.Header{"X-Anchor-Deployment": {name}},
		Assets: assets(t, "", map[string]string{"version.txt": name}),
		Default: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			if v.stopped.Load() {
				v.late.Add(1)
			}
			fmt.Fprintf(w, "%s%s", name, b)
		}),
	}
	return v
}

// drain stops a version whose table is gone when nothing is in flight, as a platform does.
func (v *version) drain(ctx context.Context) error {
	if err := v.Drain(ctx); err != nil {
		return err
	}
	v.stopped.Store(true)
	return nil
}

func TestPublish_UnderLoadLosesNothing(t *testing.T) {
	e := start(t, Config{})
	live := newVersion(t, "v0")
	e.publish(map[string]*Site{"a.test": live.Site})

	stop := make(chan struct{})
	var asked atomic.Int64
	var load sync.WaitGroup
	for i := range 6 {
		load.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := one(e, i); err != nil {
					t.Error(err)
					return
				}
				asked.Add(1)
			}
		})
	}
	var old []*version
	var drains sync.WaitGroup
	for n := 1; n <= 200 || asked.Load() == 0 && !t.Failed(); n++ {
		next := newVersion(t, fmt.Sprintf("v%d", n))
		e.publish(map[string]*Site{"a.test": next.Site})
		old = append(old, live)
		last := live
		drains.Go(func() {
			if err := last.drain(t.Context()); err != nil {
				t.Error(err)
			}
		})
		live = next
	}
	close(stop)
	load.Wait()
	drains.Wait()
	for _, v := range old {
		if v.late.Load() > 0 {
			t.Errorf("%s was asked %d times after it had stopped", v.ID, v.late.Load())
		}
	}
	t.Logf("%d requests over %d switches", asked.Load(), len(old))
}

// one sends one request, for a page, a body or a file. Each answer must come whole from the version
// that its header names.
func one(e *running, kind int) error {
	var headers []string
	if kind%2 == 1 {
		headers = []string{"Connection", "close"}
	}
	method, path, sent := "GET", "/page", ""
	switch kind % 3 {
	case 1:
		method, sent = "POST", " with a body"
	case 2:
		path = "/version.txt"
	}
	got, err := e.try(method, "a.test", path, strings.NewReader(sent), headers...)
	if err != nil {
		return err
	}
	if want := got.header.Get("X-Anchor-Deployment") + sent; got.status != 200 || got.body != want {
		return fmt.Errorf("%s %s: status %d, body %q, want %q", method, path, got.status, got.body, want)
	}
	return nil
}

func TestPublish_KeepsEventStream(t *testing.T) {
	e := start(t, Config{})
	next := make(chan string)
	stream := &Site{Default: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for event := range next {
			fmt.Fprintf(w, "data: %s\n\n", event)
			w.(http.Flusher).Flush()
		}
	})}
	e.publish(map[string]*Site{"a.test": stream})

	c, r := e.dial(t)
	io.WriteString(c, "GET /events HTTP/1.1\r\nHost: a.test\r\n\r\n")
	next <- "before"
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	events := bufio.NewScanner(res.Body)
	expect(t, events, "data: before")

	e.publish(map[string]*Site{"a.test": {Default: says("new")}})
	if got := e.get(t, "a.test", "/"); got.body != "new" {
		t.Fatalf("after the swap: %q", got.body)
	}
	cut := errors.New("the time is over")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cut)
	if err := stream.Drain(ctx); !errors.Is(err, cut) {
		t.Fatalf("while a stream is open, Drain returns %v", err)
	}
	next <- "after"
	expect(t, events, "", "data: after")
	drains := make(chan error)
	for range 2 {
		go func() { drains <- stream.Drain(t.Context()) }()
	}
	close(next)
	for range 2 {
		if err := <-drains; err != nil {
			t.Error(err)
		}
	}
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		t.Errorf("the stream did not end whole: %v", err)
	}
}

func expect(t *testing.T, lines *bufio.Scanner, want ...string) {
	t.Helper()
	for _, line := range want {
		if !lines.Scan() || lines.Text() != line {
			t.Fatalf("got %q (%v), want %q", lines.Text(), lines.Err(), line)
		}
	}
}

func TestShutdown_FinishesRequests(t *testing.T) {
	e := start(t, Config{})
	entered, proceed := make(chan struct{}), make(chan struct{})
	e.publish(map[string]*Site{"a.test": {Default: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		<-proceed
		io.WriteString(w, "whole")
	})}})
	got := make(chan answer, 1)
	go func() {
		a, _ := e.try("GET", "a.test", "/", nil)
		got <- a
	}()
	<-entered
	done := make(chan error, 1)
	go func() { done <- e.Shutdown(context.Background()) }()
	for { // until the port is closed
		if _, err := e.try("GET", "a.test", "/closed", nil, "Connection", "close"); err != nil {
			break
		}
	}
	close(proceed)
	if a := <-got; a.body != "whole" {
		t.Errorf("got %+v", a)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestShutdown_CutsAfterTimeout(t *testing.T) {
	e := start(t, Config{})
	entered, gone := make(chan struct{}), make(chan struct{})
	e.publish(map[string]*Site{"a.test": {Default: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
		close(gone)
	})}})
	failed := make(chan error, 1)
	go func() {
		_, err := e.try("POST", "a.test", "/", nil)
		failed <- err
	}()
	<-entered
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := e.Shutdown(ctx); err == nil {
		t.Error("no error although a request was cut")
	}
	<-gone
	if err := <-failed; err == nil {
		t.Error("the cut request looks whole")
	}
}

func TestStream_ClientDepartureReachesFunction(t *testing.T) {
	e := start(t, Config{})
	entered, gone := make(chan struct{}), make(chan struct{})
	e.publish(map[string]*Site{"a.test": {Default: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		close(entered)
		<-r.Context().Done()
		close(gone)
	})}})
	c, _ := e.dial(t)
	io.WriteString(c, "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\n\r\nhi")
	<-entered
	c.Close()
	<-gone
}
