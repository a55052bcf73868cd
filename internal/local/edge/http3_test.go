package edge

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// quick is an Edge that also serves HTTP/3.
type quick struct {
	*secured
	udp string
}

func startHTTP3(t testing.TB, cfg Config, names ...string) *quick {
	t.Helper()
	t.Setenv("QUIC_GO_DISABLE_RECEIVE_BUFFER_WARNING", "true")
	s := startTLS(t, cfg, names...)
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.ServeQUIC(conn) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
		conn.Close()
	})
	q := &quick{s, conn.LocalAddr().String()}
	for q.http3.altSvc.Load() == nil {
		time.Sleep(time.Millisecond) // until ServeQUIC listens
	}
	return q
}

// client3 returns a client whose every request goes over HTTP/3, whatever its host.
func (q *quick) client3(t testing.TB) *http.Client {
	t.Helper()
	transport := &http3.Transport{
		TLSClientConfig:    &tls.Config{RootCAs: q.roots},
		DisableCompression: true,
		Dial: func(ctx context.Context, _ string, tlsConfig *tls.Config, config *quic.Config) (*quic.Conn, error) {
			return quic.DialAddr(ctx, q.udp, tlsConfig, config)
		},
	}
	t.Cleanup(func() { transport.Close() })
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// dialQUIC opens a connection for what a client library would not send.
func (q *quick) dialQUIC(t testing.TB, config *tls.Config) *quic.Conn {
	t.Helper()
	config.RootCAs, config.NextProtos = q.roots, []string{http3.NextProtoH3}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	conn, err := quic.DialAddr(ctx, q.udp, config, &quic.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.CloseWithError(0, "") })
	return conn
}

func send(t testing.TB, c *http.Client, method, url string, body io.Reader, headers ...string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	res, err := c.Do(r)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	return answer{res.StatusCode, res.Header, string(b)}
}

// TestHTTP3_AnswersAsHTTP2 sends the same requests over both.
func TestHTTP3_AnswersAsHTTP2(t *testing.T) {
	q := startHTTP3(t, Config{MaxBodyBytes: 1000}, "a.test")
	site := &Site{Header: http.Header{"X-Anchor-Deployment": {"d1"}}, Assets: assets(t, "", map[string]string{
		"small.txt": "hello", "large.js": strings.Repeat("const x = 1;\n", 10_000),
	})}
	site.Default = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		}
		w.Header().Set("Connection", "keep-alive")
		w.Header().Set("Content-Type", "text/plain")
		if r.URL.Path == "/silent" {
			return
		}
		fmt.Fprintf(w, "%s %s %d %q %s %s", r.Method, r.RequestURI, max(r.ContentLength, 0), b, r.Header.Get("X-Forwarded-Proto"), r.Header.Get("X-Forwarded-Host"))
	})
	q.Publish(NewTable(map[string]*Site{"a.test": site}))
	two, three := q.client(t, true), q.client3(t)
	large := strings.Repeat("x", 2000)
	for _, c := range []struct {
		method, path, body string
		headers            []string
	}{
		{"GET", "/small.txt", "", nil},
		{"GET", "/large.js", "", []string{"Accept-Encoding", "br"}},
		{"GET", "/large.js", "", []string{"Range", "bytes=5-900"}},
		{"HEAD", "/large.js", "", nil},
		{"GET", "/function?a=b", "", []string{"Cookie", "a=b; c=d"}},
		{"HEAD", "/function", "", nil},
		{"HEAD", "/silent", "", nil},
		{"GET", "/silent", "", nil},
		{"GET", "/%2e%2e/function", "", nil},
		{"POST", "/function", "a body", nil},
		{"POST", "/function", large, nil},
		{"DELETE", "/function", "", nil},
		{"GET", "/function", "", []string{"X-Middleware-Subrequest", "x"}},
		{"GET", "/_next/static/absent.js", "", nil},
		{"TRACE", "/function", "", nil},
		{"GET", "/" + strings.Repeat("x", 9000), "", nil},
	} {
		var bodies [2]io.Reader
		if c.body != "" {
			bodies = [2]io.Reader{strings.NewReader(c.body), strings.NewReader(c.body)}
		}
		want, got := send(t, two, c.method, "https://a.test"+c.path, bodies[0], c.headers...), send(t, three, c.method, "https://a.test"+c.path, bodies[1], c.headers...)
		if alt := want.header.Get("Alt-Svc"); !strings.HasPrefix(alt, `h3=":`) || got.header.Get("Alt-Svc") != "" {
			t.Errorf("%s %.40s: Alt-Svc is %q over HTTP/2 and %q over HTTP/3", c.method, c.path, alt, got.header.Get("Alt-Svc"))
		}
		for _, h := range []http.Header{want.header, got.header} {
			for _, name := range []string{"Alt-Svc", "Date", "X-Request-Id"} {
				h.Del(name)
			}
		}
		if got.status != want.status || got.body != want.body || fmt.Sprint(got.header) != fmt.Sprint(want.header) {
			t.Errorf("%s %.40s: HTTP/3 answers\n%d %v %.80q\nHTTP/2 answers\n%d %v %.80q", c.method, c.path,
				got.status, got.header, got.body, want.status, want.header, want.body)
		}
	}
}

