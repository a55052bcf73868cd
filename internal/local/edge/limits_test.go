package edge

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// fast is a Pace that a stalled client exceeds within a test, and a working client does not.
var fast = Pace{Grace: 300 * time.Millisecond, BytesPerSecond: 1 << 40}

func TestPace_LargeBodies(t *testing.T) {
	p := Pace{Grace: time.Second, BytesPerSecond: 1 << 10}
	if got := p.allowanceFor(100 << 30); got != time.Second+(100<<20)*time.Second {
		t.Errorf("100 GiB at 1 KiB/s may take %v", got)
	}
}

// ok sends requests until the edge answers: under limits as short as these a busy machine may cut
// off a client that did nothing wrong.
func ok(t testing.TB, e *running) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; {
		got, err := e.try("GET", "a.test", "/fine", nil)
		if err == nil && got.status == 200 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("afterwards the edge answers %d, %v", got.status, err)
		}
	}
}

// atSomeGrace runs live under limits whose grace grows until live succeeds. A busy machine may
// stand still for longer than a short grace, and an edge that wrongly cuts a client off does so
// under any.
func atSomeGrace(t *testing.T, live func(grace time.Duration) error) {
	t.Helper()
	for grace := fast.Grace; ; grace *= 2 {
		err := live(grace)
		if err == nil {
			return
		}
		if grace > 5*time.Second {
			t.Fatalf("even with a grace of %s: %v", grace, err)
		}
	}
}

func TestLimits_SlowHeadersAreCut(t *testing.T) {
	e := start(t, Config{HeaderTimeout: fast.Grace})
	e.publish(map[string]*Site{"a.test": {Default: says("never")}})
	c, r := e.dial(t)
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: a.test\r\nX-Slow: ")
	rest, err := io.ReadAll(r)
	if err != nil || strings.Contains(string(rest), "never") {
		t.Errorf("got %q, %v; want the connection closed", rest, err)
	}
	ok(t, e)
}

func TestLimits_IdleConnectionIsClosed(t *testing.T) {
	e := start(t, Config{IdleTimeout: fast.Grace})
	e.publish(map[string]*Site{"a.test": {Default: says("hi")}})
	c, r := e.dial(t)
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
	if rest, err := io.ReadAll(r); err != nil || !strings.HasSuffix(string(rest), "hi") {
		t.Errorf("got %q, %v; want one answer and the connection closed", rest, err)
	}
}

func TestLimits_HugeHeaders(t *testing.T) {
	e := start(t, Config{MaxHeaderBytes: 8 << 10})
	e.publish(map[string]*Site{"a.test": {Default: says("hi")}})
	if got := e.get(t, "a.test", "/", "X-Large", strings.Repeat("x", 7<<10)); got.status != 200 {
		t.Errorf("7 KiB of headers: status %d", got.status)
	}
	if got := e.get(t, "a.test", "/", "X-Large", strings.Repeat("x", 16<<10)); got.status != 431 {
		t.Errorf("16 KiB of headers: status %d", got.status)
	}
	ok(t, e)
}

func TestLimits_LongURL(t *testing.T) {
	e := start(t, Config{MaxURLBytes: 100})
	e.publish(map[string]*Site{"a.test": {Default: says("hi")}})
	for length, want := range map[int]int{100: 200, 101: 414} {
		if got := e.get(t, "a.test", "/"+strings.Repeat("x", length-1)); got.status != want {
			t.Errorf("%d octets: status %d", length, got.status)
		}
	}
}

func TestLimits_LargeBody(t *testing.T) {
	e := start(t, Config{MaxBodyBytes: 1000})
	e.publish(map[string]*Site{"a.test": {Default: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
		}
	})}})
	for length, want := range map[int]int{1000: 200, 1001: 413} {
		body := bytes.Repeat([]byte("x"), length)
		if got := e.request(t, "POST", "a.test", "/", bytes.NewReader(body)); got.status != want {
			t.Errorf("%d octets: status %d", length, got.status)
		}
		unsized := io.MultiReader(bytes.NewReader(body))
		if got := e.request(t, "POST", "a.test", "/", unsized); got.status != want {
			t.Errorf("%d octets in chunks: status %d", length, got.status)
		}
	}
}

func TestPace_CutsStalledUpload(t *testing.T) {
	e := start(t, Config{Upload: fast})
	failed := make(chan error, 1)
	e.publish(map[string]*Site{"a.test": {Default: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "POST" {
			_, err := io.Copy(io.Discard, r.Body)
			failed <- err
		}
	})}})
	c, _ := e.dial(t)
	io.WriteString(c, "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 100\r\n\r\nhalf")
	if err := <-failed; !isTimeout(err) {
		t.Errorf("the function read %v, want a timeout", err)
	}
	ok(t, e)
}

