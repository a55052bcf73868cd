package edge

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// message sends octets to the plain port and returns the first answer.
func (s *secured) message(t *testing.T, secure bool, octets string) (*http.Response, string) {
	t.Helper()
	c, err := s.open(secure)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, octets)
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatalf("%.200q: %v", octets, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%.200q: %v", octets, err)
	}
	return res, string(body)
}

// Every answer has a Date (RFC 9110, section 6.6.1) and a request id, including those that net/http
// sends by itself.
func TestRefusal_IsPage(t *testing.T) {
	s := startTLS(t, Config{}, "a.test")
	s.publish(nil, "a.test", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "app") })
	for octets, status := range map[string]int{
		"GET /% HTTP/1.1\r\nHost: a.test\r\n\r\n":                400,
		"GET /%E0%A4%A HTTP/1.1\r\nHost: a.test\r\n\r\n":         400,
		"GET /products/%FF HTTP/1.1\r\nHost: a.test\r\n\r\n":     400,
		"GET /%C3 HTTP/1.1\r\nHost: a.test\r\n\r\n":              400,
		"GET /a%2F%E0%A4/b HTTP/1.1\r\nHost: a.test\r\n\r\n":     400,
		"GET /%ED%A0%80 HTTP/1.1\r\nHost: a.test\r\n\r\n":        400, // a surrogate (RFC 3629, section 3)
		"GET /a#b HTTP/1.1\r\nHost: a.test\r\n\r\n":              400,
		"GET /a?q=1#b HTTP/1.1\r\nHost: a.test\r\n\r\n":          400,
		"GET /caf\xc3\xa9 HTTP/1.1\r\nHost: a.test\r\n\r\n":      400,
		"GET /?q=\xe9 HTTP/1.1\r\nHost: a.test\r\n\r\n":          400,
		"GET /a b HTTP/1.1\r\nHost: a.test\r\n\r\n":              400,
		"GET / HTTP/1.1\r\n\r\n":                                 400,
		"GET / HTTP/1.1\r\nHost: a.test\r\nHost: b.test\r\n\r\n": 400,
		"GET / HTTP/1.1\r\nHost: a test\r\n\r\n":                 400,
		"GET / HTTP/1.1\r\nHost: a.test\r\nNo field\r\n\r\n":     400,
		"GET / HTTP/1.1\r\nHost: a.test\r\nB@d: x\r\n\r\n":       400,
		"GET / HTTP/1.1\r\nHost: a.test\r\nX: a\x00b\r\n\r\n":    400,
		"NONSENSE\r\n\r\n":                                                                     400,
		"GET / HTTP/4.0\r\nHost: a.test\r\n\r\n":                                               505,
		"GET / HTTP/1.1\r\nHost: a.test\r\nExpect: wonders\r\n\r\n":                            417,
		"GET / HTTP/1.1\r\nHost: a.test\r\nX: " + strings.Repeat("x", 60<<10) + "\r\n\r\n":     431,
		"GET /" + strings.Repeat("x", 9000) + " HTTP/1.1\r\nHost: a.test\r\n\r\n":              414,
		"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n": 501,
		"GET ftp://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n":                                   400,
		"GET http://u:p@a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n":                              400,
	} {
		for _, secure := range []bool{false, true} {
			res, body := s.message(t, secure, octets)
			if res.StatusCode != status || res.Header.Get("X-Request-Id") == "" || !strings.Contains(body, "<title>") {
				t.Errorf("%.80q, TLS %v: %d %v %.80q", octets, secure, res.StatusCode, res.Header, body)
			}
			if _, err := http.ParseTime(res.Header.Get("Date")); err != nil {
				t.Errorf("%.80q, TLS %v: Date: %v", octets, secure, err)
			}
			if wants := res.Header.Get("Content-Length"); wants == "" || res.Header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%.80q, TLS %v: %v", octets, secure, res.Header)
			}
		}
	}
	plain, body := s.plainToTLS(t)
	if plain.StatusCode != 400 || plain.Header.Get("Date") == "" || !strings.Contains(body, "https://") {
		t.Errorf("HTTP to the TLS port: %d %v %q", plain.StatusCode, plain.Header, body)
	}
}

