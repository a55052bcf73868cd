package edge

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/local/edge/cache"
)

const shared = "s-maxage=60"

// cachedApp is an edge with one site, "a.test", whose function is the app.
type cachedApp struct {
	*running
	site  *Site
	store *cache.Store
	calls atomic.Int64
	ahead atomic.Int64 // nanoseconds by which the edge's clock is ahead
}

// shows is what most apps of these tests answer: the number of the call, with Cache-Control.
func shows(control string, fields ...string) func(*cachedApp, http.ResponseWriter, *http.Request) {
	return func(a *cachedApp, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", control)
		for i := 0; i < len(fields); i += 2 {
			w.Header().Add(fields[i], fields[i+1])
		}
		fmt.Fprintf(w, "call %d", a.calls.Load())
	}
}

func cached(t testing.TB, cfg Config, app func(*cachedApp, http.ResponseWriter, *http.Request)) *cachedApp {
	t.Helper()
	a := &cachedApp{running: start(t, cfg), store: cache.New(16 << 20)}
	a.now = func() time.Time { return time.Now().Add(time.Duration(a.ahead.Load())) }
	a.site = a.newSite(app)
	a.publish(map[string]*Site{"a.test": a.site})
	return a
}

func (a *cachedApp) newSite(app func(*cachedApp, http.ResponseWriter, *http.Request)) *Site {
	return &Site{
		ID: "a", Cache: a.store.Namespace(),
		Sharing: Sharing{Guarded: func(*url.URL) bool { return false }},
		Default: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			a.calls.Add(1)
			app(a, w, r)
		}),
	}
}

func (a *cachedApp) pass(d time.Duration) { a.ahead.Add(int64(d)) }

func (a *cachedApp) wantBody(t testing.TB, want string, headers ...string) answer {
	t.Helper()
	got := a.get(t, "a.test", "/", headers...)
	if got.body != want {
		t.Errorf("%q, want %q (%s)", got.body, want, got.header.Get("Cache-Status"))
	}
	return got
}

func wantField(t testing.TB, a answer, name, want string) {
	t.Helper()
	if got := strings.Join(a.header[name], "|"); got != want {
		t.Errorf("%s: %q, want %q", name, got, want)
	}
}

func TestSharedAnswer(t *testing.T) {
	a := cached(t, Config{}, shows(shared, "Etag", `"tag"`, "Anchor-CDN-Cache-Control", "max-age=30", "Content-Type", "text/plain"))
	first := a.wantBody(t, "call 1")
	wantField(t, first, "Cache-Status", "anchor; fwd=uri-miss; stored")
	wantField(t, first, "Anchor-Cdn-Cache-Control", "")
	a.pass(10 * time.Second)
	second := a.wantBody(t, "call 1", "Cookie", "session=1")
	wantField(t, second, "Age", "10")
	wantField(t, second, "Cache-Control", shared)
	wantField(t, second, "Anchor-Cdn-Cache-Control", "")
	wantField(t, second, "Date", first.header.Get("Date"))
	if status := second.header.Get("Cache-Status"); !strings.HasPrefix(status, "anchor; hit; ttl=") {
		t.Error(status)
	}
	if second.header.Get("X-Request-Id") == first.header.Get("X-Request-Id") {
		t.Error("two requests have one id")
	}

	head := a.request(t, http.MethodHead, "a.test", "/", nil) // RFC 9110, section 9.3.2
	wantField(t, head, "Content-Length", "6")
	wantField(t, head, "Etag", `"tag"`)

	unchanged := a.get(t, "a.test", "/", "If-None-Match", `W/"x", "tag"`) // RFC 9111, section 4.3.2
	if unchanged.status != 304 || unchanged.body != "" {
		t.Errorf("%d %q for the tag", unchanged.status, unchanged.body)
	}
	wantField(t, unchanged, "Etag", `"tag"`)

	part := a.get(t, "a.test", "/", "Range", "bytes=-1", "If-Range", `"tag"`) // RFC 9110, section 14
	if part.status != 206 || part.body != "1" {
		t.Errorf("%d %q for a part", part.status, part.body)
	}
	wantField(t, part, "Content-Range", "bytes 5-5/6")
	if beyond := a.get(t, "a.test", "/", "Range", "bytes=9-"); beyond.status != 416 {
		t.Errorf("%d for a part beyond the end", beyond.status)
	}
	if calls := a.calls.Load(); calls != 1 {
		t.Errorf("%d calls", calls)
	}
	a.pass(30 * time.Second)
	a.wantBody(t, "call 2")
}

