package edge

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

const webSocketHandshake = "GET /socket HTTP/1.1\r\nHost: a.test\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

// echoSocket accepts every handshake, and returns what the client sends.
func echoSocket(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
	w.WriteHeader(http.StatusSwitchingProtocols)
	_, _ = io.Copy(w, r.Body)
}

// openSocket returns the answer to a handshake. The caller may then use the connection.
func (e *running) openSocket(t testing.TB) (io.ReadWriteCloser, *http.Response) {
	t.Helper()
	c, r := e.dial(t)
	if _, err := io.WriteString(c, webSocketHandshake); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	return struct {
		io.Reader
		io.WriteCloser
	}{r, c}, res
}

func echoes(t testing.TB, c io.ReadWriter, text string) {
	t.Helper()
	got := make([]byte, len(text))
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, got); err != nil || string(got) != text {
		t.Errorf("got %.60q, %v; want %.60q", got, err, text)
	}
}

func TestTunnel_CarriesOctetsBothWays(t *testing.T) {
	e := start(t, Config{})
	e.publish(map[string]*Site{"a.test": {Header: http.Header{"X-Anchor-Deployment": {"d1"}}, Default: http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Upgrade") != webSocket || r.Header.Get("X-Forwarded-Host") != "a.test" {
				t.Errorf("the function receives %v", r.Header)
			}
			echoSocket(w, r)
		})}})
	c, res := e.openSocket(t)
	h := res.Header
	if res.StatusCode != 101 || h.Get("Upgrade") != webSocket || h.Get("Connection") != "Upgrade" ||
		h.Get("Sec-Websocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" || h.Get("X-Anchor-Deployment") != "d1" {
		t.Fatalf("status %d, %v", res.StatusCode, h)
	}
	// Octets that look like requests or like empty lines before one are only octets.
	echoes(t, c, "\r\n\r\nGET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
	echoes(t, c, strings.Repeat("0123456789abcdef", 1<<14))
	c.Close()
}

func TestTunnel_OverTLS(t *testing.T) {
	s := startTLS(t, Config{}, "a.test")
	s.publish(nil, "a.test", echoSocket)
	r, err := http.NewRequest("GET", "https://a.test/socket", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{"Connection": {"Upgrade"}, "Upgrade": {webSocket}, "Sec-WebSocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}}
	res, err := s.client(t, false).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, ok := res.Body.(io.ReadWriter)
	if res.StatusCode != 101 || !ok {
		t.Fatalf("status %d", res.StatusCode)
	}
	echoes(t, body, "over TLS")
}

// An answer other than 101 is a plain one, and the connection does not become a tunnel.
func TestTunnel_Refused(t *testing.T) {
	e := start(t, Config{})
	for answered, want := range map[int]int{200: 501, 204: 501, 403: 403, 426: 426, 307: 307, 502: 502} {
		e.publish(map[string]*Site{"a.test": {Default: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Set-Cookie", "a=b")
			w.WriteHeader(answered)
			if rest, err := io.ReadAll(r.Body); err != nil || len(rest) > 0 {
				t.Errorf("the body of a refused handshake: %q, %v", rest, err)
			}
		})}})
		_, res := e.openSocket(t)
		if body, err := io.ReadAll(res.Body); res.StatusCode != want || err != nil || want == 501 && !strings.Contains(string(body), "WebSocket") {
			t.Errorf("a function that answers %d: got %d %q, %v", answered, res.StatusCode, body, err)
		}
	}
}

func TestTunnel_BadHandshakes(t *testing.T) {
	e := start(t, Config{})
	e.publish(map[string]*Site{"a.test": {Default: http.HandlerFunc(echoSocket)}})
	for name, request := range map[string]string{
		"POST":          strings.Replace(webSocketHandshake, "GET", "POST", 1),
		"HTTP/1.0":      strings.Replace(webSocketHandshake, "HTTP/1.1", "HTTP/1.0", 1),
		"no Connection": strings.Replace(webSocketHandshake, "Connection: keep-alive, Upgrade\r\n", "", 1),
		"no key":        strings.Replace(webSocketHandshake, "Sec-WebSocket-Key", "Sec-WebSocket-Kay", 1),
		"two keys":      strings.Replace(webSocketHandshake, "Sec-WebSocket-Key", "Sec-WebSocket-Key: x\r\nSec-WebSocket-Key", 1),
		"a body":        strings.Replace(webSocketHandshake, "\r\n\r\n", "\r\nContent-Length: 4\r\n\r\nbody", 1),
	} {
		if status := e.raw(t, request); status != http.StatusBadRequest {
			t.Errorf("%s: status %d", name, status)
		}
	}
}

func TestTunnel_LimitPerProject(t *testing.T) {
	e := start(t, Config{MaxTunnelsPerProject: 1})
	e.publish(map[string]*Site{
		"a.test": {Project: "p", Default: http.HandlerFunc(echoSocket)},
		"b.test": {Project: "q", Default: http.HandlerFunc(echoSocket)},
	})
	first, res := e.openSocket(t)
	if res.StatusCode != 101 {
		t.Fatalf("status %d", res.StatusCode)
	}
	if _, res := e.openSocket(t); res.StatusCode != 503 || res.Header.Get("Retry-After") == "" {
		t.Errorf("beyond the limit: %d %v", res.StatusCode, res.Header)
	}
	if status := e.raw(t, strings.Replace(webSocketHandshake, "a.test", "b.test", 1)); status != 101 {
		t.Errorf("another project: %d", status)
	}
	echoes(t, first, "still there")
	first.Close()
	for deadline := time.Now().Add(time.Minute); ; { // the edge learns of the end a moment later
		if _, res := e.openSocket(t); res.StatusCode == 101 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("a closed connection still counts")
		}
	}
}