func TestPace_CutsTricklingUpload(t *testing.T) {
	e := start(t, Config{Upload: fast})
	failed := make(chan error, 1)
	e.publish(map[string]*Site{"a.test": {Default: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		failed <- err
	})}})
	c, _ := e.dial(t)
	io.WriteString(c, "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 40\r\n\r\n")
	for range 40 { // each octet in time, all of them far too slow
		if _, err := io.WriteString(c, "x"); err != nil {
			break
		}
		time.Sleep(fast.Grace / 8)
	}
	if err := <-failed; !isTimeout(err) {
		t.Errorf("the function read %v, want a timeout", err)
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

func TestPace_CountsOnlyWaiting(t *testing.T) {
	e := start(t, Config{Upload: fast})
	asked, think := make(chan struct{}), make(chan struct{})
	e.publish(map[string]*Site{"a.test": {Default: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		one := make([]byte, 1)
		io.ReadFull(r.Body, one)
		close(asked)
		<-think
		rest, err := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s%s %v", one, rest, err)
	})}})
	go func() {
		<-asked
		time.Sleep(2 * fast.Grace) // a function that is busy for longer than a client may stall
		close(think)
	}()
	if got := e.request(t, "POST", "a.test", "/", strings.NewReader("body")); got.body != "body <nil>" {
		t.Errorf("got %q", got.body)
	}
}

func TestUnreadBody_DoesNotHoldRequest(t *testing.T) {
	e := start(t, Config{Upload: fast})
	e.publish(map[string]*Site{"a.test": {
		Assets: assets(t, "", map[string]string{"a.txt": "file"}),
		Default: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "did not read")
		}),
	}})
	for _, start := range []string{
		"GET /a.txt HTTP/1.1\r\nHost: a.test\r\n", "POST / HTTP/1.1\r\nHost: a.test\r\n", "POST / HTTP/1.1\r\nHost: b.test\r\n",
	} {
		c, r := e.dial(t)
		io.WriteString(c, start+"Content-Length: 100\r\n\r\n")
		if _, err := io.ReadAll(r); err != nil {
			t.Errorf("%q: %v; want an answer or the end of the connection", start, err)
		}
	}
	ok(t, e)
}

// The rest of a body must never be taken for the next request.
func TestUnreadBody_IsNoRequest(t *testing.T) {
	e := start(t, Config{Upload: fast})
	var seen atomic.Int64
	e.publish(map[string]*Site{"a.test": {Default: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/fine" {
			seen.Add(1)
		}
	})}})
	smuggled := "GET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n"
	for _, framing := range []string{"Content-Length: 5000", "Content-Length: 500000", "Transfer-Encoding: chunked"} {
		for _, late := range []bool{false, true} {
			seen.Store(0)
			c, r := e.dial(t)
			io.WriteString(c, "POST / HTTP/1.1\r\nHost: a.test\r\n"+framing+"\r\n\r\n")
			if framing == "Transfer-Encoding: chunked" {
				io.WriteString(c, "1388\r\n")
			}
			if late { // after the edge has given up on the body
				time.Sleep(2 * fast.Grace)
			}
			io.WriteString(c, strings.Repeat(smuggled, 20))
			io.Copy(io.Discard, r)
			if seen.Load() != 1 {
				t.Errorf("%s, late %v: %d requests", framing, late, seen.Load())
			}
		}
	}
	ok(t, e)
}

func TestUnreadBody_LeavesConnectionUsable(t *testing.T) {
	e := start(t, Config{})
	e.publish(map[string]*Site{"a.test": {Default: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "did not read")
	})}})
	c, r := e.dial(t)
	for _, body := range []string{
		"Content-Length: 4\r\n\r\nbody", "Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
		"Content-Length: 4\r\n\r\nbody",
	} {
		io.WriteString(c, "POST / HTTP/1.1\r\nHost: a.test\r\n"+body)
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(res.Body); string(got) != "did not read" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
	}
}

func TestEdge_ExpectContinue(t *testing.T) {
	e := start(t, Config{})
	e.publish(map[string]*Site{"a.test": {Default: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(w, r.Body)
	})}})
	c, r := e.dial(t)
	io.WriteString(c, "POST / HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
	line, err := r.ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "HTTP/1.1 100") {
		t.Fatalf("%q, %v", line, err)
	}
	r.ReadString('\n')
	io.WriteString(c, "body")
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := io.ReadAll(res.Body); res.StatusCode != 200 || string(got) != "body" {
		t.Errorf("%d %q", res.StatusCode, got)
	}
}