func TestSharedAnswer_Codings(t *testing.T) {
	text := strings.Repeat("anchor ", 1000)
	a := cached(t, Config{}, func(_ *cachedApp, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", shared)
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Etag", `"tag"`)
		io.WriteString(w, text)
	})
	for range 2 { // from the function, and from the cache
		for _, accept := range []string{"", "br", "gzip", "zstd", "br;q=0, gzip"} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+a.addr+"/", nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Host = "a.test"
			r.Header.Set("Accept-Encoding", accept)
			res, err := a.client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			if got := decoded(t, res); got != text {
				t.Errorf("Accept-Encoding %q: %d octets", accept, len(got))
			}
			res.Body.Close()
			coding := res.Header.Get("Content-Encoding")
			if (coding == "") != (accept == "") || res.Header.Get("Vary") != "Accept-Encoding" || (coding == "") != (res.Header.Get("Etag") == `"tag"`) {
				t.Errorf("Accept-Encoding %q: %v", accept, res.Header)
			}
		}
	}
	if part := a.get(t, "a.test", "/", "Range", "bytes=0-5", "Accept-Encoding", "br"); part.status != 206 || part.body != "anchor" {
		t.Errorf("%d %q for a part", part.status, part.body)
	}
	if calls := a.calls.Load(); calls != 1 {
		t.Errorf("%d calls", calls)
	}
}

// A request or an answer of these kinds is for one visitor.
func TestUnsharedAnswers(t *testing.T) {
	tests := map[string]struct {
		app     func(*cachedApp, http.ResponseWriter, *http.Request)
		request []string
		guarded bool
		method  string
		body    string
	}{
		"a cookie in the answer":      {app: shows(shared, "Set-Cookie", "a=b")},
		"private":                     {app: shows("private, s-maxage=60")},
		"for browsers only":           {app: shows("max-age=60")},
		"nothing said":                {app: shows("")},
		"Vary: *":                     {app: shows(shared, "Vary", "*")},
		"an error":                    {app: func(a *cachedApp, w http.ResponseWriter, r *http.Request) { failing(a, w, r) }},
		"postponed":                   {app: shows(shared, "X-Nextjs-Postponed", "1")},
		"a file of the edge":          {app: shows(shared, "X-Anchor-File", "/none")},
		"an error of the worker":      {app: shows(shared, "X-Anchor-Error", "502")},
		"behind middleware":           {app: shows(shared), guarded: true},
		"behind middleware, for CDNs": {app: shows(shared, "CDN-Cache-Control", "max-age=60"), guarded: true},
		"authorization":               {app: shows("public, s-maxage=60"), request: []string{"Authorization", "Basic x"}},
		"draft mode":                  {app: shows(shared), request: []string{"Cookie", "a=b; __prerender_bypass=x"}},
		"draft mode, spelled":         {app: shows(shared), request: []string{"Cookie", "a=b;%5f_prerender_bypass = x"}},
		"draft mode, second line":     {app: shows(shared), request: []string{"Cookie", "a=b", "Cookie", "__prerender_bypass=x"}},
		"preview mode":                {app: shows(shared), request: []string{"Cookie", "__next_preview_data=x"}},
		"a revalidation":              {app: shows(shared), request: []string{"X-Prerender-Revalidate", "guess"}},
		"a prefetch of middleware":    {app: shows(shared), request: []string{"X-Middleware-Prefetch", "1"}},
		"an action":                   {app: shows(shared), request: []string{"Next-Action", "x"}},
		"a precondition":              {app: shows(shared), request: []string{"If-Match", `"x"`}},
		"a range":                     {app: shows(shared), request: []string{"Range", "bytes=0-1"}},
		"not to be stored":            {app: shows(shared), request: []string{"Cache-Control", "No-Store"}},
		"a body":                      {app: shows(shared), method: http.MethodGet, body: "x"},
		"POST":                        {app: shows(shared), method: http.MethodPost, body: "x"},
		"HEAD":                        {app: shows(shared), method: http.MethodHead},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			a := cached(t, Config{}, test.app)
			a.site.Sharing.Guarded = func(*url.URL) bool { return test.guarded }
			method := test.method
			if method == "" {
				method = http.MethodGet
			}
			for call := range 3 {
				var body io.Reader
				if test.body != "" {
					body = strings.NewReader(test.body)
				}
				a.request(t, method, "a.test", "/", body, test.request...)
				if got := a.calls.Load(); got != int64(call+1) {
					t.Fatalf("%d calls after %d requests", got, call+1)
				}
			}
			if entries, _ := a.site.Cache.Size(); entries != 0 {
				t.Error("an answer is stored")
			}
		})
	}
}

