package edge

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/anchor-deploy/anchor/internal/local/edge/accesslog"
	"time"
)

const plainHit = "GET /small.txt HTTP/1.1\r\nHost: a.test\r\n\r\n"

// hitRequest returns a plain GET of a file with more fields.
func hitRequest(fields ...string) string {
	return "GET /small.txt HTTP/1.1\r\nHost: a.test\r\n" + strings.Join(append(fields, ""), "\r\n") + "\r\n"
}

func get(path string) string { return "GET " + path + " HTTP/1.1\r\nHost: a.test\r\n\r\n" }

// exchanges are messages of clients, in parts. Each is a request that is a hit, almost one, or
// precedes or follows one.
var exchanges = map[string][]string{
	"one":               {plainHit},
	"pipelined":         {strings.Repeat(plainHit, 9)},
	"around a page":     {plainHit + get("/page") + plainHit},
	"around a miss":     {plainHit + get("/_next/static/none.js") + plainHit},
	"after a body":      {"POST /page HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n\r\nabc" + plainHit},
	"after a late body": {"POST /page HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n\r\n", "abc", plainHit},
	"after chunks":      {"POST /page HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" + plainHit},
	"in a body":         {"POST /page HTTP/1.1\r\nHost: a.test\r\nContent-Length: 41\r\n\r\n" + plainHit + plainHit},
	"after ambiguity":   {"POST /page HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + plainHit},
	"octet by octet":    strings.Split(plainHit+plainHit, ""),
	"cut in a head":     {plainHit[:3], plainHit[3:20], plainHit[20:]},
	"cut before LF":     {plainHit[:len(plainHit)-1], plainHit[len(plainHit)-1:]},
	"cut behind a hit":  {plainHit + plainHit[:10], plainHit[10:]},
	"never ends":        {plainHit + plainHit[:10]},
	"ends at once":      {plainHit + "G"},
	"ends within four":  {plainHit, "GET"},
	"ends after four":   {plainHit + "GET "},
	"ends in a line":    {plainHit + "\r\n\r\nGE"},
	"ends in empties":   {plainHit + "\r\n\r\n\r\n"},
	"ends after a page": {get("/page") + plainHit + "GE"},
	"slow after a hit":  {plainHit, "G", "E", "T", plainHit[3:]},
	"begins with a bit": {"GE"},
	"empty lines":       {"\r\n\r\n" + plainHit + "\r\n" + plainHit},
	"bare LF":           {strings.ReplaceAll(plainHit, "\r\n", "\n")},

	"HEAD": {"HEAD" + plainHit[3:]}, "OPTIONS": {"OPTIONS" + plainHit[3:]}, "DELETE": {"DELETE" + plainHit[3:]},
	"get": {"get" + plainHit[3:]}, "HTTP/1.0": {strings.Replace(plainHit, "1.1", "1.0", 1)}, "HTTP/1.2": {strings.Replace(plainHit, "1.1", "1.2", 1)},
	"HTTP/0.9": {"GET /small.txt\r\n\r\n"}, "HTTP/2": {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
	"two spaces": {get(" /small.txt")}, "tab": {strings.Replace(plainHit, " ", "\t", 1)},

	"query": {get("/small.txt?dpl=1&x=%20")}, "fragment": {get("/small.txt#a")}, "escape": {get("/sm%61ll.txt")},
	"bad escape": {get("/small.txt%zz")}, "dots": {get("/x/../small.txt")}, "two slashes": {get("//small.txt")},
	"backslash": {get(`\small.txt`)}, "semicolon": {get("/small.txt;a")}, "absolute": {get("http://a.test/small.txt")},
	"other absolute": {get("http://b.test/small.txt")}, "star": {get("*")}, "long": {get("/" + strings.Repeat("a", 9000))},
	"octet above 127": {get("/small.txt\xe4")}, "large file": {get("/large.bin")}, "ruled file": {get("/ruled.txt") + get("/ruled.txt")}, "ruled HSTS": {get("/strict.txt")},
	"tag of a ruled file": {strings.Replace(hitRequest(`If-None-Match: "01614af71f87a2c5e1f3084427fd7aeb"`), "/small.txt", "/ruled.txt", 1)},
	"asked file":          {get("/asked.txt")}, "routed file": {get("/routed/file.txt")}, "hashed": {get("/_next/static/a.js")},
	"chunk of a tab": {get("/_next/static/a.js?dpl=old") + get("/_next/static/a.js?dpl=gone") + get("/_next/static/a.js?x&dpl=new")},
	"file of a tab":  {get("/small.txt?dpl=old")}, "fetched file of a tab": {strings.Replace(hitRequest("Sec-Fetch-Dest: empty"), ".txt", ".txt?dpl=old", 1)},
	"field of a tab": {hitRequest("X-Deployment-Id: old")}, "two ids of a tab": {get("/_next/static/a.js?dpl=old&dpl=old")},
	"folder": {get("/_next/static/")}, "root": {get("/")}, "well-known": {get("/.well-known/acme-challenge/x")},

	"two hosts, one empty": {strings.Replace(plainHit, "Host:", "Host:\r\nHost:", 1)},
	"no host":              {"GET /small.txt HTTP/1.1\r\n\r\n"}, "two hosts": {hitRequest("Host: a.test")}, "upper host": {strings.Replace(plainHit, "a.test", "A.test", 1)},
	"root dot": {strings.Replace(plainHit, "a.test", "a.test.", 1)}, "port": {strings.Replace(plainHit, "a.test", "a.test:8080", 1)},
	"bad port": {strings.Replace(plainHit, "a.test", "a.test:99999", 1)}, "no port": {strings.Replace(plainHit, "a.test", "a.test:", 1)},
	"two ports": {strings.Replace(plainHit, "a.test", "a.test:1:2", 1)}, "unknown host": {strings.Replace(plainHit, "a.test", "none.test", 1)},
	"empty host": {strings.Replace(plainHit, "a.test", "", 1)}, "spaces": {strings.Replace(plainHit, "a.test", "  a.test \t", 1)},
	"redirected host": {strings.Replace(plainHit, "a.test", "www.test", 1)}, "secured host": {strings.Replace(plainHit, "a.test", "secure.test", 1)},
	"secured host by a proxy": {strings.Replace(hitRequest("X-Forwarded-Proto: https"), "a.test", "secure.test", 1)},
	"wildcard host":           {strings.Replace(plainHit, "a.test", "x.wild.test", 1)},

	"length 0": {hitRequest("Content-Length: 0")}, "length": {hitRequest("Content-Length: 5") + "hello" + plainHit},
	"coding": {hitRequest("Transfer-Encoding: chunked") + "0\r\n\r\n" + plainHit}, "unknown coding": {hitRequest("Transfer-Encoding: x")},
	"length and coding": {hitRequest("Content-Length: 5", "Transfer-Encoding: chunked") + "0\r\n\r\n" + plainHit},
	"expect":            {hitRequest("Expect: 100-continue")}, "other expectation": {hitRequest("Expect: x")},
	"upgrade": {hitRequest("Connection: upgrade", "Upgrade: websocket")}, "close": {hitRequest("Connection: close") + plainHit},
	"keep-alive": {hitRequest("Connection: keep-alive") + plainHit}, "listed": {hitRequest("Connection: keep-alive, cookie")},

	"CR in a value": {hitRequest("X-A: a\rb")}, "folded": {hitRequest("Accept: a", "  b")}, "space before colon": {hitRequest("Accept : a")},
	"NUL": {hitRequest("User-Agent: a\x00b")}, "control": {hitRequest("User-Agent: a\x01b")}, "DEL": {hitRequest("User-Agent: abcdefgh\x7fb")},
	"obs-text": {hitRequest("User-Agent: \xe4")}, "no name": {hitRequest(": a")}, "no colon": {hitRequest("foo")}, "underscore": {hitRequest("x_y: a")},
	"long name": {hitRequest(strings.Repeat("n", 300) + ": a")}, "long cookie": {hitRequest("Cookie: " + strings.Repeat("a", 5000))},
	"huge cookie": {hitRequest("Cookie: " + strings.Repeat("a", 60000))}, "authorization": {hitRequest("Authorization: Basic eA==")},

	"range": {hitRequest("Range: bytes=0-1")}, "bad range": {hitRequest("Range: bytes=99999-")}, "if-range": {hitRequest(`If-Range: "x"`, "Range: bytes=0-1")},
	"if-none-match": {hitRequest(`If-None-Match: "2cf24dba5fb0a30e26e83b2ac5b9e29e"`) + plainHit}, "any": {hitRequest("If-None-Match: *")},
	"weak tag": {hitRequest(`If-None-Match: W/"2cf24dba5fb0a30e26e83b2ac5b9e29e"`)}, "other tag": {hitRequest(`If-None-Match: "x"`)},
	"list of tags": {hitRequest(`If-None-Match: "x", "2cf24dba5fb0a30e26e83b2ac5b9e29e"`)}, "empty tag": {hitRequest("If-None-Match:")},
	"two tags":                            {hitRequest(`If-None-Match: "x"`, `If-None-Match: "2cf24dba5fb0a30e26e83b2ac5b9e29e"`)},
	"tag of the file for a coded variant": {strings.Replace(hitRequest("Accept-Encoding: br", `If-None-Match: "x-br"`), "/small.txt", "/_next/static/a.js", 1)},
	"tag, date and range":                 {hitRequest(`If-None-Match: "2cf24dba5fb0a30e26e83b2ac5b9e29e"`, "Range: bytes=0-1")},
	"if-match":                            {hitRequest(`If-Match: "x"`)}, "if-modified-since": {hitRequest("If-Modified-Since: " + time.Now().UTC().Format(http.TimeFormat))},
	"if-unmodified-since": {hitRequest("If-Unmodified-Since: Sat, 28 Nov 2020 13:25:08 GMT")},

	"brotli":      {strings.Replace(hitRequest("Accept-Encoding: gzip, deflate, br, zstd"), "/small.txt", "/_next/static/a.js", 1)},
	"gzip":        {strings.Replace(hitRequest("Accept-Encoding: gzip"), "/small.txt", "/_next/static/a.js", 1)},
	"no identity": {hitRequest("Accept-Encoding: identity;q=0")}, "nothing": {hitRequest("Accept-Encoding: *;q=0")},
	"two codings": {hitRequest("Accept-Encoding: br", "Accept-Encoding: gzip")}, "empty codings": {hitRequest("Accept-Encoding:")},
	"browser": {hitRequest("Connection: keep-alive", "sec-ch-ua: \"Chromium\";v=\"130\"", "User-Agent: Mozilla/5.0", "Accept: */*", "Sec-Fetch-Site: same-origin",
		"Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: script", "Referer: http://a.test/", "Accept-Encoding: gzip, deflate, br", "Accept-Language: en", "Cookie: a=b; c=d")},
}

// twins returns two edges with the same table, of which the second passes every request to
// net/http.
func twins(t testing.TB) (hits, plain *secured) {
	hits, plain = startTLS(t, Config{}, "a.test"), startTLS(t, Config{}, "a.test")
	plain.noHits = true
	site := &Site{
		ID: "a", Header: http.Header{"X-Anchor-Deployment": {"d1"}},
		Assets: assets(t, "", map[string]string{
			"small.txt": "hello", "ruled.txt": "ruled", "strict.txt": "strict", "asked.txt": "asked", "routed/file.txt": "file", "large.bin": strings.Repeat("x", 100<<10),
			"_next/static/a.js": strings.Repeat("export const answer = 42;\n", 400),
		}),
		Rules: map[string]*Rule{
			"/ruled.txt": {Header: http.Header{
				"x-rule": {"1", "2"}, "Cache-Control": {"max-age=60"}, "Vary": {"Cookie"}, "Set-Cookie": {"a=b"},
				"X-Anchor-Deployment": {"rule"}, "Content-Length": {"1"}, "Content-Type": {"text/x-rule"},
			}},
			"/_next/static/a.js": {Header: http.Header{"Vary": {"Accept-Encoding", "Origin"}}},
			"/strict.txt":        {Header: http.Header{"strict-transport-security": {"max-age=1"}}},
			"/asked.txt":         {Ask: true, Header: http.Header{"X-Rule": {"1"}}},
		},
		Routes:  []Route{{Pattern: "routed/*", Target: says("routed")}},
		Default: says("page"),
	}
	table := NewTable(map[string]*Site{"a.test": site, "secure.test": site, "*.wild.test": site}).With(map[string]Policy{
		"www.test": {RedirectTo: "a.test"}, "secure.test": {HTTPSOnly: true, HSTS: "max-age=60"}, "a.test": {HSTS: "max-age=31536000"},
	})
	old := &Site{ID: "old", Assets: assets(t, "", map[string]string{"small.txt": "old", "_next/static/a.js": "old"}), Default: says("old")}
	table = table.Pinning(map[string]Pins{"a.test": {"old": {Site: old, Until: time.Now().Add(time.Hour)}, "gone": {Site: old}}})
	hits.Publish(table)
	plain.Publish(table)
	return hits, plain
}

// exchange sends the parts and returns the whole response; whole is false if the end is missing
// because the server closed the connection on unread octets.
func (s *secured) exchange(t testing.TB, parts []string, secure bool) (got []byte, whole bool) {
	t.Helper()
	dial := func() (net.Conn, error) { return net.Dial("tcp", s.plain) }
	if secure {
		dial = func() (net.Conn, error) {
			return tls.Dial("tcp", s.tls, &tls.Config{ServerName: "a.test", RootCAs: s.roots})
		}
	}
	c, err := dial()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(30 * time.Second)) // ends a test that would hang
	var sent sync.WaitGroup
	sent.Go(func() {
		for _, part := range parts {
			if _, err := io.WriteString(c, part); err != nil {
				return
			}
		}
		c.(interface{ CloseWrite() error }).CloseWrite()
	})
	got, err = io.ReadAll(c)
	sent.Wait()
	if err != nil && !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("after %d octets: %v", len(got), err)
	}
	return got, err == nil
}

