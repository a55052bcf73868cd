package edge

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// taggedApp answers with the tags that the query names, as the worker sends them, and the state of
// the app's own cache.
func taggedApp(t *testing.T) *cachedApp {
	return cached(t, Config{}, func(a *cachedApp, w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", shared)
		if tags, named := r.URL.Query()["tags"]; named {
			w.Header().Set(HeaderTags, tags[0])
		}
		state := r.URL.Query().Get("state")
		if r.Header.Get("X-Prerender-Revalidate") != "" && !r.URL.Query().Has("fails") {
			state = "REVALIDATED"
		}
		w.Header().Set("X-Nextjs-Cache", state)
		fmt.Fprintf(w, "call %d", a.calls.Load())
	})
}

// A revalidated tag makes the answers invalid that have it, and those of which that is not known.
func TestTags_OnlyWhatHasThem(t *testing.T) {
	for target, kept := range map[string]bool{
		"/?state=HIT&tags=tother,k/other":            true,
		"/?state=STALE&tags=tother,k/b":              true,
		"/?state=HIT&tags=k/b":                       true, // made from a page that has none
		"/?state=HIT&tags=":                          false,
		"/?state=HIT&tags=tother":                    false, // the page itself was not read
		"/?state=HIT&tags=tnews":                     false,
		"/?state=HIT&tags=tother,tnews":              false,
		"/?state=HIT&tags=k/b,tother,tsome%2520more": true,
		"/?state=HIT&tags=k%252Fnews":                false, // the entry itself was revalidated
		"/?state=HIT&tags=k/index":                   true,
		"/?state=HIT":                                false, // not known
		"/?state=MISS&tags=tother":                   false, // those of the entry before
		"/?state=&tags=tother":                       false, // not from the app's cache
		"/?state=HIT&tags=tother,x":                  false, // not understood
		"/?state=HIT&tags=tother,t%25zz":             false,
		"/?state=HIT&tags=ta//b":                     false, // OpenNext looks it up under another name
		"/?state=HIT&tags=ta/../b":                   false,
		"/?state=HIT&tags=t_N_T_/,t_N_T_/a,k/a":      true,
	} {
		a := taggedApp(t)
		one := a.get(t, "a.test", target)
		wantField(t, one, HeaderTags, "")
		if two := a.get(t, "a.test", target); two.body != one.body {
			t.Errorf("%s is not stored: %s", target, two.header.Get("Cache-Status"))
		}
		a.site.InvalidateEntries([]string{"news"}, []string{"news"})
		if two := a.get(t, "a.test", target); (two.body == one.body) != kept {
			t.Errorf("%s: %q, then %q", target, one.body, two.body)
		}
	}
}

// An answer of a function with no access to the app's cache, as that for images, has no tags.
func TestTags_BareFunctionsHaveNone(t *testing.T) {
	a := taggedApp(t)
	a.site = &Site{ID: "b", Cache: a.store.Namespace(), Routes: []Route{{Pattern: "_next/image*", Target: a.site.Default, Bare: true}}}
	a.publish(map[string]*Site{"a.test": a.site})
	one := a.get(t, "a.test", "/_next/image?url=a")
	a.site.InvalidateEntries([]string{"news"}, nil)
	if two := a.get(t, "a.test", "/_next/image?url=a"); two.body != one.body {
		t.Errorf("%q, then %q", one.body, two.body)
	}
}

// The field does not reach clients past the cache either, and a client cannot send it.
func TestTags_AreNotShown(t *testing.T) {
	a := taggedApp(t)
	wantField(t, a.get(t, "a.test", "/?state=HIT&tags=tnews", "Authorization", "x"), HeaderTags, "")
	wantField(t, a.request(t, http.MethodPost, "a.test", "/?state=HIT&tags=tnews", nil), HeaderTags, "")
}

