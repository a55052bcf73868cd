package edge

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/local/edge/cache"
)

// pageEdges are two edges with equal sites, of which the second passes every request to net/http.
type pageEdges struct {
	hits, plain *secured
	handled     atomic.Int64 // by net/http, of the first
}

// storedPages starts the edges. Their app says that all its answers may be shared, and answers
// each request in its own way.
func storedPages(t testing.TB, sharing Sharing) *pageEdges {
	t.Helper()
	p := &pageEdges{}
	p.hits, p.plain = startTLS(t, Config{Wrap: counting(&p.handled)}, "a.test"), startTLS(t, Config{}, "a.test")
	p.plain.noHits = true
	now := time.Now()
	for _, e := range []*secured{p.hits, p.plain} {
		e.now = func() time.Time { return now }
		site := &Site{
			ID: "a", Header: http.Header{"X-Anchor-Deployment": {"d1"}}, Cache: cache.New(16 << 20).Namespace(), Sharing: sharing,
			Default: http.HandlerFunc(varied),
		}
		site.Sharing.Guarded = func(*url.URL) bool { return false }
		e.Publish(NewTable(map[string]*Site{"a.test": site}).With(map[string]Policy{"a.test": {HSTS: "max-age=60"}}))
	}
	return p
}

// varied answers with what it sees of a request.
func varied(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "s-maxage=600")
	h.Set("Date", "Sat, 28 Nov 2020 13:25:08 GMT")
	h.Set("Content-Type", "text/html")
	h.Set("Anchor-CDN-Cache-Control", "max-age=999999999")
	text := fmt.Sprintln(r.Host, r.RequestURI, r.Header["X-Forwarded-Proto"], r.Header["X-Forwarded-Port"])
	switch r.URL.Path {
	case "/tagged":
		h.Set("Etag", `"tag"`)
	case "/long":
		h.Set("Etag", `"tag"`)
		text += strings.Repeat("a long page ", 1000)
	case "/accept":
		h.Set("Vary", "Accept, RSC")
		text += r.Header.Get("Accept")
	case "/coded":
		h.Set("Vary", "Accept-Encoding")
		text += r.Header.Get("Accept-Encoding")
	case "/language":
		h.Set("Vary", "Accept-Language")
		text += r.Header.Get("Accept-Language")
	case "/strict":
		h.Set(headerHSTS, "max-age=1")
	case "/elsewhere":
		h.Set(cache.HeaderStatus, "upstream; hit")
	case "/moved":
		h.Set("Location", "/")
		w.WriteHeader(http.StatusPermanentRedirect)
	case "/missing":
		w.WriteHeader(http.StatusNotFound)
	}
	io.WriteString(w, text)
}