func failing(_ *cachedApp, w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Cache-Control", shared)
	w.WriteHeader(http.StatusInternalServerError)
}

// A visitor in draft mode, or with a password, never gets what others share, and what he gets is
// never shared.
func TestPrivateRequestsPassStoredAnswers(t *testing.T) {
	a := cached(t, Config{}, shows(shared))
	a.wantBody(t, "call 1")
	a.wantBody(t, "call 2", "Cookie", "__prerender_bypass=x")
	a.wantBody(t, "call 3", "Authorization", "Basic x")
	a.wantBody(t, "call 1")
}

// Behind middleware, an answer is shared if it says so to this cache.
func TestSharedBehindMiddleware(t *testing.T) {
	a := cached(t, Config{}, shows("private, no-store", "Anchor-CDN-Cache-Control", "max-age=60"))
	a.site.Sharing.Guarded = func(*url.URL) bool { return true }
	a.wantBody(t, "call 1")
	a.wantBody(t, "call 1")
}

// An external middleware runs for each request, and may change it.
func TestExternalMiddlewareIsNotShared(t *testing.T) {
	a := cached(t, Config{}, shows(shared, "Anchor-CDN-Cache-Control", "max-age=60"))
	site := a.newSite(shows(shared, "Anchor-CDN-Cache-Control", "max-age=60"))
	site.Middleware = decide(func(*http.Request) (Decision, error) { return Decision{}, nil })
	site.MiddlewareRoutes = []string{"*"}
	a.publish(map[string]*Site{"a.test": site})
	a.wantBody(t, "call 1")
	wantField(t, a.wantBody(t, "call 2"), "Cache-Status", "anchor; fwd=bypass; detail=middleware")
}

// echo answers with all that the app sees, and declares that it may be shared.
func echo(_ *cachedApp, w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", shared)
	fmt.Fprintf(w, "%s %s\n", r.Host, r.RequestURI)
	r.Header.Write(w)
}