// readAnswers returns the answers in a stream, each as text without the parts that differ from one
// exchange to the next.
func readAnswers(got []byte) []string {
	var all []string
	from := bufio.NewReader(bytes.NewReader(got))
	for {
		res, err := http.ReadResponse(from, nil)
		if err != nil {
			rest, _ := io.ReadAll(from)
			return append(all, string(rest))
		}
		body, err := io.ReadAll(res.Body)
		h := res.Header
		if date, dateErr := http.ParseTime(h.Get("Date")); dateErr != nil || time.Since(date).Abs() > time.Minute {
			all = append(all, "a wrong Date: "+h.Get("Date"))
		}
		h.Del("Date")
		if id := h.Get("X-Request-Id"); id != "" {
			body = bytes.ReplaceAll(body, []byte(id), []byte("ID"))
			h.Del("X-Request-Id")
		}
		var fields bytes.Buffer
		h.Write(&fields)
		all = append(all, fmt.Sprintf("%s %s\n%s%v %v\n%q %v", res.Proto, res.Status, &fields, res.TransferEncoding, res.Close, body, err))
	}
}

func wantSameAnswers(t testing.TB, hits, plain *secured, parts []string, secure bool) {
	t.Helper()
	ours, whole := hits.exchange(t, parts, secure)
	theirs, theirWhole := plain.exchange(t, parts, secure)
	got, want := readAnswers(ours), readAnswers(theirs)
	if !whole || !theirWhole { // the kernel drops answers when a connection ends with unread octets
		n := max(min(len(got), len(want))-1, 0)
		got, want = got[:n], want[:n]
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q is answered\n%s\n\nnet/http answers\n%s", strings.Join(parts, "|"), strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestHit_EqualsNetHTTP(t *testing.T) {
	hits, plain := twins(t)
	for name, parts := range exchanges {
		for _, secure := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, TLS %v", name, secure), func(t *testing.T) { wantSameAnswers(t, hits, plain, parts, secure) })
		}
	}
}

