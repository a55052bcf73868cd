package edge

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/local/edge/cache"
)

// visibleFields are what the app of TestConfusion tells visitors apart by: what Next.js and OpenNext
// do, and what attackers send to be taken for somebody else.
var visibleFields = []string{
	"Rsc", "Next-Router-State-Tree", "Next-Router-Prefetch", "Next-Router-Segment-Prefetch", "Next-Url", "X-Nextjs-Data", "Purpose",
	"X-Middleware-Prefetch", "X-Prerender-Revalidate", "Authorization", "Next-Action", "Accept-Language", "Accept",
	"X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Open-Next-City", "X-Opennext-Locale", "X-Invoke-Path", "X-Matched-Path",
	"X-Middleware-Subrequest", "X-Anchor-Tags", "X-Isr", "Forwarded", "X-Original-Url",
}

// tellingApart answers with all that it sees of the fields, of cookies that it knows, and of the address.
func tellingApart(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", shared)
	w.Header().Set("Vary", "Accept")
	w.Header().Set(HeaderTags, "tall")
	w.Header().Set("X-Nextjs-Cache", "HIT")
	fmt.Fprintf(w, "%s %s\n", r.Host, r.RequestURI)
	for _, name := range visibleFields {
		fmt.Fprintf(w, "%s: %q\n", name, r.Header[name])
	}
	for _, name := range []string{"__prerender_bypass", "__next_preview_data", "plan"} {
		fmt.Fprintf(w, "%s=%s\n", name, cookieValues(r.Header, name))
	}
}

// randomFields returns what one visitor sends. Few values, so that requests meet.
func randomFields(random *rand.Rand) []string {
	var fields []string
	for range random.IntN(3) {
		fields = append(fields, visibleFields[random.IntN(len(visibleFields))], []string{"1", "a, b", "/x"}[random.IntN(3)])
	}
	cookies := []string{
		"", "", "", "session=1", "plan=free", "plan=paid", "session=2; plan=free", "__prerender_bypass=1", "a=1; __next_preview_data=2",
		"__prerender%5Fbypass=1", "plan=free,plan=paid",
	}
	if cookie := cookies[random.IntN(len(cookies))]; cookie != "" {
		fields = append(fields, "Cookie", cookie)
	}
	return fields
}

// TestConfusion sends the same random requests to a site with a cache and to one without. A visitor
// never gets an answer that the app would not have given to this very request.
func TestConfusion(t *testing.T) {
	siteWith := func(pages *cache.Namespace) *Site {
		return &Site{
			ID: "a", Cache: pages, Default: http.HandlerFunc(tellingApart),
			Sharing: Sharing{Headers: []string{"Accept-Language"}, Cookies: []string{"plan"}},
		}
	}
	dir := t.TempDir()
	store := cache.New(1 << 20)
	if err := store.OpenDisk(dir, 1<<24); err != nil {
		t.Fatal(err)
	}
	defer store.Close(t.Context())
	with, without := start(t, Config{}), start(t, Config{})
	site := siteWith(store.Open("a"))
	site.Sharing.Guarded = func(*url.URL) bool { return false }
	with.publish(map[string]*Site{"a.test": site, "b.test": site})
	plain := siteWith(nil)
	without.publish(map[string]*Site{"a.test": plain, "b.test": plain})

	random := rand.New(rand.NewPCG(1, 2))
	targets := []string{"/", "/?a=1", "/?a=2", "/a", "/a?", "/%61", "//a", "/A", "/a/", "/a%2Fb", "/a;b"}
	hits := 0
	for n := range 2500 {
		host := []string{"a.test", "b.test", "a.test:80"}[random.IntN(3)]
		target, fields := targets[random.IntN(len(targets))], randomFields(random)
		got, want := with.get(t, host, target, fields...), without.get(t, host, target, fields...)
		if got.status != want.status || got.body != want.body {
			t.Fatalf("request %d, %s%s %q (%s):\n%s\nwithout a cache:\n%s", n, host, target, fields, got.header.Get("Cache-Status"), got.body, want.body)
		}
		if strings.HasPrefix(got.header.Get("Cache-Status"), "anchor; hit") {
			hits++
		}
		if slices.Contains(got.header["X-Anchor-Tags"], "tall") {
			t.Fatal("a visitor sees the tags")
		}
	}
	if hits < 250 {
		t.Errorf("only %d requests were answered by the cache", hits)
	}
}
