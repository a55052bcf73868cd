package edge

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

// from opens a connection from another loopback address to the plain port.
func (e *running) from(t *testing.T, address string) net.Conn {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	c, err := dialer.Dial("tcp", e.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(time.Minute)) // ends a test that would hang
	return c
}

// served reports whether a connection has a place: a refused one has ended.
func served(c net.Conn) bool {
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"); err != nil {
		return false
	}
	_, err := io.ReadAtLeast(c, make([]byte, 1<<10), len("HTTP/1.1 200"))
	return err == nil
}

func (e *running) refused() refusals {
	e.gate.mu.Lock()
	defer e.gate.mu.Unlock()
	return e.gate.refused
}

// lines is a log that a test can read while it is written to.
type lines struct {
	mu sync.Mutex
	bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.Write(p)
}

func (l *lines) count(word string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.String(), word)
}

func TestGate_CapsConnections(t *testing.T) {
	log := new(lines)
	e := start(t, Config{MaxConnections: 5, MaxConnectionsPerClient: 2, Log: slog.New(slog.NewTextHandler(log, nil))})
	e.publish(map[string]*Site{"a.test": {Default: says("hi")}})
	first := e.from(t, "127.0.0.1")
	for _, c := range []net.Conn{first, e.from(t, "127.0.0.1"), e.from(t, "127.0.0.2"), e.from(t, "127.0.0.2"), e.from(t, "127.0.0.3")} {
		if !served(c) {
			t.Fatal("a connection within the caps was refused")
		}
	}
	if served(e.from(t, "127.0.0.4")) {
		t.Error("the sixth connection was served")
	}
	first.Close()
	for !served(e.from(t, "127.0.0.1")) { // until the edge has seen the end of the first one
		if t.Context().Err() != nil {
			t.Fatal("the place of a closed connection is not free")
		}
	}
	if got := e.refused(); got.full == 0 || got.perClient != 0 {
		t.Errorf("refused %+v", got)
	}
	if n := log.count("refused"); n != 1 {
		t.Errorf("refusals are in the log %d times, want once a minute", n)
	}
}

func TestGate_CapsOneClient(t *testing.T) {
	e := start(t, Config{MaxConnections: 50, MaxConnectionsPerClient: 2, TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.9/32")}})
	e.publish(map[string]*Site{"a.test": {Default: says("hi")}})
	for range 2 {
		if !served(e.from(t, "127.0.0.1")) {
			t.Fatal("a connection within the cap was refused")
		}
	}
	if served(e.from(t, "127.0.0.1")) {
		t.Error("the third connection of a client was served")
	}
	if !served(e.from(t, "127.0.0.2")) {
		t.Error("another client was refused")
	}
	for range 5 {
		if !served(e.from(t, "127.0.0.9")) {
			t.Error("a trusted proxy was refused")
		}
	}
	if got := e.refused(); got.perClient != 1 || got.full != 0 {
		t.Errorf("refused %+v", got)
	}
}

func TestGate_ClientsAreNetworks(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"192.0.2.1", "192.0.2.1", true},
		{"192.0.2.1", "192.0.2.2", false},
		{"::ffff:192.0.2.1", "192.0.2.1", true},
		{"2001:db8::1", "2001:db8::ffff:0:0:1", true},
		{"2001:db8::1", "2001:db8:0:1::1", false},
	} {
		a, _ := clientOf(&net.TCPAddr{IP: net.ParseIP(c.a)})
		b, _ := clientOf(&net.TCPAddr{IP: net.ParseIP(c.b)})
		if (clientNetwork(a) == clientNetwork(b)) != c.same {
			t.Errorf("%s and %s: one client %v", c.a, c.b, !c.same)
		}
	}
}

