package edge

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"golang.org/x/sync/errgroup"
)

const smuggled = "GET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n"

// leftovers are bodies, from the field that frames them on, that end before or after the end that
// their frame states. Each except those in followed has to be the last of its connection.
var leftovers = map[string]string{
	"no chunk size":             "Transfer-Encoding: chunked\r\n\r\nZZ\r\n" + smuggled,
	"chunk size with a sign":    "Transfer-Encoding: chunked\r\n\r\n+5\r\nhello\r\n0\r\n\r\n" + smuggled,
	"chunk size too large":      "Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n" + smuggled,
	"chunk line ends in LF":     "Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n" + smuggled,
	"LF in a chunk extension":   "Transfer-Encoding: chunked\r\n\r\n5;a\nb\r\nhello\r\n0\r\n\r\n" + smuggled,
	"CR in a chunk extension":   "Transfer-Encoding: chunked\r\n\r\n5;a\rb\r\nhello\r\n0\r\n\r\n" + smuggled,
	"endless chunk extension":   "Transfer-Encoding: chunked\r\n\r\n5;" + strings.Repeat("a", 5000) + "\r\nhello\r\n0\r\n\r\n" + smuggled,
	"no CRLF after a chunk":     "Transfer-Encoding: chunked\r\n\r\n5\r\nhelloXX" + smuggled,
	"a good chunk, then a bad":  "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nZZ\r\n" + smuggled,
	"a chunk that does not end": "Transfer-Encoding: chunked\r\n\r\nfff\r\n" + smuggled,
	"no last chunk":             "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
	"no field in the trailer":   "Transfer-Encoding: chunked\r\n\r\n0\r\nno field\r\n\r\n" + smuggled,
	"trailer ends in LF":        "Transfer-Encoding: chunked\r\n\r\n0\r\nA: b\n\r\n\r\n" + smuggled,
	"endless trailer":           "Transfer-Encoding: chunked\r\n\r\n0\r\n" + strings.Repeat("A: b\r\n", 2000) + "\r\n" + smuggled,
	"length not reached":        "Content-Length: 5000\r\n\r\n" + smuggled,
	"length never reached":      "Content-Length: 5000000000\r\n\r\n" + strings.Repeat(smuggled, 20),
	"length and chunks":         "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled,
	"chunks and length":         "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + smuggled,
	"length 0 and chunks":       "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled,
	"two lengths":               "Content-Length: 5\r\nContent-Length: 0\r\n\r\n" + smuggled,
	"one length twice":          "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello" + smuggled,
	"a list of lengths":         "Content-Length: 5, 5\r\n\r\nhello" + smuggled,
	"a signed length":           "Content-Length: +5\r\n\r\nhello" + smuggled,
	"a length in hexadecimal":   "Content-Length: 0x5\r\n\r\nhello" + smuggled,
	"space before the colon":    "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + smuggled,
	"folded coding":             "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" + smuggled,
	"folded length":             "X: y\r\n Content-Length: 5\r\n\r\nhello" + smuggled,
	"coding twice":              "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n" + smuggled,
	"coding in two lines":       "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled,
	"another coding":            "Transfer-Encoding: gzip\r\n\r\n" + smuggled,
	"identity":                  "Transfer-Encoding: identity\r\n\r\n" + smuggled,
	"identity and chunks":       "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled,
	"almost a coding":           "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + smuggled,
	"a coding after chunked":    "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n" + smuggled,
}

// followed are whole bodies. The request behind each is a real one, unless the connection closes
// first.
var followed = map[string]string{
	"chunks":              "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n" + smuggled,
	"chunks and trailers": "Transfer-Encoding: chunked\r\n\r\n5;a=\"b\"\r\nhello\r\n0\r\nA: b\r\n\r\n" + smuggled,
	"a coding shouted":    "TRANSFER-ENCODING:\tChunked \r\n\r\n0\r\n\r\n" + smuggled,
	"a length":            "Content-Length: 5\r\n\r\nhello" + smuggled,
	"empty lines behind":  "Content-Length: 5\r\n\r\nhello\r\n\r\n" + smuggled,
}