func FuzzHits(f *testing.F) {
	for _, parts := range exchanges {
		if whole := strings.Join(parts, ""); len(parts) < 10 && len(whole) < 1000 {
			f.Add([]byte(whole), uint16(len(parts[0])))
		}
	}
	hits, plain := twins(f)
	f.Fuzz(func(t *testing.T, octets []byte, cut uint16) {
		at := min(int(cut), len(octets))
		wantSameAnswers(t, hits, plain, []string{string(octets[:at]), string(octets[at:])}, false)
	})
}

// counting returns a Config.Wrap that counts the requests that net/http passes on.
func counting(handled *atomic.Int64) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			handled.Add(1)
			next.ServeHTTP(w, r)
		})
	}
}

// TestHit_BypassesHandler would fail if the other tests of hits compared net/http with itself.
func TestHit_BypassesHandler(t *testing.T) {
	var handled atomic.Int64
	s := startTLS(t, Config{Wrap: counting(&handled)}, "a.test")
	s.Publish(NewTable(map[string]*Site{"a.test": {
		Assets: assets(t, "", map[string]string{"small.txt": "hello"}), Default: says("page"),
		Rules: map[string]*Rule{"/small.txt": {Header: http.Header{"X-Rule": {"1"}}}},
	}}))
	for _, secure := range []bool{false, true} {
		handled.Store(0)
		got, _ := s.exchange(t, []string{plainHit + get("/page") + plainHit + plainHit}, secure)
		if n := bytes.Count(got, []byte(" 200 OK")); n != 4 || handled.Load() > 3 {
			t.Errorf("TLS %v: %d answers, %d by net/http: %q", secure, n, handled.Load(), got)
		}
		handled.Store(0)
		got, _ = s.exchange(t, []string{plainHit, hitRequest(`If-None-Match: "2cf24dba5fb0a30e26e83b2ac5b9e29e"`)}, secure)
		if !bytes.Contains(got, []byte(" 304 Not Modified\r\n")) || handled.Load() != 0 {
			t.Errorf("TLS %v: net/http answered %d hits: %q", secure, handled.Load(), got)
		}
	}
}