// The hits on HTTP/1.1 announce HTTP/3 as all answers over TLS do, and no answer in plain HTTP does.
func TestHTTP3_Announced(t *testing.T) {
	q := startHTTP3(t, Config{}, "a.test")
	q.Publish(NewTable(map[string]*Site{"a.test": {
		Assets: assets(t, "", map[string]string{"small.txt": "hello"}),
		Default: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Alt-Svc", `h3="elsewhere.test:443"`)
			io.WriteString(w, "hi")
		}),
	}}))
	_, port, _ := net.SplitHostPort(q.udp)
	want := `[h3=":` + port + `"; ma=86400]`
	for _, path := range []string{"/small.txt", "/small.txt?again", "/function"} {
		for range 2 {
			if got := fmt.Sprint(send(t, q.client(t, false), "GET", "https://a.test"+path, nil).header["Alt-Svc"]); got != want {
				t.Errorf("%s over TLS: Alt-Svc %s, want %s", path, got, want)
			}
		}
		r, _ := http.NewRequest("GET", "http://"+q.plain+path, nil)
		r.Host = "a.test"
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if alt := res.Header["Alt-Svc"]; len(alt) > 0 {
			t.Errorf("%s in plain HTTP: Alt-Svc %s", path, alt)
		}
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestHTTP3_Limits(t *testing.T) {
	q := startHTTP3(t, Config{MaxHeaderBytes: 8 << 10}, "a.test", "b.test")
	q.Publish(NewTable(map[string]*Site{
		"a.test": {Project: "p", Default: says("a")}, "b.test": {Project: "q", Default: says("b")},
	}))
	c := q.client3(t)
	if got := send(t, c, "GET", "https://a.test/", nil, "X-Large", strings.Repeat("x", 16<<10)); got.status != 431 {
		t.Errorf("16 KiB of headers: %d", got.status)
	}
	r, _ := http.NewRequestWithContext(t.Context(), "GET", "https://a.test/", nil)
	r.Host = "b.test"
	res, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("another project's host: %d", res.StatusCode)
	}
}

func TestHTTP3_ConnectionsOfOneClient(t *testing.T) {
	q := startHTTP3(t, Config{MaxConnectionsPerClient: 4}, "a.test")
	q.publish(nil, "a.test", says("hi").ServeHTTP)
	conns := make([]*quic.Conn, 4)
	for i := range conns { // from the second on, the client proves its address
		conns[i] = q.dialQUIC(t, &tls.Config{ServerName: "a.test"})
	}
	_, err := quic.DialAddr(t.Context(), q.udp, &tls.Config{ServerName: "a.test", RootCAs: q.roots, NextProtos: []string{"h3"}}, nil)
	var refused *quic.TransportError
	if !errors.As(err, &refused) || refused.ErrorCode != quic.ConnectionRefused {
		t.Errorf("a fifth connection: %v", err)
	}
	conns[0].CloseWithError(0, "")
	for deadline := time.Now().Add(time.Minute); ; { // the edge learns of the end a moment later
		conn, err := quic.DialAddr(t.Context(), q.udp, &tls.Config{ServerName: "a.test", RootCAs: q.roots, NextProtos: []string{"h3"}}, nil)
		if err == nil {
			conn.CloseWithError(0, "")
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after one was closed: %v", err)
		}
	}
}