// answerers are requests without their framing, one for each way in which a request can be
// answered.
var answerers = map[string]string{
	"unknown host":        "POST / HTTP/1.1\r\nHost: nobody.test\r\n",
	"site overloaded":     "POST / HTTP/1.1\r\nHost: busy.test\r\n",
	"host without port":   "POST / HTTP/1.1\r\nHost: a.test:x\r\n",
	"two hosts":           "POST / HTTP/1.1\r\nHost: a.test\r\nHost: a.test\r\n",
	"no host":             "POST / HTTP/1.1\r\n",
	"asterisk":            "POST * HTTP/1.1\r\nHost: a.test\r\n",
	"OPTIONS of all":      "OPTIONS * HTTP/1.1\r\nHost: a.test\r\n",
	"NUL in the path":     "POST /%00 HTTP/1.1\r\nHost: a.test\r\n",
	"broken path":         "POST /% HTTP/1.1\r\nHost: a.test\r\n",
	"fragment":            "POST /a#b HTTP/1.1\r\nHost: a.test\r\n",
	"long address":        "POST /" + strings.Repeat("x", 300) + " HTTP/1.1\r\nHost: a.test\r\n",
	"long headers":        "POST / HTTP/1.1\r\nHost: a.test\r\nX: " + strings.Repeat("x", 80<<10) + "\r\n",
	"expectation":         "POST / HTTP/1.1\r\nHost: a.test\r\nExpect: wonders\r\n",
	"100-continue":        "POST /early HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\n",
	"another scheme":      "POST ftp://a.test/ HTTP/1.1\r\nHost: a.test\r\n",
	"TRACE":               "TRACE / HTTP/1.1\r\nHost: a.test\r\n",
	"CONNECT":             "CONNECT a.test:80 HTTP/1.1\r\nHost: a.test\r\n",
	"another version":     "POST / HTTP/3.0\r\nHost: a.test\r\n",
	"an unknown method":   "BREW / HTTP/1.1\r\nHost: a.test\r\n",
	"WebSocket":           "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n",
	"h2c":                 "GET /early HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n",
	"redirect to HTTPS":   "POST / HTTP/1.1\r\nHost: only.test\r\n",
	"redirect":            "POST / HTTP/1.1\r\nHost: old.test\r\n",
	"file":                "GET /a.txt HTTP/1.1\r\nHost: a.test\r\n",
	"file, HEAD":          "HEAD /a.txt HTTP/1.1\r\nHost: a.test\r\n",
	"file, POST":          "POST /a.txt HTTP/1.1\r\nHost: a.test\r\n",
	"large file":          "GET /large.bin HTTP/1.1\r\nHost: a.test\r\n",
	"part of a file":      "GET /a.txt HTTP/1.1\r\nHost: a.test\r\nRange: bytes=1-2\r\n",
	"no such part":        "GET /a.txt HTTP/1.1\r\nHost: a.test\r\nRange: bytes=90-\r\n",
	"file not modified":   "GET /a.txt HTTP/1.1\r\nHost: a.test\r\nIf-None-Match: *\r\n",
	"precondition":        "GET /a.txt HTTP/1.1\r\nHost: a.test\r\nIf-Match: \"x\"\r\n",
	"missing file":        "GET /_next/static/none.js HTTP/1.1\r\nHost: a.test\r\n",
	"middleware":          "POST /middleware/answer HTTP/1.1\r\nHost: a.test\r\n",
	"middleware fails":    "POST /middleware/fail HTTP/1.1\r\nHost: a.test\r\n",
	"middleware passes":   "POST /middleware/pass HTTP/1.1\r\nHost: a.test\r\n",
	"function":            "POST /read HTTP/1.1\r\nHost: a.test\r\n",
	"early answer":        "POST /early HTTP/1.1\r\nHost: a.test\r\n",
	"early stream":        "POST /stream HTTP/1.1\r\nHost: a.test\r\n",
	"answer halfway":      "POST /half HTTP/1.1\r\nHost: a.test\r\n",
	"ignored failure":     "POST /ignore HTTP/1.1\r\nHost: a.test\r\n",
	"closed body":         "POST /close HTTP/1.1\r\nHost: a.test\r\n",
	"no content":          "DELETE /nothing HTTP/1.1\r\nHost: a.test\r\n",
	"function overloaded": "POST /busy HTTP/1.1\r\nHost: a.test\r\n",
	"function broken":     "POST /panic HTTP/1.1\r\nHost: a.test\r\n",
	"challenge":           "POST /.well-known/acme-challenge/x HTTP/1.1\r\nHost: a.test\r\n",
	"old version":         "POST /early HTTP/1.0\r\nHost: a.test\r\n",
	"old, kept alive":     "POST /early HTTP/1.0\r\nHost: a.test\r\nConnection: keep-alive\r\n",
	"to be closed":        "POST /early HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n",
}