// Requests that the app can tell apart by these do not share an answer.
func TestKeyedParts(t *testing.T) {
	a := cached(t, Config{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, echo)
	a.site.Sharing.Headers, a.site.Sharing.Cookies = []string{"Accept-Language"}, []string{"NEXT_LOCALE"}
	a.publish(map[string]*Site{"a.test": a.site, "b.test": a.site})
	requests := [][]string{ // host, target, fields
		{"a.test", "/"}, {"b.test", "/"}, {"a.test:80", "/"}, {"A.test", "/"},
		{"a.test", "/?"}, {"a.test", "/?a=1&b=2"}, {"a.test", "/?b=2&a=1"}, {"a.test", "/?a=1"}, {"a.test", "/%2F"}, {"a.test", "//"}, {"a.test", "/A"}, {"a.test", "/a"},
		{"a.test", "/", "Rsc", "1"}, {"a.test", "/", "Rsc", "1", "Next-Router-Prefetch", "1"}, {"a.test", "/", "Rsc", "1", "Next-Router-Prefetch", "2"},
		{"a.test", "/", "Rsc", "1", "Next-Router-State-Tree", "x"}, {"a.test", "/", "Rsc", "1", "Next-Router-Segment-Prefetch", "/x"},
		{"a.test", "/", "Next-Url", "/x"}, {"a.test", "/", "Next-Router-Prefetch", "1"}, {"a.test", "/", "X-Nextjs-Data", "1"}, {"a.test", "/", "Purpose", "prefetch"},
		{"a.test", "/", "X-Forwarded-Proto", "https"}, {"a.test", "/", "X-Forwarded-Port", "8080"},
		{"a.test", "/", "Accept-Language", "de"}, {"a.test", "/", "Cookie", "NEXT_LOCALE=de"}, {"a.test", "/", "Cookie", "NEXT_LOCALE=fr"},
		{"a.test", "/", "Cookie", "NEXT_LOCALE=fr; NEXT_LOCALE=de"},
	}
	for i, r := range requests {
		a.get(t, r[0], r[1], r[2:]...)
		if got := a.calls.Load(); got != int64(i+1) {
			t.Errorf("%q shares the answer to another request", r)
			a.calls.Store(int64(i + 1))
		}
	}
	for _, r := range requests {
		a.get(t, r[0], r[1], append(r[2:], "User-Agent", "other", "X-Real-Ip", "1.2.3.4")...)
	}
	if got := a.calls.Load(); got != int64(len(requests)) {
		t.Errorf("%d calls for %d different requests", got, len(requests))
	}
}

// What a client sends to be believed in the place of the edge is not in a stored answer.
func TestPoisonedRequestsLeaveNothing(t *testing.T) {
	a := cached(t, Config{}, echo)
	for i, field := range []string{
		"X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Forwarded-For", "X-Real-Ip", "Forwarded", "X-Original-Url", "X-Rewrite-Url",
		"X-Open-Next-City", "X-Opennext-Locale", "X-Opennext-Initial-Url", "X-Middleware-Rewrite", "X-Middleware-Set-Cookie", "X-Vercel-Ip-City",
		"X-Invoke-Path", "X-Matched-Path", "X-Now-Route-Matches", "X-Isr", "Next-Resume", "X-Anchor-File", "X-Anchor-Hosts",
	} {
		target := fmt.Sprint("/", i)
		a.get(t, "a.test", target, field, "evil")
		if got := a.get(t, "a.test", target); strings.Contains(got.body, "evil") {
			t.Errorf("a visitor sees another one's %s:\n%s", field, got.body)
		}
	}
}

// RFC 9111, section 4.1.
func TestVariants(t *testing.T) {
	a := cached(t, Config{}, func(a *cachedApp, w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Vary", "Accept, Accept-Encoding")
		if strings.Contains(r.Header.Get("Accept-Encoding"), "br") {
			w.Header().Set("Content-Encoding", "br")
		}
		shows(shared)(a, w, r)
	})
	for _, accept := range []string{"image/avif", "image/webp"} {
		first := a.get(t, "a.test", "/", "Accept", accept)
		a.wantBody(t, first.body, "Accept", accept)
	}
	if calls := a.calls.Load(); calls != 2 {
		t.Errorf("%d calls for two variants", calls)
	}
	a.wantBody(t, "call 3", "Accept", "image/avif", "Accept-Encoding", "gzip, br")
	a.wantBody(t, "call 3", "Accept", "image/avif", "Accept-Encoding", "br;q=0.9,GZIP")
	got := a.get(t, "a.test", "/", "Accept", "image/avif", "Accept-Encoding", "gzip")
	if got.header.Get("Content-Encoding") == "br" {
		t.Error("a client gets a coding that it does not accept")
	}
}

func TestOnlyIfCached(t *testing.T) {
	a := cached(t, Config{}, shows(shared))
	if got := a.get(t, "a.test", "/", "Cache-Control", "only-if-cached"); got.status != 504 || a.calls.Load() != 0 {
		t.Errorf("%d after %d calls", got.status, a.calls.Load())
	}
	a.wantBody(t, "call 1")
	a.wantBody(t, "call 1", "Cache-Control", "only-if-cached")
	a.wantBody(t, "call 1", "Cache-Control", "no-cache, max-age=0", "Pragma", "no-cache") // advice that anyone could give
}

// A thousand requests at once make one call.
func TestCollapsedRequests(t *testing.T) {
	const visitors = 1000
	release := make(chan struct{})
	a := cached(t, Config{MaxConnectionsPerClient: 2 * visitors, MaxConnections: 2 * visitors}, func(a *cachedApp, w http.ResponseWriter, r *http.Request) {
		<-release
		shows(shared)(a, w, r)
	})
	var wg sync.WaitGroup
	var wrong atomic.Int64
	for range visitors {
		wg.Go(func() {
			got, err := a.try(http.MethodGet, "a.test", "/", nil)
			if err != nil || got.body != "call 1" {
				wrong.Add(1)
			}
		})
	}
	waitFor(t, func() bool { return a.site.inFlight.Load() == visitors })
	close(release)
	wg.Wait()
	if wrong.Load() != 0 || a.calls.Load() != 1 {
		t.Errorf("%d wrong answers, %d calls", wrong.Load(), a.calls.Load())
	}
	c := a.site.Cache.Counters()
	if misses, joined, hits := c.Misses.Load(), c.Joined.Load(), c.Hits.Load(); misses+hits != visitors || joined != misses-1 {
		t.Errorf("%d misses, of which %d joined, and %d hits", misses, joined, hits)
	}
}

// waitFor waits for a condition that the requests under way bring about.
func waitFor(t testing.TB, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited for a minute")
		}
	}
}

