package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestRewriteToAnotherHost rewrites requests to an external host: path, query, body and answer
// are passed on, a large body and trailers too.
func TestRewriteToAnotherHost(t *testing.T) {
	t.Parallel()
	outside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Outside", r.Method+" "+r.URL.RequestURI())
		w.WriteHeader(http.StatusAccepted)
		io.WriteString(w, sha(body))
		_ = http.NewResponseController(w).Flush()
		w.Header().Set(http.TrailerPrefix+"X-Sum", "1")
	}))
	defer outside.Close()
	a := up(t)
	app := variant(t, 1)
	retarget(t, app, "http://127.0.0.1:9", outside.URL)
	a.deploy(app, "shop")
	s := a.site(t, "shop")
	s.get("/proxy/tide/table?port=brest").want(t, 202).header(t, "X-Outside", "GET /tide/table?port=brest").has(t, sha(nil))
	if answer := s.raw(t, "/proxy/tide/table"); !strings.HasSuffix(answer, "\r\n0\r\nX-Sum: 1\r\n\r\n") {
		t.Errorf("the answer does not end with the host's trailers:\n%s", answer)
	}
	for _, size := range []int{1 << 10, 8 << 20} {
		body := bytes.Repeat([]byte("tide"), size/4)
		s.request("POST", "/proxy/upload", bytes.NewReader(body), "Content-Type", "application/octet-stream").
			want(t, 202).header(t, "X-Outside", "POST /upload").has(t, sha(body))
	}
}

// TestRewriteToAWebSocketHost opens a WebSocket through a rewrite of a real build. What the two sides send
// once the protocol is switched are octets to Anchor, so the test sends plain text.
func TestRewriteToAWebSocketHost(t *testing.T) {
	t.Parallel()
	outside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		fmt.Fprintf(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: %s\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: %s\r\n\r\n%s ",
			r.Header.Get("Upgrade"), r.Header.Get("Sec-WebSocket-Protocol"), r.URL.RequestURI())
		_, _ = io.Copy(c, buffered) // until the client closes its side
	}))
	defer outside.Close()
	a := up(t)
	app := variant(t, 1)
	retarget(t, app, "http://127.0.0.1:9", outside.URL)
	a.deploy(app, "shop")
	s := a.site(t, "shop")
	const handshake = "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: tide\r\n\r\n"
	c, err := net.Dial("tcp", a.sites)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Minute)) // ends a test that would hang
	fmt.Fprintf(c, handshake, "/proxy/tide/table?port=brest", s.host)
	answer := bufio.NewReader(c)
	res, err := http.ReadResponse(answer, nil)
	if err != nil || res.StatusCode != 101 || res.Header.Get("Sec-Websocket-Protocol") != "tide" || res.Header.Get("Upgrade") != "websocket" {
		t.Fatalf("the handshake is answered with %+v, %v", res, err)
	}
	text := strings.Repeat("high tide at noon ", 5000)
	go func() { _, _ = io.WriteString(c, text) }()
	want := "/tide/table?port=brest " + text
	got := make([]byte, len(want))
	if _, err := io.ReadFull(answer, got); err != nil || string(got) != want {
		t.Errorf("%v: %.60q, want %.60q", err, got, want)
	}
	c.Close()
	s.get("/about", "Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==").want(t, 501)
}

// TestRewriteToAHostThatIsDown asserts that only the visitor who requested it is affected.
func TestRewriteToAHostThatIsDown(t *testing.T) {
	t.Parallel()
	outside := httptest.NewServer(http.NotFoundHandler())
	a := up(t)
	app := variant(t, 1)
	retarget(t, app, "http://127.0.0.1:9", outside.URL)
	outside.Close()
	a.deploy(app, "shop")
	s := a.site(t, "shop")
	for range 3 {
		s.get("/proxy/tide").want(t, 502).header(t, "X-Anchor-Error", "stream")
		s.request("POST", "/proxy/tide", strings.NewReader("a body")).want(t, 502)
		s.get("/").want(t, 200)
	}
}

// retarget replaces the targets of a build's rewrites, which Next.js fixes at build time.
func retarget(t *testing.T, app, from, to string) {
	t.Helper()
	changed := 0
	err := filepath.WalkDir(filepath.Join(app, ".open-next"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() || !isText(path) {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(text, []byte(from)) {
			return err
		}
		changed++
		return os.WriteFile(path, bytes.ReplaceAll(text, []byte(from), []byte(to)), 0o644)
	})
	if err != nil || changed == 0 {
		t.Fatalf("%d files name %s: %v", changed, from, err)
	}
}