// answering returns a function with a path for each way of treating the body.
func answering(seen *atomic.Int64) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/smuggled":
			seen.Add(1)
		case "/stream":
			io.WriteString(w, "early")
			http.NewResponseController(w).Flush()
			io.Copy(io.Discard, r.Body)
		case "/half":
			io.CopyN(io.Discard, r.Body, 2)
			io.WriteString(w, strings.Repeat("half", 2000))
		case "/read":
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				w.WriteHeader(http.StatusBadRequest)
			}
		case "/ignore":
			io.Copy(io.Discard, r.Body)
		case "/close":
			r.Body.Close()
		case "/nothing":
			w.WriteHeader(http.StatusNoContent)
		case "/busy":
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusServiceUnavailable)
		case "/panic":
			panic(http.ErrAbortHandler)
		default:
			io.WriteString(w, "early")
		}
	}
}

type answersItself struct{}

func (answersItself) Run(_ context.Context, r *http.Request) (Decision, error) {
	switch r.URL.Path {
	case "/middleware/answer":
		return Decision{Response: &http.Response{StatusCode: http.StatusForbidden, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("no"))}}, nil
	case "/middleware/fail":
		return Decision{}, errors.New("broken")
	}
	return Decision{}, nil
}

// answersAll returns an edge that has every way of answering.
func answersAll(t *testing.T, seen *atomic.Int64) *secured {
	challenge := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/.well-known/acme-challenge/") {
				io.WriteString(w, "token")
				return
			}
			next.ServeHTTP(w, r)
		})
	}
	s := startTLS(t, Config{MaxURLBytes: 200, MaxBodyBytes: 1 << 20, Upload: fast, Wrap: challenge, MaxConnections: 4000, MaxConnectionsPerClient: 4000}, "a.test")
	busy := &Site{Default: answering(seen)}
	busy.inFlight.Add(s.cfg.MaxPerSite)
	s.Publish(NewTable(map[string]*Site{
		"busy.test": busy,
		"a.test": {
			Assets:     assets(t, "", map[string]string{"a.txt": "file", "large.bin": strings.Repeat("x", 200<<10)}),
			Routes:     []Route{{Pattern: "/middleware/*", Target: answering(seen)}},
			Middleware: answersItself{}, MiddlewareRoutes: []string{"/middleware/*"},
			Default: answering(seen),
		},
	}).With(map[string]Policy{"only.test": {HTTPSOnly: true}, "old.test": {RedirectTo: "a.test"}}))
	return s
}

// open opens a bare connection to the plain port or, over TLS, to the other one. It opens no second
// connection: net/http's Shutdown waits five seconds for one without a request.
func (s *secured) open(secure bool) (net.Conn, error) {
	var c net.Conn
	var err error
	if secure {
		c, err = tls.Dial("tcp", s.tls, &tls.Config{RootCAs: s.roots, ServerName: "a.test", NextProtos: []string{"http/1.1"}})
	} else {
		c, err = net.Dial("tcp", s.plain)
	}
	if err != nil {
		return nil, err
	}
	return c, c.SetDeadline(time.Now().Add(time.Minute)) // ends a test that would hang
}

var finalStatus = regexp.MustCompile(`HTTP/1\.[01] [2-5]\d\d `)

