package edge

import (
	"io"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/local/edge/cache"
)

// versions publishes three versions of one app at app.test: "new" is live, tabs may use "old" for an
// hour, and "older" no longer. What each answers is its name.
func versions(t *testing.T, e *Edge, now time.Time) map[string]*Site {
	t.Helper()
	e.now = func() time.Time { return now }
	sites, pins := map[string]*Site{}, Pins{}
	for name, until := range map[string]time.Duration{"new": 0, "old": time.Hour, "older": 0} {
		sites[name] = &Site{
			ID: name, Default: says(name), Header: http.Header{"Vary": {HeaderSkew}},
			Assets: assets(t, "/docs", map[string]string{"robots.txt": name, "_next/static/chunks/a.js": name}),
		}
		if name != "new" {
			pins[name] = Pin{Site: sites[name], Until: now.Add(until)}
		}
	}
	e.Publish(NewTable(map[string]*Site{
		"app.test": sites["new"], "www.app.test": sites["new"], "old.app.test": sites["old"], "other.test": sites["new"],
	}).Pinning(map[string]Pins{"app.test": pins, "www.app.test": pins}))
	return sites
}

func TestEdge_Pins_AnswerTheTabsThatLoadedThem(t *testing.T) {
	e := start(t, Config{})
	versions(t, e.Edge, time.Now())
	const old = "X-Deployment-Id"
	for _, c := range []struct {
		what, host, target string
		headers            []string
		want               string
	}{
		{"a client navigation", "app.test", "/about?_rsc=1", []string{old, "old", "Rsc", "1", "Sec-Fetch-Dest", "empty", "Sec-Fetch-Mode", "cors"}, "old"},
		{"one at a custom domain", "www.app.test", "/about?_rsc=1", []string{old, "old", "Rsc", "1"}, "old"},
		{"a public file that the app asks for", "app.test", "/docs/robots.txt", []string{old, "old"}, "old"},
		{"a chunk", "app.test", "/docs/_next/static/chunks/a.js?dpl=old", []string{"Sec-Fetch-Dest", "script"}, "old"},
		{"a chunk in a browser without fetch metadata", "app.test", "/docs/_next/static/chunks/a.js?v=1&dpl=old", nil, "old"},
		{"an image", "app.test", "/docs/_next/image?url=%2Fa.png&w=64&q=75&dpl=old", nil, "old"},
		{"an image whose own address has the id", "app.test", "/docs/_next/image?url=%2Fa.png%3Fdpl%3Dold&w=64&q=75", nil, "old"},
		{"the same without escapes", "app.test", "/docs/_next/image?url=/a.png?dpl=old", nil, "old"},
		{"a public image with an id", "app.test", "/docs/robots.txt?dpl=old", []string{"Sec-Fetch-Dest", "image"}, "old"},
		{"an image of a style sheet", "app.test", "/docs/robots.txt", []string{"Sec-Fetch-Dest", "image", "Referer", "http://app.test/docs/_next/static/css/a.css?dpl=old"}, "old"},
		{"a request of the app's own", "app.test", "/api/cart?dpl=old", []string{"Sec-Fetch-Dest", "empty"}, "old"},

		{"an image of another site's style sheet", "app.test", "/docs/robots.txt", []string{"Sec-Fetch-Dest", "image", "Referer", "http://www.app.test/docs/_next/static/css/a.css?dpl=old"}, "new"},
		{"an image of a page", "app.test", "/docs/robots.txt", []string{"Sec-Fetch-Dest", "image", "Referer", "http://app.test/docs/about?dpl=old"}, "new"},
		{"a request of a worker", "app.test", "/docs/robots.txt", []string{"Sec-Fetch-Dest", "empty", "Referer", "http://app.test/docs/_next/static/chunks/a.js?dpl=old"}, "new"},
		{"a page that follows a style sheet", "app.test", "/docs/robots.txt", []string{"Sec-Fetch-Dest", "document", "Referer", "http://app.test/docs/_next/static/css/a.css?dpl=old"}, "new"},
		{"an image with two addresses", "app.test", "/docs/_next/image?url=%2Fa.png%3Fdpl%3Dold&url=%2Fb.png", nil, "new"},

		{"a chunk of the live version", "app.test", "/docs/_next/static/chunks/a.js?dpl=new", nil, "new"},
		{"a page", "app.test", "/about", []string{"Sec-Fetch-Dest", "document"}, "new"},
		{"a page with an id in its URL", "app.test", "/about?dpl=old", []string{"Sec-Fetch-Dest", "document"}, "new"},
		{"the same without fetch metadata", "app.test", "/about?dpl=old", nil, "new"},
		{"a page with the field", "app.test", "/about", []string{old, "old", "Sec-Fetch-Dest", "document"}, "new"},
		{"a navigation of another kind", "app.test", "/about", []string{old, "old", "Sec-Fetch-Mode", "navigate"}, "new"},
		{"a frame", "app.test", "/about", []string{old, "old", "Sec-Fetch-Dest", "iframe"}, "new"},
		{"an expired id", "app.test", "/about", []string{old, "older"}, "new"},
		{"a chunk with an expired id", "app.test", "/docs/_next/static/chunks/a.js?dpl=older", nil, "new"},
		{"an unknown id", "app.test", "/about", []string{old, "oldest"}, "new"},
		{"an empty id", "app.test", "/about", []string{old, ""}, "new"},
		{"two ids", "app.test", "/about", []string{old, "old", old, "old"}, "new"},
		{"two ids in a query", "app.test", "/docs/_next/static/chunks/a.js?dpl=old&dpl=old", nil, "new"},
		{"an id in another parameter", "app.test", "/docs/_next/static/chunks/a.js?adpl=old", nil, "new"},
		{"another host of the live version", "other.test", "/about", []string{old, "old"}, "new"},
		{"the version's own host", "old.app.test", "/about", []string{old, "new"}, "old"},
	} {
		if got := e.get(t, c.host, c.target, c.headers...); got.status != 200 || got.body != c.want {
			t.Errorf("%s: %d %q, want %q", c.what, got.status, got.body, c.want)
		}
	}
	action := e.request(t, http.MethodPost, "app.test", "/cart", http.NoBody, "Next-Action", "1", old, "old")
	if action.body != "old" {
		t.Errorf("a server action is answered by %q", action.body)
	}
}

