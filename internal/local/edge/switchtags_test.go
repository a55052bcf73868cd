package edge

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/anchor-deploy/anchor/internal/local/edge/cache"
)

// renewed is a deployment whose stored page says how often it was revalidated.
type renewed struct {
	*Site
	count  atomic.Int64 // is raised first
	known  atomic.Int64 // follows when the revalidation has returned
	called atomic.Int64
}

func newRenewed(store *cache.Store, name string) *renewed {
	v := &renewed{}
	v.Site = &Site{
		ID: name, Header: http.Header{"X-Anchor-Deployment": {name}}, Cache: store.Namespace(),
		Sharing: Sharing{Guarded: func(*url.URL) bool { return false }},
		Default: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			v.called.Add(1)
			w.Header().Set("Cache-Control", "s-maxage=600, stale-while-revalidate=600")
			w.Header().Set("X-Nextjs-Cache", "HIT")
			w.Header().Set(HeaderTags, "tnews,k/page")
			fmt.Fprintf(w, "%s %d", name, v.count.Load())
		}),
	}
	return v
}

// While a page is revalidated and its project switches between two deployments, both without a pause, no
// visitor gets a page from before a revalidation that had returned when the request began, nor one of a
// deployment that was not live then.
func TestPublish_RevalidatedUnderLoad(t *testing.T) {
	const revalidations = 300
	e := start(t, Config{})
	store := cache.New(16 << 20)
	versions := map[string]*renewed{"a": newRenewed(store, "a"), "b": newRenewed(store, "b")}
	publish := func(name string) { e.publish(map[string]*Site{"a.test": versions[name].Site}) }
	publish("a")

	stop := make(chan struct{})
	var asked atomic.Int64
	var load sync.WaitGroup
	for range 4 {
		load.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				least := map[string]int64{"a": versions["a"].known.Load(), "b": versions["b"].known.Load()}
				got, err := e.try("GET", "a.test", "/page", strings.NewReader(""))
				if err != nil {
					t.Error(err)
					return
				}
				name, text, _ := strings.Cut(got.body, " ")
				count, err := strconv.ParseInt(text, 10, 64)
				if err != nil || got.status != http.StatusOK || got.header.Get("X-Anchor-Deployment") != name || count < least[name] {
					t.Errorf("status %d, %q from %s, want at least %d", got.status, got.body, got.header.Get("X-Anchor-Deployment"), least[name])
					return
				}
				asked.Add(1)
			}
		})
	}
	for n := range revalidations {
		for _, v := range versions {
			v.count.Add(1)
			v.InvalidateEntries([]string{"news"}, nil)
			v.known.Store(v.count.Load())
		}
		live := []string{"a", "b"}[n%2]
		publish(live)
		if got := e.get(t, "a.test", "/page"); got.header.Get("X-Anchor-Deployment") != live || !strings.HasPrefix(got.body, live+" ") {
			t.Errorf("%s is live and %q answers", live, got.body)
		}
	}
	close(stop)
	load.Wait()
	e.get(t, "a.test", "/page")
	if got := e.get(t, "a.test", "/page").header.Get(cache.HeaderStatus); !strings.Contains(got, "; hit") {
		t.Errorf("the page is not stored: %s", got)
	}
	t.Logf("%d requests, %d of them reached a function", asked.Load(), versions["a"].called.Load()+versions["b"].called.Load())
}