func (s *secured) plainToTLS(t *testing.T) (*http.Response, string) {
	t.Helper()
	swapped := &secured{Edge: s.Edge, plain: s.tls}
	return swapped.message(t, false, "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
}

// Only net/http's own answers are replaced: a function's answer is never mistaken for one.
func TestRefusal_AppBodiesStay(t *testing.T) {
	const looks = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n400 Bad Request"
	body := looks + strings.Repeat("x", 64<<10)
	s := startTLS(t, Config{}, "a.test")
	s.publish(nil, "a.test", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "image/png")
		http.NewResponseController(w).Flush()
		io.WriteString(w, body)
		http.NewResponseController(w).Flush()
	})
	for _, secure := range []bool{false, true} {
		if res, got := s.message(t, secure, strings.Repeat("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n", 2)); res.StatusCode != 200 || got != body {
			t.Errorf("TLS %v: %d, %d octets of %d", secure, res.StatusCode, len(got), len(body))
		}
	}
}

// RFC 9112, section 2.2.
func TestFraming_SkipsEmptyLines(t *testing.T) {
	s := startTLS(t, Config{}, "a.test")
	s.publish(nil, "a.test", says("hi").ServeHTTP)
	for _, lines := range []string{"\r\n", "\r\n\r\n", "\n"} {
		for _, secure := range []bool{false, true} {
			if res, body := s.message(t, secure, lines+"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"); res.StatusCode != 200 || body != "hi" {
				t.Errorf("%q, TLS %v: %d %q", lines, secure, res.StatusCode, body)
			}
		}
	}
	got, err := s.send(false, "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
	if n := len(finalStatus.FindAllString(got, -1)); err != nil || n != 2 || strings.Contains(got, " 400 ") {
		t.Errorf("between two requests: %v, %q", err, got)
	}
}

func TestEdge_OptionsOfServer(t *testing.T) {
	s := startTLS(t, Config{}, "a.test")
	s.publish(nil, "a.test", func(http.ResponseWriter, *http.Request) { t.Error("the function was asked") })
	if res, _ := s.message(t, false, "OPTIONS * HTTP/1.1\r\nHost: a.test\r\n\r\n"); res.StatusCode != 200 || res.Header.Get("Content-Length") != "0" {
		t.Errorf("%d %v", res.StatusCode, res.Header)
	}
}

// projects returns an edge with two projects, whose certificate has all names.
func projects(t *testing.T) *secured {
	s := startTLS(t, Config{}, "a.test", "www.a.test", "old.a.test", "preview.a.test", "b.test")
	a, b := &Site{Project: "a", Default: says("a")}, &Site{Project: "b", Default: says("b")}
	s.Publish(NewTable(map[string]*Site{
		"a.test": a, "www.a.test": a, "preview.a.test": {Project: "a", Default: says("preview")}, "b.test": b,
	}).With(map[string]Policy{"old.a.test": {RedirectTo: "a.test"}}))
	return s
}

// A request is answered on the connection that was made for its host (RFC 9110, section 7.4; RFC
// 9113, section 9.1.1).
func TestEdge_MisdirectedRequests(t *testing.T) {
	s := projects(t)
	for _, c := range []struct {
		sni, host string
		status    int
	}{
		{"a.test", "a.test", 200},
		{"a.test", "A.TEST.:443", 200},
		{"a.test", "www.a.test", 200},
		{"a.test", "preview.a.test", 200},
		{"old.a.test", "a.test", 200},
		{"a.test", "old.a.test", 308},
		{"a.test", "b.test", 421},
		{"b.test", "a.test", 421},
		{"b.test", "old.a.test", 421},
		{"a.test", "nobody.test", 421},
	} {
		for _, protocol := range []string{"http/1.1", "h2"} {
			client := s.client(t, protocol == "h2")
			client.Transport.(*http.Transport).TLSClientConfig.ServerName = c.sni
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+c.sni+"/", nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Host = c.host
			res, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.StatusCode != c.status {
				t.Errorf("%s: %s on a connection to %s gets %d, want %d", protocol, c.host, c.sni, res.StatusCode, c.status)
			}
		}
	}
	for target, want := range map[string][2]int{ // plain, TLS
		"http://a.test/":  {200, 421},
		"https://a.test/": {421, 200},
		"HTTPS://a.test/": {421, 200},
		"https://b.test/": {421, 421},
		"http://b.test/":  {200, 421},
	} {
		for i, secure := range []bool{false, true} {
			if res, _ := s.message(t, secure, "GET "+target+" HTTP/1.1\r\nHost: a.test\r\n\r\n"); res.StatusCode != want[i] {
				t.Errorf("GET %s, TLS %v: %d, want %d", target, secure, res.StatusCode, want[i])
			}
		}
	}
}

// A session of one name is not resumed under another (RFC 6066, section 3; RFC 8446, section
// 4.6.1).
func TestTLS_SessionsAreOfOneName(t *testing.T) {
	s := projects(t)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		sessions := tls.NewLRUClientSessionCache(1)
		dial := func(name string) bool {
			c, err := tls.Dial("tcp", s.tls, &tls.Config{
				RootCAs: s.roots, ServerName: name, MaxVersion: version, NextProtos: []string{"http/1.1"},
				ClientSessionCache: oneSession{sessions},
			})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			io.WriteString(c, "GET / HTTP/1.1\r\nHost: "+name+"\r\nConnection: close\r\n\r\n")
			if got, _ := io.ReadAll(c); !bytes.HasPrefix(got, []byte("HTTP/1.1 200")) {
				t.Errorf("%s: %.80q", name, got)
			}
			return c.ConnectionState().DidResume
		}
		for i, c := range []struct {
			name    string
			resumed bool
		}{{"a.test", false}, {"a.test", true}, {"b.test", false}, {"b.test", true}, {"www.a.test", false}} {
			if got := dial(c.name); got != c.resumed {
				t.Errorf("%s, handshake %d with %s: resumed %v, want %v", tls.VersionName(version), i+1, c.name, got, c.resumed)
			}
		}
	}
}