// pageRequests maps each request to whether a repetition is answered without net/http.
var pageRequests = map[string]bool{
	pageRequest("/"): true, pageRequest("/?a=1&b=%"): false, pageRequest("/?a=1"): true, pageRequest("/a/b/"): true, pageRequest("//a.test/"): false,
	pageRequest("/a/../b"): false, pageRequest("/%61"): false,
	pageRequest("/", "Cookie: a=b%20c; _ga=1"): true, pageRequest("/", "Cookie: __prerender_bypass=x"): false,
	pageRequest("/", "Cookie: a=b", "Cookie: __next_preview_data=x"): false, pageRequest("/", "Cookie: %5f_prerender_bypass=x"): false,
	pageRequest("/", "Authorization: Basic x"): false, pageRequest("/", "RSC: 1"): false, pageRequest("/", "Cache-Control: no-cache"): true,
	pageRequest("/", "X-Forwarded-Proto: https"): false, pageRequest("/", "X-Forwarded-For: 1.2.3.4"): true,
	pageRequest("/", "X-Request-Id: mine"): true, pageRequest("/", "X-Request-Id: not sane"): true, pageRequest("/", "X-Request-Id: a", "X-Request-Id: b"): false,
	pageRequest("/tagged", `If-None-Match: "tag"`): true, pageRequest("/tagged", `If-None-Match: W/"tag"`): false, pageRequest("/tagged", `If-None-Match: "x"`): false,
	pageRequest("/tagged", "Range: bytes=0-1"): false, pageRequest("/tagged", "If-Modified-Since: Sat, 28 Nov 2020 13:25:08 GMT"): false,
	pageRequest("/long"): true, pageRequest("/long", "Accept-Encoding: br"): true, pageRequest("/long", "Accept-Encoding: gzip, deflate"): true,
	pageRequest("/long", "Accept-Encoding: zstd", `If-None-Match: W/"tag"`): true, pageRequest("/long", "Accept-Encoding: br", `If-None-Match: "tag"`): false,
	pageRequest("/accept", "Accept: text/html, */*"): true, pageRequest("/accept", "Accept: b", "Accept: a"): false, pageRequest("/accept"): true,
	pageRequest("/accept", "Accept: text/html,*/*"):    true,
	pageRequest("/coded", "Accept-Encoding: gzip, br"): true, pageRequest("/coded", "Accept-Encoding: br, gzip"): true, pageRequest("/coded"): true,
	pageRequest("/language", "Accept-Language: de"): false, pageRequest("/elsewhere"): false, pageRequest("/moved"): false, pageRequest("/missing"): false,
}

func pageRequest(target string, fields ...string) string {
	return "GET " + target + " HTTP/1.1\r\nHost: a.test\r\n" + strings.Join(append(fields, "\r\n"), "\r\n")
}

// TestStoredPagesAreAnsweredAsByNetHTTP sends each request twice to both edges. The answers to the
// second are equal, and those past net/http are as many as expected.
func TestStoredPagesAreAnsweredAsByNetHTTP(t *testing.T) {
	for _, secure := range []bool{false, true} {
		for _, request := range slices.Sorted(maps.Keys(pageRequests)) {
			p := storedPages(t, Sharing{})
			p.ask(t, request, secure)
			before := p.handled.Load()
			got, want := p.ask(t, request, secure)
			if got != want {
				t.Errorf("TLS %t: %q:\n%s\nwant\n%s", secure, request, got, want)
			}
			if byNetHTTP := p.handled.Load() > before; byNetHTTP == pageRequests[request] {
				t.Errorf("TLS %t: %q: answered by net/http: %t\n%s", secure, request, byNetHTTP, got)
			}
		}
	}
}

// ask sends a request to both edges and returns the answers in a form that can be compared.
func (p *pageEdges) ask(t testing.TB, request string, secure bool) (hit, plain string) {
	t.Helper()
	var answers []string
	for _, e := range []*secured{p.hits, p.plain} {
		octets, _ := e.exchange(t, []string{request}, secure)
		res, err := http.ReadResponse(bufio.NewReader(strings.NewReader(string(octets))), nil)
		if err != nil {
			t.Fatalf("%q: %v: %q", request, err, octets)
		}
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		id := res.Header.Get(headerRequestID)
		if id != "mine" {
			if len(id) != 32 {
				t.Errorf("%q: the request id is %q", request, id)
			}
			res.Header.Del(headerRequestID)
		}
		if len(res.Header["Date"]) != 1 {
			t.Errorf("%q: %d dates", request, len(res.Header["Date"]))
		}
		if !strings.Contains(res.Header.Get(cache.HeaderStatus), "anchor; hit") {
			res.Header.Del("Date") // now
		}
		answers = append(answers, fmt.Sprint(res.Status, "\n", fields(res.Header), "\n", string(body)))
	}
	return answers[0], answers[1]
}

func fields(h http.Header) string {
	var b strings.Builder
	_ = h.Write(&b)
	return b.String()
}

// Of two policies about TLS only the app's is sent.
func TestStoredPages_OneStrictTransportSecurity(t *testing.T) {
	for _, secure := range []bool{false, true} {
		p := storedPages(t, Sharing{})
		p.ask(t, pageRequest("/strict"), secure)
		if got, want := p.ask(t, pageRequest("/strict"), secure); got != want || strings.Count(got, headerHSTS) != 1 {
			t.Errorf("TLS %t:\n%s\nwant\n%s", secure, got, want)
		}
	}
}