func TestTunnel_IdleIsClosed(t *testing.T) {
	e := start(t, Config{TunnelIdle: fast.Grace})
	ended := make(chan error, 1)
	e.publish(map[string]*Site{"a.test": {Default: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusSwitchingProtocols)
		_, err := io.Copy(w, r.Body)
		ended <- err
	})}})
	c, _ := e.openSocket(t)
	if rest, err := io.ReadAll(c); len(rest) > 0 || err != nil {
		t.Errorf("got %q, %v; want the connection closed", rest, err)
	}
	if err := <-ended; !isTimeout(err) {
		t.Errorf("the function reads %v", err)
	}
}

// A tunnel on which only the function sends is not idle.
func TestTunnel_OneWayIsNotIdle(t *testing.T) {
	const pieces = 8
	atSomeGrace(t, func(grace time.Duration) error {
		e := start(t, Config{TunnelIdle: grace})
		e.publish(map[string]*Site{"a.test": {Default: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusSwitchingProtocols)
			read := make(chan struct{})
			go func() { defer close(read); _, _ = io.Copy(io.Discard, r.Body); r.Body.Close() }()
			tick := time.NewTicker(grace / 3)
			defer tick.Stop()
			for range pieces {
				select {
				case <-tick.C:
					_, _ = io.WriteString(w, "x")
				case <-read:
					return
				}
			}
		})}})
		c, _ := e.openSocket(t)
		if got, err := io.ReadAll(c); string(got) != strings.Repeat("x", pieces) {
			return errors.Join(errors.New("got "+string(got)), err)
		}
		return nil
	})
}

// Shutdown closes tunnels at once, and waits until their functions have returned.
func TestTunnel_ShutdownCloses(t *testing.T) {
	e := start(t, Config{})
	returned := make(chan struct{})
	e.publish(map[string]*Site{"a.test": {Default: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(returned)
		echoSocket(w, r)
	})}})
	c, _ := e.openSocket(t)
	echoes(t, c, "open")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := e.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	select {
	case <-returned:
	default:
		t.Error("the function still runs")
	}
	if _, err := bufio.NewReader(c).ReadByte(); err == nil {
		t.Error("the connection is still open")
	}
}