// A page that the app has rendered for an answer is asked for again, once, behind the back of a client.
func TestTags_AreAskedFor(t *testing.T) {
	entered := make(chan struct{}, 8)
	a := cached(t, Config{}, func(a *cachedApp, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", shared)
		w.Header().Set(HeaderTags, "tother,k/page")
		w.Header().Set("X-Nextjs-Cache", map[bool]string{true: "MISS", false: "HIT"}[a.calls.Load() == 1])
		fmt.Fprintf(w, "call %d", a.calls.Load())
		entered <- struct{}{}
	})
	a.wantBody(t, "call 1")
	<-entered
	a.wantBody(t, "call 1")
	a.pass(2 * time.Second)
	a.wantBody(t, "call 1")
	<-entered
	waitFor(t, func() bool { return a.get(t, "a.test", "/").body == "call 2" })
	a.site.InvalidateEntries([]string{"news"}, nil)
	a.wantBody(t, "call 2")
	a.pass(2 * time.Second)
	a.wantBody(t, "call 2")
	if calls := a.calls.Load(); calls != 2 {
		t.Errorf("%d calls", calls)
	}
}

// An app that renders the page each time is not asked again and again.
func TestTags_AreAskedForOnce(t *testing.T) {
	a := taggedApp(t)
	const target = "/?state=MISS"
	a.get(t, "a.test", target)
	a.pass(2 * time.Second)
	a.get(t, "a.test", target)
	waitFor(t, func() bool { return a.get(t, "a.test", target).body == "call 2" })
	for range 3 {
		a.pass(2 * time.Second)
		if got := a.get(t, "a.test", target); got.body != "call 2" {
			t.Fatal(got.body)
		}
	}
}

// The app renders a page again when its time is over. Answers that were made from other pages stay.
func TestTags_RevalidationOfOnePage(t *testing.T) {
	a := taggedApp(t)
	page := a.get(t, "a.test", "/page?state=HIT&tags=tall,k/page")
	other := a.get(t, "a.test", "/other?state=HIT&tags=tall,k/other")
	unknown := a.get(t, "a.test", "/unknown")
	a.get(t, "a.test", "/page?tags=tall,k/page", "X-Prerender-Revalidate", "secret")
	if again := a.get(t, "a.test", "/page?state=HIT&tags=tall,k/page"); again.body == page.body {
		t.Error("the page is as before")
	}
	if again := a.get(t, "a.test", "/other?state=HIT&tags=tall,k/other"); again.body != other.body {
		t.Error("another page was made invalid")
	}
	if again := a.get(t, "a.test", "/unknown"); again.body == unknown.body || strings.HasPrefix(again.header.Get("Cache-Status"), "anchor; hit") {
		t.Error("an answer of which nothing is known stays")
	}
}

// What Next.js renders again concerns the page, at every address, and nothing else: neither answers of
// which only the tags are not known, nor those that were made from no page. A request of Anchor's own is trusted
// whatever it is answered with, that of a client only with Next.js' word.
func TestTags_RevalidationKnowsTheKey(t *testing.T) {
	a := taggedApp(t)
	others := []string{"/other?state=HIT&tags=tall,k/other", "/new?state=MISS&tags=k/new,?", "/data?state=&tags=?", "/none?state=&tags="}
	pages := []string{"/page?state=HIT&tags=tall,k/page", "/rewritten?state=MISS&tags=k/page,?"}
	before := map[string]string{}
	for _, target := range append(others, pages...) {
		before[target] = a.get(t, "a.test", target).body
	}
	revalidate := func(own bool, target string) {
		if !own {
			a.get(t, "a.test", target, "X-Prerender-Revalidate", "secret")
			return
		}
		r := httptest.NewRequest(http.MethodHead, target, nil)
		r.Header.Set("X-Prerender-Revalidate", "secret")
		a.Dispatch(a.site, httptest.NewRecorder(), r)
	}
	wantChanged := func(what string, changed ...string) {
		t.Helper()
		for target, body := range before {
			now := a.get(t, "a.test", target).body
			if want := slices.Contains(changed, target); (now != body) != want {
				t.Errorf("%s: %s changed: %t", what, target, !want)
			}
			before[target] = now
		}
	}
	revalidate(false, "/page?tags=tall,k/page")
	wantChanged("a client's", pages...)
	revalidate(true, "/page?tags=tall,k/page")
	wantChanged("Anchor's own", pages...)
	revalidate(true, "/page?fails=1&tags=tall,k/page")
	wantChanged("one that fails", pages...)
	revalidate(false, "/page?fails=1&tags=tall,k/page")
	wantChanged("one that a client invents")
	revalidate(true, "/page?fails=1&tags=")
	wantChanged("one that is redirected")
	revalidate(true, "/page?fails=1")
	wantChanged("one of which nothing is known", append(others, pages...)...)
}