// The answers of a version are its own in the edge's cache, and name what chose it for caches behind
// the edge.
func TestEdge_Pins_ShareNoAnswers(t *testing.T) {
	e := start(t, Config{})
	store := cache.New(1 << 20)
	for name, site := range versions(t, e.Edge, time.Now()) {
		site.Cache, site.Sharing = store.Namespace(), Sharing{Guarded: func(*url.URL) bool { return false }}
		site.Default = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Cache-Control"], w.Header()["Vary"] = []string{"s-maxage=600"}, []string{"Rsc"}
			_, _ = io.WriteString(w, name)
		})
	}
	for round := range 2 {
		for _, id := range []string{"new", "old", "unknown", ""} {
			got := e.get(t, "app.test", "/about?_rsc=1", HeaderSkew, id)
			want := map[string]string{"old": "old"}[id]
			if want == "" {
				want = "new"
			}
			if got.body != want {
				t.Errorf("round %d: a tab of %q gets the answer of %q", round, id, got.body)
			}
			if vary := got.header["Vary"]; len(vary) != 2 || vary[0] != "Rsc" || vary[1] != HeaderSkew {
				t.Errorf("round %d: it varies by %q", round, vary)
			}
		}
	}
}

// A pinned site counts its requests, so that it is drained before its functions stop.
func TestEdge_Pins_AreDrained(t *testing.T) {
	e := start(t, Config{})
	begun, end := make(chan struct{}), make(chan struct{})
	sites := versions(t, e.Edge, time.Now())
	sites["old"].Default = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { close(begun); <-end })
	answered := make(chan error, 1)
	go func() {
		_, err := e.try(http.MethodGet, "app.test", "/about", nil, HeaderSkew, "old")
		answered <- err
	}()
	<-begun
	e.publish(map[string]*Site{"app.test": sites["new"]})
	if got := e.get(t, "app.test", "/about", HeaderSkew, "old"); got.body != "new" {
		t.Errorf("the table has no pins, and %q answers", got.body)
	}
	drained := make(chan error, 1)
	go func() { drained <- sites["old"].Drain(t.Context()) }()
	select {
	case <-drained:
		t.Error("it is drained before its request has ended")
	default:
	}
	close(end)
	if err := <-answered; err != nil {
		t.Error(err)
	}
	if err := <-drained; err != nil {
		t.Error(err)
	}
}
