package edge

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// secured is an Edge with a plain and a TLS port, and a client that connects to it whatever the
// host.
type secured struct {
	*Edge
	plain, tls string
	roots      *x509.CertPool
}

func startTLS(t testing.TB, cfg Config, names ...string) *secured {
	t.Helper()
	cert, roots := testCertificate(t, names...)
	cfg.Log = slog.New(slog.DiscardHandler)
	cfg.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		for _, name := range names {
			if hello.ServerName == name {
				return cert, nil
			}
		}
		return nil, nil
	}
	s := &secured{Edge: New(cfg), roots: roots}
	served := make(chan error, 2)
	for _, to := range []struct {
		addr  *string
		serve func(net.Listener) error
	}{{&s.plain, s.Serve}, {&s.tls, s.ServeTLS}} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		*to.addr = ln.Addr().String()
		go func() { served <- to.serve(ln) }()
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		for range 2 {
			if err := <-served; err != nil {
				t.Errorf("serve: %v", err)
			}
		}
	})
	return s
}

func testCertificate(t testing.TB, names ...string) (*tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: names, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, roots
}

// client returns a client for HTTP/2, or for HTTP/1.1 when http2 is false.
func (s *secured) client(t testing.TB, http2 bool) *http.Client {
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: s.roots}, ForceAttemptHTTP2: http2, DisableCompression: true,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			to := s.tls
			if strings.HasSuffix(addr, ":80") {
				to = s.plain
			}
			return (&net.Dialer{}).DialContext(ctx, network, to)
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func (s *secured) publish(policies map[string]Policy, host string, h http.HandlerFunc) {
	s.Publish(NewTable(map[string]*Site{host: {ID: host, Default: h}}).With(policies))
}

func TestTLS_ForwardedHeaders(t *testing.T) {
	s := startTLS(t, Config{}, "a.test")
	s.publish(nil, "a.test", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Proto, " ", r.Header.Get("X-Forwarded-Proto"), " ", r.Header.Get("X-Forwarded-Port"), " ", r.Header.Get("X-Forwarded-Host"))
	})
	for http2, want := range map[bool]string{true: "HTTP/2.0 https 443 a.test", false: "HTTP/1.1 https 443 a.test"} {
		if _, body := fetch(t, s.client(t, http2), "https://a.test/"); body != want {
			t.Errorf("%q, want %q", body, want)
		}
	}
}

// Beside :authority a request over HTTP/2 may have a Host field, which net/http leaves among the
// headers.
func TestHTTP2_SecondHost(t *testing.T) {
	s := startTLS(t, Config{}, "a.test")
	s.publish(nil, "a.test", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Host, r.Header["Host"]) })
	c, err := tls.Dial("tcp", s.tls, &tls.Config{ServerName: "a.test", RootCAs: s.roots, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, field := range [][2]string{{":method", "GET"}, {":scheme", "https"}, {":path", "/"}, {":authority", "a.test"}, {"host", "evil.test"}} {
		encoder.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]})
	}
	io.WriteString(c, http2.ClientPreface)
	frames := http2.NewFramer(c, c)
	frames.WriteSettings()
	frames.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: true})
	for {
		frame, err := frames.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		if data, ok := frame.(*http2.DataFrame); ok {
			if got := string(data.Data()); got != "a.test[]" {
				t.Errorf("the function sees the hosts %s", got)
			}
			return
		}
	}
}

func fetch(t testing.TB, c *http.Client, url string) (*http.Response, string) {
	t.Helper()
	resp, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func TestTLS_Handshakes(t *testing.T) {
	s := startTLS(t, Config{}, "a.test")
	dial := func(change func(*tls.Config)) (*tls.Conn, error) {
		cfg := &tls.Config{RootCAs: s.roots, ServerName: "a.test"}
		change(cfg)
		return tls.Dial("tcp", s.tls, cfg)
	}
	for what, change := range map[string]func(*tls.Config){
		"unrecognized name": func(c *tls.Config) { c.ServerName = "b.test" },
		"protocol version":  func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 },
		"handshake failure": func(c *tls.Config) {
			c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}
		},
	} {
		if c, err := dial(change); err == nil {
			c.Close()
			t.Errorf("a handshake that should end in %q did not", what)
		} else if !strings.Contains(err.Error(), what) {
			t.Errorf("%v, want %q", err, what)
		}
	}
	sessions := tls.NewLRUClientSessionCache(4)
	for round, resumed := range []bool{false, true} {
		c, err := dial(func(c *tls.Config) { c.ClientSessionCache, c.NextProtos = sessions, []string{"http/1.1"} })
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
		io.Copy(io.Discard, c) // reads the ticket
		if c.ConnectionState().DidResume != resumed {
			t.Errorf("round %d: resumed %v", round, !resumed)
		}
		c.Close()
	}
	c, err := dial(func(c *tls.Config) { c.NextProtos = []string{"acme-tls/1"} })
	if err != nil || c.ConnectionState().NegotiatedProtocol != "acme-tls/1" {
		t.Fatalf("acme-tls/1: %v", err)
	}
	if n, err := c.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("after the acme-tls/1 handshake: %d octets, %v; want the end", n, err)
	}
	c.Close()
}