// A request in the first flight of a resumed connection could be replayed.
func TestHTTP3_No0RTT(t *testing.T) {
	q := startHTTP3(t, Config{}, "a.test")
	q.publish(nil, "a.test", says("hi").ServeHTTP)
	config := &tls.Config{ServerName: "a.test", RootCAs: q.roots, NextProtos: []string{"h3"}, ClientSessionCache: tls.NewLRUClientSessionCache(1)}
	for i := range 2 {
		conn, err := quic.DialAddrEarly(t.Context(), q.udp, config, &quic.Config{})
		if err != nil {
			t.Fatal(err)
		}
		client := (&http3.Transport{}).NewClientConn(conn)
		r, _ := http.NewRequestWithContext(t.Context(), "GET", "https://a.test/", nil)
		res, err := client.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, res.Body)
		res.Body.Close()
		state := conn.ConnectionState()
		if state.Used0RTT || i > 0 && !state.TLS.DidResume {
			t.Errorf("connection %d: 0-RTT %v, resumed %v", i, state.Used0RTT, state.TLS.DidResume)
		}
		conn.CloseWithError(0, "")
	}
}

// A head that does not end closes its connection after the idle time.
func TestHTTP3_HeadsThatDoNotEnd(t *testing.T) {
	q := startHTTP3(t, Config{IdleTimeout: 2 * fast.Grace}, "a.test")
	q.publish(nil, "a.test", says("hi").ServeHTTP)
	conn := q.dialQUIC(t, &tls.Config{ServerName: "a.test"})
	stream, err := conn.OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var writing sync.WaitGroup
	writing.Go(func() {
		tick := time.NewTicker(fast.Grace / 4)
		defer tick.Stop()
		_, _ = stream.Write([]byte{1, 0x44, 0x00}) // a HEADERS frame of 1024 octets
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				_, _ = stream.Write([]byte{0}) // the connection is not idle for QUIC
			}
		}
	})
	select {
	case <-conn.Context().Done():
	case <-time.After(time.Minute):
		t.Error("the connection stays open")
	}
	close(stop)
	writing.Wait()
}

// A function does not wait for ever for a body that stops coming.
func TestHTTP3_StalledBodies(t *testing.T) {
	q := startHTTP3(t, Config{Upload: fast}, "a.test")
	read := make(chan error, 1)
	q.publish(nil, "a.test", func(w http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		read <- err
	})
	body, stalled := io.Pipe()
	go func() { _, _ = stalled.Write([]byte("half")) }()
	r, _ := http.NewRequestWithContext(t.Context(), "POST", "https://a.test/", body)
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		if res, err := q.client3(t).Do(r); err == nil {
			res.Body.Close()
		}
	}()
	select {
	case err := <-read:
		if err == nil {
			t.Error("half a body was read as a whole one")
		}
	case <-time.After(time.Minute):
		t.Error("the function still waits for a body that does not come")
	}
	stalled.Close()
	<-sent
}

// A client that stops reading its answer is cut off.
func TestHTTP3_StalledReaders(t *testing.T) {
	q := startHTTP3(t, Config{Download: fast}, "a.test")
	wrote := make(chan error, 1)
	q.publish(nil, "a.test", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/fine" {
			return
		}
		_, err := w.Write(bytes.Repeat([]byte("x"), 64<<20))
		wrote <- err
	})
	r, _ := http.NewRequestWithContext(t.Context(), "GET", "https://a.test/large", nil)
	res, err := q.client3(t).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	select {
	case err := <-wrote:
		if err == nil {
			t.Error("64 MiB were written to a client that reads nothing")
		}
	case <-time.After(time.Minute):
		t.Error("the function still waits for a client that does not read")
	}
	if got := send(t, q.client3(t), "GET", "https://a.test/fine", nil); got.status != 200 {
		t.Errorf("afterwards: %d", got.status)
	}
}

// An answer that a function breaks off is not taken for a whole one.
func TestHTTP3_BrokenAnswers(t *testing.T) {
	q := startHTTP3(t, Config{}, "a.test")
	q.publish(nil, "a.test", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, strings.Repeat("part ", 10_000))
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	r, _ := http.NewRequestWithContext(t.Context(), "GET", "https://a.test/", nil)
	res, err := q.client3(t).Do(r)
	if err == nil {
		defer res.Body.Close()
		_, err = io.Copy(io.Discard, res.Body)
	}
	if err == nil {
		t.Error("a part was read as the whole")
	}
}