// Where an answer depends on more than the connection looks at, net/http answers.
func TestStoredPages_MoreToLookAt(t *testing.T) {
	for name, sharing := range map[string]Sharing{"a cookie": {Cookies: []string{"plan"}}, "a field": {Headers: []string{"Accept-Language"}}} {
		p := storedPages(t, sharing)
		p.ask(t, pageRequest("/"), false)
		before := p.handled.Load()
		p.ask(t, pageRequest("/"), false)
		if p.handled.Load() == before {
			t.Errorf("the answer depends on %s, and the connection answers", name)
		}
	}
}

// A request that has a field is not one that lacks it, even if the connection does not look at the
// field.
func TestStoredPages_FieldsThatAreNotKept(t *testing.T) {
	p := storedPages(t, Sharing{})
	for range 2 {
		p.ask(t, pageRequest("/language"), false)
	}
	for _, language := range []string{"de", "fr"} {
		got, want := p.ask(t, pageRequest("/language", "Accept-Language: "+language), false)
		if got != want || !strings.HasSuffix(got, "\n"+language) {
			t.Errorf("%s gets\n%s\nwant\n%s", language, got, want)
		}
	}
}

// An invalidation is seen by the next request of an open connection.
func TestStoredPages_Invalidation(t *testing.T) {
	a := cached(t, Config{}, shows(shared))
	c, from := a.dial(t)
	for n := range 20 {
		for range 3 {
			io.WriteString(c, pageRequest("/"))
			res, err := http.ReadResponse(from, nil)
			if err != nil {
				t.Fatal(err)
			}
			if body, err := io.ReadAll(res.Body); err != nil || string(body) != fmt.Sprintf("call %d", n+1) {
				t.Fatalf("after %d invalidations: %q, %v", n, body, err)
			}
		}
		a.site.Cache.Invalidate()
	}
}

func FuzzStoredPages(f *testing.F) {
	p := storedPages(f, Sharing{})
	for request := range pageRequests {
		f.Add([]byte(request))
	}
	f.Fuzz(func(t *testing.T, octets []byte) {
		for range 2 {
			wantSameAnswers(t, p.hits, p.plain, []string{string(octets)}, false)
		}
	})
}

func BenchmarkPageHit(b *testing.B) {
	e := New(Config{})
	site := &Site{ID: "a", Cache: cache.New(16 << 20).Namespace()}
	e.Publish(NewTable(map[string]*Site{"a.test": site}))
	request := []byte(pageRequest("/", "User-Agent: Mozilla/5.0", "Accept: text/html", "Accept-Encoding: gzip, deflate, br"))
	r, ok := parsePlainGet(request)
	if !ok {
		b.Fatal("the request is not understood")
	}
	stored := cache.Request{Namespace: site.Cache, Key: pageKey(&r, false), Fields: r.pageField}
	stored.Put(cache.Response{
		Status: http.StatusOK, Body: []byte(strings.Repeat("a long page ", 1000)), Lifetime: cache.Lifetime{Fresh: time.Hour}, Received: time.Now(),
		Header: http.Header{"Content-Type": {"text/html"}, "Cache-Control": {"s-maxage=3600"}, "Etag": {`"tag"`}},
	})
	s := &script{write: func(p []byte) (int, error) { return len(p), nil }}
	c := &http1Conn{Conn: &pacedConn{Conn: s, pace: e.cfg.Download, leave: func() {}}, hits: hitConn{edge: e}}
	buffer := make([]byte, 4096)
	b.ReportAllocs()
	for b.Loop() {
		copy(buffer, request)
		if rest, err := c.answerHits(buffer[:len(request)]); rest != 0 || err != nil {
			b.Fatal(rest, err)
		}
	}
}