// TestHit_AfterAnyRequest: a connection that has carried any other request later answers hits
// without net/http again. The first may reach net/http, which reads ahead by one octet until it has
// seen that its own answer is written.
func TestHit_AfterAnyRequest(t *testing.T) {
	var handled atomic.Int64
	e := start(t, Config{Wrap: counting(&handled)})
	e.publish(map[string]*Site{"a.test": {Assets: assets(t, "", map[string]string{"small.txt": "hello"}), Default: says("page")}})
	c, from := e.dial(t)
	ask := func(request string) (byNetHTTP bool) {
		before := handled.Load()
		io.WriteString(c, request)
		req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(request)))
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(from, req)
		if err != nil {
			t.Fatalf("%q: %v", request, err)
		}
		io.Copy(io.Discard, res.Body)
		return handled.Load() > before
	}
	for _, request := range []string{
		get("/page"), hitRequest("Range: bytes=0-1"), "HEAD" + plainHit[3:], hitRequest("X-Unknown: 1"),
		"POST /page HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n\r\nabc",
		"POST /page HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
	} {
		if !ask(request) {
			t.Errorf("%q was not answered by net/http", request)
		}
		for ask(plainHit) { // the connection's deadline ends this
			time.Sleep(time.Millisecond)
		}
	}
}