// Shutdown answers the requests under way, and loses none of those that clients send meanwhile: each
// is answered, or refused in a way that lets a client repeat it.
func TestHTTP3_ShutdownAnswersWhatBegan(t *testing.T) {
	q := startHTTP3(t, Config{}, "a.test")
	begun, release := make(chan struct{}), make(chan struct{})
	q.publish(nil, "a.test", func(w http.ResponseWriter, r *http.Request) {
		close(begun)
		<-release
		io.WriteString(w, strings.Repeat("whole ", 10_000))
	})
	got := make(chan answer, 1)
	go func() { got <- send(t, q.client3(t), "GET", "https://a.test/", nil) }()
	idle := q.dialQUIC(t, &tls.Config{ServerName: "a.test"})
	<-begun
	ended := make(chan error, 1)
	go func() { ended <- q.Shutdown(t.Context()) }()
	<-idle.Context().Done() // closed, although its client does not
	select {
	case err := <-ended:
		t.Errorf("Shutdown returned while a request was under way: %v", err)
	default:
	}
	close(release)
	if a := <-got; a.status != 200 || len(a.body) != 60_000 {
		t.Errorf("%d, %d octets", a.status, len(a.body))
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// An edge that follows one that was killed ends the connections of its clients at once.
func TestHTTP3_ResetsConnectionsOfAKilledEdge(t *testing.T) {
	t.Setenv("QUIC_GO_DISABLE_RECEIVE_BUFFER_WARNING", "true")
	cfg := Config{QUICResetKey: &[32]byte{1, 2, 3}}
	first := startTLS(t, cfg, "a.test")
	first.publish(nil, "a.test", says("hi").ServeHTTP)
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- first.ServeQUIC(socket) }()
	q := &quick{first, socket.LocalAddr().String()}
	conn := q.dialQUIC(t, &tls.Config{ServerName: "a.test"})
	// Until its handshake is confirmed, a client repeats handshake packets only, which are not answered
	// with a reset (RFC 9002, section 6.2.1). HANDSHAKE_DONE comes before the server's control stream.
	control, err := conn.AcceptUniStream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := control.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	socket.Close() // no packet leaves any more, as after a kill
	<-served

	second := startTLS(t, cfg, "a.test")
	if socket, err = net.ListenPacket("udp", q.udp); err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	go func() { served <- second.ServeQUIC(socket) }()
	stream, err := conn.OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Write(make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	<-conn.Context().Done()
	var reset *quic.StatelessResetError
	if err := context.Cause(conn.Context()); !errors.As(err, &reset) {
		t.Errorf("the client's connection ends with %v", err)
	}
	if err := second.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// Requests on open connections see every new table, and none is lost.
func TestHTTP3_PublishUnderLoadLosesNothing(t *testing.T) {
	q := startHTTP3(t, Config{}, "a.test")
	live := newVersion(t, "v0")
	q.Publish(NewTable(map[string]*Site{"a.test": live.Site}))
	stop := make(chan struct{})
	var asked atomic.Int64
	var load sync.WaitGroup
	for range 3 {
		c := q.client3(t)
		load.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				path := []string{"/version.txt", "/function"}[i%2]
				if got := send(t, c, "GET", "https://a.test"+path, nil); got.status != 200 || got.body != got.header.Get("X-Anchor-Deployment") {
					t.Errorf("%s: %d %q from %s", path, got.status, got.body, got.header.Get("X-Anchor-Deployment"))
					return
				}
				asked.Add(1)
			}
		})
	}
	for n := 1; n <= 50 || asked.Load() < 100 && !t.Failed(); n++ {
		next := newVersion(t, fmt.Sprintf("v%d", n))
		q.Publish(NewTable(map[string]*Site{"a.test": next.Site}))
		if err := live.drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		if late := live.late.Load(); late > 0 {
			t.Errorf("%d requests reached a version after its drain", late)
		}
		live = next
	}
	close(stop)
	load.Wait()
}