// Octets behind a body that is broken or was not read are never taken for a request, however the
// request was answered (RFC 9112, sections 9.3 and 11.2).
func TestLeftover_IsNeverRequest(t *testing.T) {
	var seen atomic.Int64
	s := answersAll(t, &seen)
	var group errgroup.Group
	group.SetLimit(128)
	for answerer, start := range answerers {
		for leftover, body := range leftovers {
			for _, secure := range []bool{false, true} {
				group.Go(func() error {
					got, err := s.send(secure, start+body)
					if n := len(finalStatus.FindAllString(got, -1)); err != nil || n > 1 {
						t.Errorf("%s, %s, TLS %v: %d answers, %v: %.400q", answerer, leftover, secure, n, err, got)
					}
					return nil
				})
			}
		}
	}
	group.Wait()
	if n := seen.Load(); n != 0 {
		t.Errorf("%d leftovers were taken for requests", n)
	}
}

// send writes octets and returns everything the server sends until it closes the connection.
func (s *secured) send(secure bool, octets string) (string, error) {
	c, err := s.open(secure)
	if err != nil {
		return "", err
	}
	defer c.Close()
	io.WriteString(c, octets) // an error here means that the server has closed, which its answer shows
	got, err := io.ReadAll(c)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return string(got), fmt.Errorf("the connection stays open: %w", err)
	}
	return string(got), nil
}

func TestLeftover_WholeBodiesKeepConnection(t *testing.T) {
	var seen atomic.Int64
	s := answersAll(t, &seen)
	for _, answerer := range []string{"early answer", "function", "early stream", "answer halfway", "file", "missing file", "unknown host", "middleware", "middleware passes"} {
		for name, body := range followed {
			for _, secure := range []bool{false, true} {
				seen.Store(0)
				last := strings.Replace(body, "Host: a.test\r\n\r\n", "Host: a.test\r\nConnection: close\r\n\r\n", 1)
				got, err := s.send(secure, answerers[answerer]+last)
				if n := len(finalStatus.FindAllString(got, -1)); err != nil || n != 2 || seen.Load() != 1 {
					t.Errorf("%s, %s, TLS %v: %d answers, %v: %.400q", answerer, name, secure, n, err, got)
				}
			}
		}
	}
}

// A request whose length is ambiguous is refused with 400 (RFC 9112, sections 6.1 and 6.3).
func TestFraming_RefusesAmbiguousLengths(t *testing.T) {
	var seen atomic.Int64
	s := answersAll(t, &seen)
	cases := maps.Clone(leftovers)
	for name := range cases {
		if strings.HasPrefix(cases[name], "Transfer-Encoding: chunked\r\n\r\n") || strings.HasPrefix(name, "length n") || name == "identity and chunks" {
			delete(cases, name)
		}
	}
	for name, body := range cases {
		for _, secure := range []bool{false, true} {
			got, err := s.send(secure, answerers["early answer"]+body)
			if err != nil || !strings.HasPrefix(got, "HTTP/1.1 400 ") || !strings.Contains(got, "\r\nConnection: close\r\n") {
				t.Errorf("%s, TLS %v: %v, %.300q", name, secure, err, got)
			}
		}
	}
	for old, want := range map[string]string{
		"POST / HTTP/1.0\r\nHost: a.test\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled: "400",
		"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + smuggled:                     "501",
		"POST / HTTP/1.1\r\nHost: a.test\r\n" + leftovers["identity and chunks"]:                                              "501",
	} {
		if got, err := s.send(false, old); err != nil || !strings.HasPrefix(got, "HTTP/1.1 "+want+" ") && !strings.HasPrefix(got, "HTTP/1.0 "+want+" ") {
			t.Errorf("%q: %v, %.300q", old, err, got)
		}
	}
}

// readDeadline records the read deadline of a request.
type readDeadline struct {
	http.ResponseWriter
	at time.Time
}

func (d *readDeadline) SetReadDeadline(t time.Time) error {
	d.at = t
	return nil
}

// The time limit for the rest of a body starts once. After it, the connection is read only so that
// the client sees its answer.
func TestLeftover_DrainIsBounded(t *testing.T) {
	w := &readDeadline{ResponseWriter: httptest.NewRecorder()}
	r := httptest.NewRequest(http.MethodPost, "/", iotest.ErrReader(os.ErrDeadlineExceeded))
	New(Config{}).guardHandler(w, r, func(http.ResponseWriter, *http.Request) {})
	if left := time.Until(w.at); w.at.IsZero() || left > linger {
		t.Errorf("the connection is read for another %s, want at most %s", left, linger)
	}
}