// reporting returns a Config.Wrap that sends to ended when a request to a host has ended.
func reporting(host string, ended chan<- struct{}) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(w, r)
			if r.Host == host {
				ended <- struct{}{}
			}
		})
	}
}

func TestPace_CutsStalledReader(t *testing.T) {
	over := make(chan struct{}, 1)
	e := start(t, Config{Download: fast, Wrap: reporting("files.test", over)})
	cut := make(chan error, 1)
	large := make([]byte, 32<<20)
	e.publish(map[string]*Site{"files.test": {
		Assets: assets(t, "", map[string]string{"large.bin": string(large)}),
	}, "a.test": {
		Default: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/fine" {
				return
			}
			_, err := w.Write(large)
			cut <- err
		}),
	}})
	c, r := e.dial(t)
	io.WriteString(c, "GET /fine HTTP/1.1\r\nHost: a.test\r\n\r\n") // the limit holds for later requests, too
	if _, err := http.ReadResponse(r, nil); err != nil {
		t.Fatal(err)
	}
	io.WriteString(c, "GET /page HTTP/1.1\r\nHost: a.test\r\n\r\n")
	select {
	case err := <-cut:
		if !isTimeout(err) {
			t.Errorf("writing to a client that does not read: %v, want a timeout", err)
		}
	case <-time.After(30 * time.Second):
		c.Close()
		t.Fatal("a client that does not read is never cut")
	}

	c, r = e.dial(t)
	io.WriteString(c, "GET /large.bin HTTP/1.1\r\nHost: files.test\r\n\r\n")
	select {
	case <-over: // the edge has given up
	case <-time.After(30 * time.Second):
		t.Fatal("a client that does not read a file is never cut")
	}
	if n, _ := io.Copy(io.Discard, r); n >= int64(len(large)) {
		t.Error("the whole file arrived although nobody read it")
	}
	ok(t, e)
}

func TestPace_KeepsQuietStream(t *testing.T) {
	atSomeGrace(t, func(grace time.Duration) error {
		pace := Pace{Grace: grace, BytesPerSecond: fast.BytesPerSecond}
		e := start(t, Config{Download: pace, Upload: pace, HeaderTimeout: grace})
		e.publish(map[string]*Site{"a.test": {Default: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for i := range 3 {
				fmt.Fprintf(w, "%d", i)
				w.(http.Flusher).Flush()
				select {
				case <-r.Context().Done():
					return
				case <-time.After(2 * grace):
				}
			}
		})}})
		for _, body := range []io.Reader{nil, strings.NewReader("a body that was sent")} {
			if got, err := e.try("POST", "a.test", "/", body); err != nil || got.body != "012" {
				return fmt.Errorf("got %q, %w", got.body, err)
			}
		}
		return nil
	})
}

func TestEdge_Overload(t *testing.T) {
	e := start(t, Config{MaxConcurrent: 3, MaxPerSite: 2})
	entered, proceed := make(chan struct{}), make(chan struct{})
	busy := func() *Site {
		return &Site{Default: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			entered <- struct{}{}
			<-proceed
		})}
	}
	e.publish(map[string]*Site{"a.test": busy(), "b.test": busy(), "c.test": {Default: says("hi")}})
	done := make(chan error, 3)
	occupy := func(host string) {
		go func() {
			got, err := e.try("GET", host, "/", nil)
			if err == nil && got.status != 200 {
				err = fmt.Errorf("status %d", got.status)
			}
			done <- err
		}()
		<-entered
	}
	occupy("a.test")
	occupy("a.test")
	if got := e.get(t, "a.test", "/"); got.status != 503 || got.header.Get("Retry-After") == "" {
		t.Errorf("third request of a site: %d %v", got.status, got.header)
	}
	if got := e.get(t, "c.test", "/"); got.status != 200 {
		t.Errorf("another site meanwhile: %d", got.status)
	}
	occupy("b.test")
	if got := e.get(t, "c.test", "/"); got.status != 503 || got.header.Get("Retry-After") == "" {
		t.Errorf("fourth request of all: %d %v", got.status, got.header)
	}
	close(proceed)
	for range 3 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if got := e.get(t, "c.test", "/"); got.status != 200 {
		t.Errorf("afterwards: %d", got.status)
	}
}

func TestEdge_RefusesWebSocket(t *testing.T) {
	e := start(t, Config{})
	e.publish(map[string]*Site{"a.test": {Default: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hi") })}})
	handshake := "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: %s\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	for protocol, want := range map[string]int{"websocket": 501, "WebSocket": 501, "h2c": 200} {
		if status := e.raw(t, fmt.Sprintf(handshake, protocol)); status != want {
			t.Errorf("Upgrade: %s: status %d", protocol, status)
		}
	}
}