// oneSession offers its session to every server.
type oneSession struct{ tls.ClientSessionCache }

func (o oneSession) Get(string) (*tls.ClientSessionState, bool) {
	return o.ClientSessionCache.Get("any")
}
func (o oneSession) Put(_ string, s *tls.ClientSessionState) { o.ClientSessionCache.Put("any", s) }

// A type that the function does not state is not guessed: a browser would execute what looks like
// HTML.
func TestHeaders_TypesAreNotGuessed(t *testing.T) {
	s := startTLS(t, Config{}, "a.test")
	s.publish(nil, "a.test", func(w http.ResponseWriter, r *http.Request) {
		if status := r.URL.Query().Get("status"); status == "404" {
			w.WriteHeader(http.StatusNotFound)
		}
		io.WriteString(w, "<!doctype html><script>alert(1)</script>")
	})
	for _, http2 := range []bool{false, true} {
		for _, target := range []string{"/", "/?status=404"} {
			if res, _ := fetch(t, s.client(t, http2), "https://a.test"+target); res.Header["Content-Type"] != nil {
				t.Errorf("%s, HTTP/2 %v: %q", target, http2, res.Header["Content-Type"])
			}
		}
	}
}

// Statuses without a body (RFC 9110, sections 15.3.5, 15.3.6, 15.4.5): the function's body is not
// sent and does not break the connection.
func TestEdge_StatusesWithoutBody(t *testing.T) {
	for _, status := range []int{204, 205, 304} {
		for _, header := range []http.Header{{}, {"Content-Length": {"4"}}, {"Content-Type": {"text/html"}}} {
			s := startTLS(t, Config{}, "a.test")
			failed := make(chan error, 8)
			s.publish(nil, "a.test", func(w http.ResponseWriter, r *http.Request) {
				for field, values := range header {
					w.Header()[field] = slices.Clone(values)
				}
				w.WriteHeader(status)
				_, err := io.WriteString(w, "body")
				failed <- err
				_, err = io.Copy(w, strings.NewReader("more"))
				failed <- err
			})
			got, err := s.send(false, "POST / HTTP/1.1\r\nHost: a.test\r\nAccept-Encoding: br\r\nContent-Length: 0\r\n\r\nPOST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			if n := len(finalStatus.FindAllString(got, -1)); err != nil || n != 2 || strings.Contains(got, "body") || strings.Contains(got, "more") {
				t.Errorf("%d with %v: %v, %q", status, header, err, got)
			}
			if status == 205 && strings.Count(got, "\r\nContent-Length: 0\r\n") != 2 {
				t.Errorf("205: %q", got)
			}
			for _, http2 := range []bool{false, true} {
				if res, body := fetch(t, s.client(t, http2), "https://a.test/"); res.StatusCode != status || body != "" {
					t.Errorf("HTTP/2 %v: %d %q", http2, res.StatusCode, body)
				}
			}
			for range cap(failed) {
				if err := <-failed; err != nil {
					t.Errorf("%d: the function got the error %v", status, err)
				}
			}
		}
	}
}