// TestHit_SeesSwitch sends requests before and after each switch on one connection.
func TestHit_SeesSwitch(t *testing.T) {
	e := start(t, Config{})
	c, from := e.dial(t)
	for n := range 50 {
		want := fmt.Sprint("v", n)
		e.publish(map[string]*Site{"a.test": {Assets: assets(t, "", map[string]string{"small.txt": want})}})
		io.WriteString(c, plainHit)
		res, err := http.ReadResponse(from, nil)
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(res.Body); err != nil || string(body) != want {
			t.Fatalf("after the switch to %s: %q, %v", want, body, err)
		}
	}
}

// script is a connection that reads requests without end, and discards writes.
type script struct {
	net.Conn
	request string
	write   func(p []byte) (int, error)
	closed  atomic.Bool
}

func (s *script) Read(p []byte) (int, error)       { return copy(p, s.request), nil }
func (s *script) Write(p []byte) (int, error)      { return s.write(p) }
func (s *script) Close() error                     { s.closed.Store(true); return nil }
func (s *script) SetReadDeadline(time.Time) error  { return nil }
func (s *script) SetWriteDeadline(time.Time) error { return nil }

func scripted(t testing.TB, write func([]byte) (int, error)) (*http1Conn, *script) {
	e := New(Config{})
	e.Publish(NewTable(map[string]*Site{"a.test": {Assets: assets(t, "", map[string]string{"small.txt": "hello"})}}))
	s := &script{request: plainHit, write: write}
	return &http1Conn{Conn: &pacedConn{Conn: s, pace: e.cfg.Download, leave: func() {}}, hits: hitConn{edge: e}}, s
}