// An answer that is not shared lets all that wait go on at the same time: this app answers nobody
// before everybody has asked.
func TestUnsharedAnswersAreNotInLine(t *testing.T) {
	const visitors = 50
	var everybody sync.WaitGroup
	everybody.Add(visitors)
	a := cached(t, Config{}, func(a *cachedApp, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "private")
		w.WriteHeader(http.StatusOK)
		everybody.Done()
		everybody.Wait()
		fmt.Fprint(w, "for one")
	})
	var wg sync.WaitGroup
	for range visitors {
		wg.Go(func() {
			if got, err := a.try(http.MethodGet, "a.test", "/", nil); err != nil || got.body != "for one" {
				t.Errorf("%q, %v", got.body, err)
			}
		})
	}
	wg.Wait()
}

// When the visitor for whom the function is called leaves, another one takes the place.
func TestCollapsedRequests_TheFirstVisitorLeaves(t *testing.T) {
	entered := make(chan struct{}, 2)
	a := cached(t, Config{}, func(a *cachedApp, w http.ResponseWriter, r *http.Request) {
		entered <- struct{}{}
		if r.URL.Query().Has("x") || a.calls.Load() == 1 {
			<-r.Context().Done()
			panic(http.ErrAbortHandler)
		}
		shows(shared)(a, w, r)
	})
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan struct{})
	go func() {
		defer close(left)
		r, _ := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+a.addr+"/", nil)
		r.Host = "a.test"
		if res, err := a.client.Do(r); err == nil {
			res.Body.Close()
		}
	}()
	<-entered
	second := make(chan answer, 1)
	go func() {
		got, _ := a.try(http.MethodGet, "a.test", "/", nil)
		second <- got
	}()
	waitFor(t, func() bool { return a.site.inFlight.Load() == 2 })
	leave()
	<-left
	if got := <-second; got.body != "call 2" {
		t.Errorf("%d %q", got.status, got.body)
	}
}

// What breaks off, or is shorter than it says, is not stored.
func TestIncompleteAnswersAreNotStored(t *testing.T) {
	a := cached(t, Config{}, func(a *cachedApp, w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", shared)
		switch a.calls.Load() {
		case 1:
			fmt.Fprint(w, "half")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		case 2:
			w.Header().Set("Content-Length", "8")
			fmt.Fprint(w, "half")
		default:
			fmt.Fprint(w, "complete")
		}
	})
	for range 2 {
		if got, err := a.try(http.MethodGet, "a.test", "/", nil); err == nil {
			t.Errorf("%q looks whole", got.body)
		}
	}
	a.wantBody(t, "complete")
	a.wantBody(t, "complete")
	if calls := a.calls.Load(); calls != 3 {
		t.Errorf("%d calls", calls)
	}
}

func TestLargeAnswersAreNotStored(t *testing.T) {
	large := strings.Repeat("x", 2<<20) // of a store of 16 MiB
	a := cached(t, Config{}, func(_ *cachedApp, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", shared)
		for range 2 {
			io.WriteString(w, large[:1<<20])
		}
	})
	for call := range 2 {
		if got := a.get(t, "a.test", "/"); got.body != large || a.calls.Load() != int64(call+1) {
			t.Errorf("%d octets after %d calls", len(got.body), a.calls.Load())
		}
	}
}