func TestTLS_Policies(t *testing.T) {
	s := startTLS(t, Config{HTTPSPort: "8443"}, "a.test", "www.a.test")
	s.publish(map[string]Policy{
		"a.test": {HTTPSOnly: true, HSTS: "max-age=31536000"}, "www.a.test": {RedirectTo: "a.test"}, "old.test": {RedirectTo: "plain.test"},
	}, "a.test", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "here") })
	for _, c := range []struct{ url, location string }{
		{"http://a.test/p%2Fq?x=1&y=%20", "https://a.test:8443/p%2Fq?x=1&y=%20"},
		{"http://a.test:80/", "https://a.test:8443/"},
		{"http://www.a.test/p?q", "https://a.test:8443/p?q"},
		{"https://www.a.test/p?q", "https://a.test/p?q"},
		{"http://old.test//evil.test/", "http://plain.test//evil.test/"},
		{"https://a.test/", ""},
	} {
		resp, _ := fetch(t, s.client(t, true), c.url)
		status, hsts := http.StatusPermanentRedirect, ""
		if c.location == "" {
			status, hsts = http.StatusOK, "max-age=31536000"
		}
		if resp.StatusCode != status || resp.Header.Get("Location") != c.location || resp.Header.Get("Strict-Transport-Security") != hsts {
			t.Errorf("%s: %d to %q, HSTS %q; want %d to %q", c.url, resp.StatusCode, resp.Header.Get("Location"),
				resp.Header.Get("Strict-Transport-Security"), status, c.location)
		}
	}
}

// Both directions of one HTTP/2 stream run at the same time.
func TestHTTP2_FullDuplex(t *testing.T) {
	s := startTLS(t, Config{}, "a.test")
	s.publish(nil, "a.test", func(w http.ResponseWriter, r *http.Request) {
		lines := bufio.NewScanner(r.Body)
		for lines.Scan() {
			fmt.Fprintln(w, "echo", lines.Text())
			http.NewResponseController(w).Flush()
		}
	})
	from, to := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://a.test/", from)
	if err != nil {
		t.Fatal(err)
	}
	answered := make(chan *http.Response, 1)
	go func() {
		resp, err := s.client(t, true).Do(req)
		if err != nil {
			t.Error(err)
		}
		answered <- resp
	}()
	var resp *http.Response
	var back *bufio.Reader
	for i := range 5 {
		fmt.Fprintln(to, i)
		if resp == nil {
			if resp = <-answered; resp == nil {
				return
			}
			defer resp.Body.Close()
			back = bufio.NewReader(resp.Body)
		}
		if line, err := back.ReadString('\n'); err != nil || line != fmt.Sprintln("echo", i) {
			t.Fatalf("line %d: %q, %v", i, line, err)
		}
	}
	to.Close()
	if rest, err := io.ReadAll(back); err != nil || len(rest) != 0 {
		t.Errorf("after the end: %q, %v", rest, err)
	}
}

// An event stream that is quiet for longer than a client may take to read is not cut off.
func TestHTTP2_QuietEvents(t *testing.T) {
	atSomeGrace(t, func(grace time.Duration) error {
		s := startTLS(t, Config{Download: Pace{Grace: grace, BytesPerSecond: 1 << 20}}, "a.test")
		next := make(chan struct{})
		defer close(next)
		s.publish(nil, "a.test", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			for range 3 {
				io.WriteString(w, "data: x\n\n")
				http.NewResponseController(w).Flush()
				<-next
			}
		})
		resp, err := s.client(t, true).Get("https://a.test/")
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		events := bufio.NewReader(resp.Body)
		for range 3 {
			if line, err := events.ReadString('\n'); err != nil || line != "data: x\n" {
				return fmt.Errorf("%q, %w", line, err)
			}
			events.ReadString('\n')
			time.Sleep(2 * grace)
			next <- struct{}{}
		}
		if _, err := events.ReadByte(); !errors.Is(err, io.EOF) {
			return fmt.Errorf("the end: %w", err)
		}
		return nil
	})
}