func TestHit_AllocatesNothing(t *testing.T) {
	c, _ := scripted(t, func(p []byte) (int, error) { return len(p), nil })
	buffer := make([]byte, 4096)
	allocations := testing.AllocsPerRun(1000, func() {
		copy(buffer, plainHit)
		if rest, err := c.answerHits(buffer[:len(plainHit)]); rest != 0 || err != nil {
			t.Fatal(rest, err)
		}
	})
	if allocations != 0 {
		t.Errorf("%v allocations", allocations)
	}
}

// TestHit_CloseDuringAnswer: net/http closes idle connections when it shuts down, and considers one that
// sends a hit idle.
func TestHit_CloseDuringAnswer(t *testing.T) {
	var written bytes.Buffer
	var c *http1Conn
	var s *script
	c, s = scripted(t, func(p []byte) (int, error) {
		if written.Len() == 0 {
			c.Close()
			if s.closed.Load() {
				t.Error("closed under an answer")
			}
		}
		return written.Write(p)
	})
	if _, err := c.Read(make([]byte, 4096)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Read returned %v", err)
	}
	if !strings.HasSuffix(written.String(), "\r\n\r\nhello") || !s.closed.Load() {
		t.Errorf("written %q, closed %v", written.String(), s.closed.Load())
	}
}

// TestEdge_Newcomers: the edge itself closes a connection that had only hits, and drops one that
// net/http knows.
func TestEdge_Newcomers(t *testing.T) {
	e := start(t, Config{})
	e.publish(map[string]*Site{"a.test": {Assets: assets(t, "", map[string]string{"small.txt": "hello"}), Default: says("page")}})
	count := func() int {
		e.newcomers.mu.Lock()
		defer e.newcomers.mu.Unlock()
		return len(e.newcomers.conns)
	}
	ask := func(c net.Conn, from *bufio.Reader, request string) {
		t.Helper()
		io.WriteString(c, request)
		res, err := http.ReadResponse(from, nil)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, res.Body)
	}
	known, knownFrom := e.dial(t)
	ask(known, knownFrom, plainHit)
	ask(known, knownFrom, plainHit) // the first is registered when the second is answered
	if n := count(); n != 1 {
		t.Errorf("%d newcomers, want 1", n)
	}
	ask(known, knownFrom, get("/page"))
	if n := count(); n != 0 {
		t.Errorf("%d newcomers after a page, want 0", n)
	}
	newcomer, from := e.dial(t)
	ask(newcomer, from, plainHit)
	ask(newcomer, from, plainHit)
	e.newcomers.closeAll()
	if _, err := from.ReadByte(); err != io.EOF {
		t.Errorf("the connection of a newcomer ends with %v", err)
	}
}

// BenchmarkFileHit is the edge's own part of a hit, without a network.
func BenchmarkFileHit(b *testing.B) {
	log, err := accesslog.Open(accesslog.Config{Output: io.Discard})
	if err != nil {
		b.Fatal(err)
	}
	defer log.Close()
	for name, log := range map[string]*accesslog.Log{"unlogged": nil, "logged": log} {
		b.Run(name, func(b *testing.B) {
			e := New(Config{AccessLog: log})
			e.Publish(NewTable(map[string]*Site{"a.test": {ID: "a", Slug: "shop", Assets: assets(b, "", map[string]string{"small.txt": "hello"})}}))
			request := []byte(hitRequest("User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36", "Accept: */*", "Accept-Encoding: gzip, deflate, br"))
			s := &script{write: func(p []byte) (int, error) { return len(p), nil }}
			c := &http1Conn{Conn: &pacedConn{Conn: s, pace: e.cfg.Download, leave: func() {}}, hits: hitConn{edge: e, protocol: "HTTP/1.1", remote: "203.0.113.7"}}
			buffer := make([]byte, 4096)
			b.ReportAllocs()
			for b.Loop() {
				copy(buffer, request)
				if rest, err := c.answerHits(buffer[:len(request)]); rest != 0 || err != nil {
					b.Fatal(rest, err)
				}
			}
		})
	}
}