func TestGate_DefaultLeavesDescriptorsFree(t *testing.T) {
	files, c := openFiles(), Config{}.withDefaults()
	if int64(2*c.MaxConnections) >= files && c.MaxConnections > fewestConnections || c.MaxConnectionsPerClient > c.MaxConnections {
		t.Errorf("of %d file descriptors: %d connections, %d of one client", files, c.MaxConnections, c.MaxConnectionsPerClient)
	}
}

// stalling is a Pace under which nothing but a full stop is too slow.
var stalling = Pace{Grace: fast.Grace, BytesPerSecond: 1}

// A client that stops reading is cut off after one grace, and not after the time that the rest of a
// large answer may take.
func TestPace_CutsStalledReaderWhateverIsLeft(t *testing.T) {
	ended := make(chan struct{}, 8)
	large := strings.Repeat("x", 32<<20)
	s := startTLS(t, Config{Download: stalling, Wrap: reporting("a.test", ended)}, "a.test")
	s.Publish(NewTable(map[string]*Site{"a.test": {
		Assets: assets(t, "", map[string]string{"large.bin": large}),
		Default: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, large)
		}),
	}}))
	for _, target := range []string{"/large.bin", "/function", "/large.bin HTTP/1.1\r\nRange: bytes=1-"} {
		for _, secure := range []bool{false, true} {
			c, err := s.open(secure)
			if err != nil {
				t.Fatal(err)
			}
			head := "GET " + target
			if !strings.Contains(target, " HTTP") {
				head += " HTTP/1.1"
			}
			io.WriteString(c, head+"\r\nHost: a.test\r\n\r\n")
			select {
			case <-ended:
			case <-time.After(time.Minute):
				t.Errorf("%q, TLS %v: the edge still waits for a client that does not read", target, secure)
			}
			c.Close()
		}
	}
	stalled, err := s.client(t, true).Get("https://a.test/large.bin")
	if err != nil {
		t.Fatal(err)
	}
	defer stalled.Body.Close()
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Error("HTTP/2: the edge still waits for a client that does not read")
	}
}

// A client that reads slowly, but fast enough for the pace, gets all of a large answer.
func TestPace_ServesSlowReader(t *testing.T) {
	atSomeGrace(t, func(grace time.Duration) error {
		e := start(t, Config{Download: Pace{Grace: grace, BytesPerSecond: 1}})
		size := 24 << 20
		e.publish(map[string]*Site{"a.test": {Assets: assets(t, "", map[string]string{"large.bin": strings.Repeat("x", size)})}})
		c, r := e.dial(t)
		c.(*net.TCPConn).SetReadBuffer(64 << 10)
		io.WriteString(c, "GET /large.bin HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
		for total := 0; ; {
			n, err := io.CopyN(io.Discard, r, 2<<20)
			if total += int(n); err != nil {
				if errors.Is(err, io.EOF) && total > size {
					return nil
				}
				return err
			}
			time.Sleep(grace / 4)
		}
	})
}

// Connections that never send a request are closed.
func TestPace_ClosesSilentConnections(t *testing.T) {
	s := startTLS(t, Config{HeaderTimeout: fast.Grace, IdleTimeout: fast.Grace}, "a.test")
	for name, octets := range map[string]string{
		"nothing": "", "half a handshake": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "a line": "GET / HTTP/1.1\r\n", "an empty line": "\r\n",
	} {
		for _, address := range []string{s.plain, s.tls} {
			c, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			c.SetDeadline(time.Now().Add(time.Minute))
			io.WriteString(c, octets)
			if _, err := io.ReadAll(c); isTimeout(err) {
				t.Errorf("%s: the connection stays open", name)
			}
			c.Close()
		}
	}
	for name, octets := range map[string]string{"nothing": "", "half a preface": "PRI * HTTP/2.0\r\n", "empty lines": "\r\n\r\n", "half a head": "GET / HTTP/1.1\r\nHost"} {
		c, err := s.open(true)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(c, octets)
		if _, err := io.ReadAll(c); isTimeout(err) {
			t.Errorf("%s within TLS: the connection stays open", name)
		}
		c.Close()
	}
}