// A client that leaves one stream unread loses that stream; others of its connection continue.
func TestHTTP2_StalledStream(t *testing.T) {
	atSomeGrace(t, func(grace time.Duration) error {
		s := startTLS(t, Config{Download: Pace{Grace: grace, BytesPerSecond: 1 << 30}}, "a.test")
		cut := make(chan error, 1)
		s.publish(nil, "a.test", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/big" {
				io.WriteString(w, "small")
				return
			}
			block := make([]byte, 64<<10)
			for {
				if _, err := w.Write(block); err != nil {
					cut <- err
					return
				}
			}
		})
		client := s.client(t, true)
		stalled, err := client.Get("https://a.test/big")
		if err != nil {
			return err
		}
		defer stalled.Body.Close()
		select {
		case <-cut:
		case <-time.After(30 * time.Second):
			t.Fatal("the writer of the stalled stream still waits")
		}
		beside, err := client.Get("https://a.test/")
		if err != nil {
			return err
		}
		defer beside.Body.Close()
		if body, err := io.ReadAll(beside.Body); err != nil || string(body) != "small" {
			return fmt.Errorf("beside the stalled stream: %q, %w", body, err)
		}
		if _, err := io.Copy(io.Discard, stalled.Body); err == nil {
			t.Error("the stalled stream looks whole")
		}
		return nil
	})
}

// A body that the function left unread ends its stream, not the connection that others use.
func TestHTTP2_UnreadBody(t *testing.T) {
	s := startTLS(t, Config{}, "a.test")
	s.publish(nil, "a.test", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.Header.Get("X-Forwarded-Port")+" "+r.RemoteAddr)
	})
	client := s.client(t, true)
	var peers []string
	for range 3 {
		resp, err := client.Post("https://a.test/", "text/plain", io.MultiReader(bytes.NewReader(make([]byte, 1<<20)))) // of unknown length
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		peers = append(peers, string(body))
	}
	if peers[0] != peers[1] || peers[1] != peers[2] {
		t.Errorf("three connections: %q", peers)
	}
}

// Under TLS, too, the rest of a body is never taken for the next request.
func TestTLS_UnreadBody(t *testing.T) {
	s := startTLS(t, Config{}, "a.test")
	s.publish(nil, "a.test", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.URL.Path) })
	c, err := tls.Dial("tcp", s.tls, &tls.Config{RootCAs: s.roots, ServerName: "a.test", NextProtos: []string{"http/1.1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	smuggled := "GET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n"
	body := strings.Repeat(smuggled, 20_000)
	go fmt.Fprintf(c, "POST /first HTTP/1.1\r\nHost: a.test\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	c.SetReadDeadline(time.Now().Add(20 * time.Second))
	answer, err := io.ReadAll(c)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the connection is kept")
	}
	if !bytes.Contains(answer, []byte("/first")) || bytes.Contains(answer, []byte("smuggled")) {
		t.Errorf("answer %.300q", answer)
	}
}

func TestTLS_WithoutCertificates(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if err := New(Config{}).ServeTLS(ln); !errors.Is(err, errNoTLS) {
		t.Errorf("%v, want %v", err, errNoTLS)
	}
}

// A timer that fired just before the handler returned must not touch the stream afterwards: net/http has
// taken it back, and the panic would end the process.
func TestPace_TimerAfterTheHandler(t *testing.T) {
	late := make(chan *pacedStream, 1)
	e := startTLS(t, Config{}, "a.test")
	handler := func(w http.ResponseWriter, _ *http.Request) {
		late <- measuredOf(w).ResponseWriter.(*pacedStream)
	}
	e.Publish(NewTable(map[string]*Site{"a.test": {Default: http.HandlerFunc(handler)}}))
	res, err := e.client(t, true).Get("https://a.test/")
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, res.Body)
	res.Body.Close()
	(<-late).reset()
}
