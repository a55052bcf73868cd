package worker

import (
	"bufio"
	"compress/gzip"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// witnesses are requests that are in flight while others fail. Their answers have begun.
type witnesses struct {
	gate   string
	bodies []io.ReadCloser
}

func (s *site) witnesses(t testing.TB) *witnesses {
	t.Helper()
	w := &witnesses{gate: filepath.Join(t.TempDir(), "gate")}
	for _, method := range []string{http.MethodGet, http.MethodGet, http.MethodPost} {
		req, err := http.NewRequestWithContext(t.Context(), method, s.url+"/slow?until="+url.QueryEscape(w.gate), strings.NewReader("a body"))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { resp.Body.Close() })
		w.bodies = append(w.bodies, resp.Body)
	}
	return w
}

// arriveWhole lets the witnesses end.
func (w *witnesses) arriveWhole(t testing.TB) {
	t.Helper()
	touch(t, w.gate)
	for _, body := range w.bodies {
		if text, err := io.ReadAll(body); err != nil || string(text) != "begun whole" {
			t.Errorf("a request in flight got %q, %v", text, err)
		}
	}
}

func touch(t testing.TB, name string) {
	t.Helper()
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestUncaught_EndsNoRequest(t *testing.T) {
	t.Parallel()
	s := newSite(t, Spec{Handler: "faults.handler", Min: 1})
	inFlight := s.witnesses(t)
	for _, where := range []string{"timer", "immediate", "tick", "microtask", "promise", "file"} {
		for _, what := range []string{"error", "null", "undefined", "text", "frozen", "hostile", "proxy"} {
			if a := s.get(t, "/throw?where="+where+"&what="+what); a.StatusCode != 200 || a.body != "lives" {
				t.Errorf("%s in a %s: the request that threw it got %d %q", what, where, a.StatusCode, a.body)
			}
		}
	}
	inFlight.arriveWhole(t)
	s.logs.wait(t, "uncaught exception: Error: really uncaught")
	s.logs.wait(t, "unhandled rejection: Error: really uncaught")
	if n := s.Stats().Restarts; n != 0 {
		t.Errorf("%d restarts", n)
	}
}

func TestUncaught_AppListenersCannotEndProcess(t *testing.T) {
	t.Parallel()
	s := newSite(t, Spec{Handler: "faults.handler", Min: 1})
	inFlight := s.witnesses(t)
	s.get(t, "/handlers")
	for _, where := range []string{"timer", "promise"} {
		if a := s.get(t, "/throw?what=error&where="+where); a.body != "lives" {
			t.Errorf("the request that threw in a %s got %d %q", where, a.StatusCode, a.body)
		}
	}
	inFlight.arriveWhole(t)
	for _, line := range []string{"uncaught exception: Error: really uncaught", "the app's listener threw", "the app's second listener", "unhandled rejection"} {
		s.logs.wait(t, line)
	}
	if n := s.Stats().Restarts; n != 0 {
		t.Errorf("%d restarts", n)
	}
}

func TestUncaught_StormDoesNotFillLog(t *testing.T) {
	t.Parallel()
	s := newSite(t, Spec{Handler: "faults.handler", Min: 1})
	begun := time.Now()
	if a := s.get(t, "/storm"); a.body != "over" {
		t.Fatalf("got %d %q", a.StatusCode, a.body)
	}
	s.logs.wait(t, "more exceptions were not logged")
	// 50 at once, then 5 per second: however long it took here, far fewer than the 2000.
	if n, most := s.logs.count("Error: storm"), 50+5*int(time.Since(begun).Seconds()+1); n > most {
		t.Errorf("%d lines", n)
	}
}

// TestUncaught_FailedStreamEndsItsRequest: errors without a listener, of everything a request
// opens, above all the client of a rewrite's target.
func TestUncaught_FailedStreamEndsItsRequest(t *testing.T) {
	t.Parallel()
	s := newSite(t, Spec{Handler: "faults.handler", Min: 1})
	inFlight := s.witnesses(t)
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	refused := closedPort(t)
	for name, path := range map[string]string{
		"refused":             "/rewrite?to=http://" + refused,
		"refused over TLS":    "/rewrite?to=https://" + refused,
		"no such host":        "/rewrite?to=http://target.invalid/",
		"no TLS there":        "/rewrite?to=" + strings.Replace(plain.URL, "http:", "https:", 1),
		"closed unanswered":   "/rewrite?to=" + rawServer(t, ""),
		"closed in the head":  "/rewrite?to=" + rawServer(t, "HTTP/1.1 200 OK\r\nContent-Le"),
		"not HTTP":            "/rewrite?to=" + rawServer(t, "220 mail.example ESMTP\r\n"),
		"an emitter":          "/emit?what=error",
		"an emitter's null":   "/emit?what=null",
		"an emitter's text":   "/emit?what=text",
		"an emitter's object": "/emit?what=hostile",
	} {
		a := s.get(t, path)
		if a.StatusCode != 502 || a.body != "Bad Gateway\n" || a.Header.Get("X-Anchor-Error") != "stream" {
			t.Errorf("%s: got %d %q", name, a.StatusCode, a.body)
		}
	}
	for name, path := range map[string]string{
		"an emitter":                    "/emit?begun&what=error",
		"an answer of known length":     "/rewrite?to=" + rawServer(t, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegun"),
		"a chunked answer":              "/rewrite?to=" + rawServer(t, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nbegun\r\n"),
		"a gzip answer, cut":            "/rewrite?to=" + rawServer(t, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1000\r\n\r\n"+compressed(t)),
		"a brotli answer, cut":          "/rewrite?to=" + rawServer(t, "HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 100\r\n\r\n\x0b\x02\x80"),
		"an answer that is not gzip":    "/rewrite?to=" + rawServer(t, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nplain"),
		"an answer that is half a gzip": "/rewrite?to=" + rawServer(t, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n"+compressed(t)),
	} {
		if status := receive(t, s.background(t, "GET", path, nil), "the end of the answer of "+name); status == 200 {
			t.Errorf("%s: the client believes to have a whole answer", name)
		}
	}
	inFlight.arriveWhole(t)
	s.logs.wait(t, "request failed: Error: connect ECONNREFUSED")
	if n := s.Stats().Restarts; n != 0 {
		t.Errorf("%d restarts", n)
	}
	if err := s.Drain(t.Context()); err != nil { // although handlers of failed requests never return
		t.Error(err)
	}
}

func TestUncaught_FailedStreamKeepsBackgroundWork(t *testing.T) {
	t.Parallel()
	s := newSite(t, Spec{Handler: "faults.handler", Min: 1})
	if a := s.get(t, "/emit-after"); a.StatusCode != 200 || a.body != "answered" {
		t.Errorf("got %d %q", a.StatusCode, a.body)
	}
	if err := s.Drain(t.Context()); err != nil {
		t.Error(err)
	}
	s.logs.wait(t, "uncaught exception: Error: late stream")
	if !s.logs.has("background work done") {
		t.Error("the process was stopped before")
	}
}

func closedPort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// rawServer reads a request's head, answers with text, and closes the connection.
func rawServer(t *testing.T, text string) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				_, _ = io.WriteString(conn, text)
			}
			conn.Close()
		}
	}()
	return "http://" + ln.Addr().String()
}

// compressed returns the beginning of a gzip stream.
func compressed(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	z := gzip.NewWriter(&b)
	if _, err := io.WriteString(z, "begun"); err != nil {
		t.Fatal(err)
	}
	if err := z.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