// RFC 5861, section 3.
func TestStaleWhileRevalidate(t *testing.T) {
	release := make(chan struct{})
	a := cached(t, Config{}, func(a *cachedApp, w http.ResponseWriter, r *http.Request) {
		if a.calls.Load() == 2 {
			<-release
		}
		shows("s-maxage=10, stale-while-revalidate=60")(a, w, r)
	})
	a.wantBody(t, "call 1")
	a.pass(11 * time.Second)
	for range 3 { // while one refresh runs
		a.wantBody(t, "call 1")
	}
	close(release)
	waitFor(t, func() bool { return a.get(t, "a.test", "/").body == "call 2" })
	if calls := a.calls.Load(); calls != 2 {
		t.Errorf("%d calls", calls)
	}
	a.pass(71 * time.Second)
	a.wantBody(t, "call 3")
}

// A stale page of Next.js' own cache is not extended: the app renders it again.
func TestStaleWhileRevalidate_NextJSStale(t *testing.T) {
	a := cached(t, Config{}, shows("s-maxage=2, stale-while-revalidate=2592000", "X-Nextjs-Cache", "STALE"))
	a.wantBody(t, "call 1")
	a.wantBody(t, "call 1")
	a.pass(3 * time.Second)
	a.wantBody(t, "call 2")
}

// RFC 9111, section 4.3.
func TestValidation(t *testing.T) {
	a := cached(t, Config{}, func(a *cachedApp, w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Etag", `"one"`)
		w.Header().Set("X-Call", fmt.Sprint(a.calls.Load()))
		if r.Header.Get("If-None-Match") == `"one"` && a.calls.Load() < 4 {
			w.Header().Set("Cache-Control", shared)
			w.WriteHeader(http.StatusNotModified)
			return
		}
		shows(shared)(a, w, r)
	})
	a.wantBody(t, "call 1")
	a.pass(61 * time.Second)
	got := a.wantBody(t, "call 1")
	wantField(t, got, "X-Call", "2") // the 304 updates the header
	wantField(t, got, "Age", "0")
	a.wantBody(t, "call 1")
	if calls := a.calls.Load(); calls != 2 {
		t.Errorf("%d calls: the validated answer is not fresh", calls)
	}
	a.pass(61 * time.Second)
	if got := a.get(t, "a.test", "/", "If-None-Match", `"one"`); got.status != 304 {
		t.Errorf("%d for the tag of a validated answer", got.status)
	}
	a.pass(61 * time.Second)
	a.wantBody(t, "call 4") // the function has another answer
	a.wantBody(t, "call 4")
}

// The client's preconditions are not the cache's: an answer that is shared is whole.
func TestConditionalRequestsFillTheCache(t *testing.T) {
	a := cached(t, Config{}, func(a *cachedApp, w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Etag", `"one"`)
		if r.Header.Get("If-None-Match") != "" {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		shows(shared)(a, w, r)
	})
	if got := a.get(t, "a.test", "/", "If-None-Match", `"one"`); got.status != 304 {
		t.Errorf("%d", got.status)
	}
	a.wantBody(t, "call 1")
}

// RFC 5861, section 4.
func TestStaleIfError(t *testing.T) {
	a := cached(t, Config{}, func(a *cachedApp, w http.ResponseWriter, r *http.Request) {
		if a.calls.Load() > 1 {
			w.Header().Set("X-Failure", "1")
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		shows("s-maxage=10, stale-if-error=60")(a, w, r)
	})
	a.wantBody(t, "call 1")
	a.pass(11 * time.Second)
	wantField(t, a.wantBody(t, "call 1"), "X-Failure", "")
	a.pass(60 * time.Second)
	if got := a.get(t, "a.test", "/"); got.status != http.StatusBadGateway {
		t.Errorf("%d after the time for errors", got.status)
	}
}

// RFC 9111, section 4.4.
func TestUnsafeMethodsInvalidate(t *testing.T) {
	a := cached(t, Config{}, func(a *cachedApp, w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			shows(shared)(a, w, r)
			return
		}
		for _, name := range []string{"Location", "Content-Location"} {
			if to := r.URL.Query().Get(name); to != "" {
				w.Header().Set(name, to)
			}
		}
		w.WriteHeader(map[bool]int{true: 500, false: 200}[r.URL.Query().Has("fail")])
	})
	changes := func(method, target string, want bool) {
		t.Helper()
		before := a.get(t, "a.test", "/p/x").body
		a.request(t, method, "a.test", target, nil)
		if after := a.get(t, "a.test", "/p/x").body; (after != before) != want {
			t.Errorf("%s %s: %q, then %q", method, target, before, after)
		}
	}
	changes(http.MethodPost, "/p/x", true)
	changes(http.MethodDelete, "/p/x", true)
	changes(http.MethodPost, "/p/x?fail", false)
	changes(http.MethodPost, "/other", false)
	changes(http.MethodOptions, "/p/x", false)
	changes(http.MethodPost, "/p/other?Location="+url.QueryEscape("x"), true)
	changes(http.MethodPost, "/other?Content-Location="+url.QueryEscape("http://a.test/p/x"), true)
	changes(http.MethodPost, "/other?Location="+url.QueryEscape("http://b.test/p/x"), false)
}

// Whoever has seen that a POST succeeded sees its effect, even if its answer has not ended.
func TestUnsafeMethodsInvalidate_BeforeTheAnswer(t *testing.T) {
	end := make(chan struct{})
	a := cached(t, Config{}, func(a *cachedApp, w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusOK)
			w.(http.Flusher).Flush()
			<-end
			return
		}
		shows(shared)(a, w, r)
	})
	a.wantBody(t, "call 1")
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+a.addr+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "a.test"
	res, err := a.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	defer close(end)
	a.wantBody(t, "call 3")
}