// A client that has ended its side still reads. It sees its request broken off, never an invented
// status.
func TestEdge_NoStatusForDepartedClient(t *testing.T) {
	s := startTLS(t, Config{}, "a.test")
	s.Publish(NewTable(map[string]*Site{"a.test": {
		Default: says("hi"), Middleware: waitsForTheEnd{}, MiddlewareRoutes: []string{"*"},
	}}))
	for _, secure := range []bool{false, true} {
		c, err := s.open(secure)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
		c.(interface{ CloseWrite() error }).CloseWrite()
		c.SetReadDeadline(time.Now().Add(time.Minute))
		if got, err := io.ReadAll(c); err != nil || len(got) != 0 {
			t.Errorf("TLS %v: %q, %v", secure, got, err)
		}
		c.Close()
	}
}

// waitsForTheEnd is a middleware that the client does not wait for.
type waitsForTheEnd struct{}

func (waitsForTheEnd) Run(ctx context.Context, _ *http.Request) (Decision, error) {
	<-ctx.Done()
	return Decision{}, ctx.Err()
}

// Without a Content-Length an answer to HTTP/1.0 ends where the connection does (RFC 9112, section
// 8). So a connection whose answer is broken off must not end like that of a whole one. Proxies
// that use HTTP/1.0 would store the part.
func TestEdge_BrokenAnswerOverHTTP10(t *testing.T) {
	s := startTLS(t, Config{}, "a.test")
	s.Publish(NewTable(map[string]*Site{"a.test": {
		Default: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "part")
			http.NewResponseController(w).Flush()
			if r.URL.Path == "/broken" {
				panic(http.ErrAbortHandler)
			}
		}),
	}}))
	for _, secure := range []bool{false, true} {
		for path, whole := range map[string]bool{"/whole": true, "/broken": false} {
			c, err := s.open(secure)
			if err != nil {
				t.Fatal(err)
			}
			io.WriteString(c, "GET "+path+" HTTP/1.0\r\nHost: a.test\r\n\r\n")
			got, err := io.ReadAll(c)
			if errors.Is(err, os.ErrDeadlineExceeded) || (err == nil) != whole {
				t.Errorf("TLS %v, %s: the client read %q and then %v", secure, path, got, err)
			}
			c.Close()
		}
	}
}