// An invalidation is visible to the next request, even if the function was asked before it.
func TestInvalidation(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	a := cached(t, Config{}, func(a *cachedApp, w http.ResponseWriter, r *http.Request) {
		text := fmt.Sprintf("call %d", a.calls.Load())
		if a.calls.Load() == 1 {
			close(entered)
			<-release
		}
		w.Header().Set("Cache-Control", shared)
		fmt.Fprint(w, text)
	})
	first := make(chan answer, 1)
	go func() {
		got, _ := a.try(http.MethodGet, "a.test", "/", nil)
		first <- got
	}()
	<-entered
	a.site.Cache.Invalidate()
	a.wantBody(t, "call 2") // does not wait for the answer from before
	close(release)
	if got := <-first; got.body != "call 1" {
		t.Errorf("%q", got.body)
	}
	a.wantBody(t, "call 2")
	a.site.Cache.Invalidate()
	a.wantBody(t, "call 3")
}

// A switch leads to the cache of the other deployment, and back to a warm one.
func TestNamespacePerSite(t *testing.T) {
	a := cached(t, Config{}, shows(shared))
	a.wantBody(t, "call 1")
	other := a.newSite(shows(shared))
	a.publish(map[string]*Site{"a.test": other})
	a.wantBody(t, "call 2")
	a.publish(map[string]*Site{"a.test": a.site})
	a.wantBody(t, "call 1")
	a.publish(map[string]*Site{"a.test": other})
	a.wantBody(t, "call 2")
}

// Requests of Anchor itself see what the function answers now.
func TestDispatchPassesTheCache(t *testing.T) {
	a := cached(t, Config{}, shows(shared))
	a.wantBody(t, "call 1")
	for range 2 {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://a.test/", nil)
		if err != nil {
			t.Fatal(err)
		}
		a.Dispatch(a.site, nowhere{}, r)
	}
	if calls := a.calls.Load(); calls != 3 {
		t.Errorf("%d calls", calls)
	}
	a.wantBody(t, "call 1")
}

// res.revalidate() of an app may ask its own site over HTTP.
func TestRevalidationOverHTTPInvalidates(t *testing.T) {
	a := cached(t, Config{}, func(a *cachedApp, w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Prerender-Revalidate") == "secret" {
			w.Header().Set("X-Nextjs-Cache", "REVALIDATED")
		}
		shows(shared)(a, w, r)
	})
	a.wantBody(t, "call 1")
	a.get(t, "a.test", "/", "X-Prerender-Revalidate", "guess")
	a.wantBody(t, "call 1")
	a.get(t, "a.test", "/other", "X-Prerender-Revalidate", "secret")
	a.wantBody(t, "call 4")
}
