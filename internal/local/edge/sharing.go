package edge

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/anchor-deploy/anchor/internal/local/edge/asset"
	"github.com/anchor-deploy/anchor/internal/local/edge/cache"
)

// Sharing says what the answers of a site's functions depend on, beside the URL and what Vary names.
// The publisher of the site reads it from the app's routing.
type Sharing struct {
	// Guarded reports whether the app's middleware, which runs inside the function, runs for a URL.
	// It may answer each visitor differently, so such an answer is shared only if it has
	// Anchor-CDN-Cache-Control. May be nil: it runs for all.
	Guarded func(u *url.URL) bool
	// Headers and Cookies are request fields (canonical) and cookies by which the rules of
	// next.config select an answer (has, missing, the language of i18n).
	Headers, Cookies []string
}

// routerFields are what Next.js' client router asks with. They select an answer even where its Vary
// does not name them (next/dist/client/components/app-router-headers.js; Purpose in
// next/dist/server/base-server.js).
var routerFields = []string{
	"Rsc", "Next-Router-State-Tree", "Next-Router-Prefetch", "Next-Router-Segment-Prefetch", "Next-Url",
	"Next-Hmr-Refresh", "X-Nextjs-Data", "Purpose",
}

// addressFields are set by the edge (forward), and the app sees them.
var addressFields = []string{"X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port"}

// privateFields keep a request from the cache: its answer is for one client, or acts on the app's
// own cache. The values say why, as Cache-Status does.
var privateFields = map[string]string{
	"Authorization":                       "authorization",
	"X-Prerender-Revalidate":              "revalidation",
	"X-Prerender-Revalidate-If-Generated": "revalidation",
	"X-Next-Revalidated-Tags":             "revalidation",
	"X-Next-Revalidate-Tag-Token":         "revalidation",
	clientPrefetch:                        "prefetch",
	"Next-Action":                         "action",
	"Content-Type":                        "body",
	"If-Match":                            "precondition",
	"If-Unmodified-Since":                 "precondition",
}

// draftCookies switch Next.js' draft mode and preview mode on.
var draftCookies = []string{"__prerender_bypass", "__next_preview_data"}

// keptFromCache returns why a request goes past the cache; "" if it does not.
func keptFromCache(r *http.Request) string {
	if r.ContentLength != 0 {
		return "body"
	}
	for name, why := range privateFields {
		if _, ok := r.Header[name]; ok {
			return why
		}
	}
	for _, name := range draftCookies {
		if cookieValues(r.Header, name) != "" {
			return "draft"
		}
	}
	return ""
}

// cookieValues returns all occurrences of a cookie, joined; "" for none. It splits as the worker
// and OpenNext do, so that no spelling hides a cookie from one of them.
func cookieValues(h http.Header, name string) string {
	var found strings.Builder
	for _, line := range h["Cookie"] {
		for pair := range strings.FieldsFuncSeq(line, isCookieSeparator) {
			key, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
			if decoded, err := url.PathUnescape(key); err == nil {
				key = decoded
			}
			if strings.TrimSpace(key) == name {
				found.WriteString("=" + value + ";")
			}
		}
	}
	return found.String()
}

func isCookieSeparator(c rune) bool { return c == ';' || c == ',' }

// cacheRequest returns how the cache looks for the answer to a request for a function.
func (s *Site) cacheRequest(t target, r *http.Request) *cache.Request {
	target := r.URL.RequestURI()
	parts := []string{r.Host, target} // pageKey has the same ones
	for _, name := range addressFields {
		parts = append(parts, r.Header.Get(name))
	}
	for _, name := range routerFields {
		parts = append(parts, cache.Joined(r.Header[name]))
	}
	if !t.bare {
		for _, name := range s.Sharing.Headers {
			parts = append(parts, cache.Joined(r.Header[name]))
		}
		for _, name := range s.Sharing.Cookies {
			parts = append(parts, cookieValues(r.Header, name))
		}
	}
	return &cache.Request{
		Namespace: s.Cache,
		Key:       cache.NewKey(parts...),
		Resource:  resourceOf(r, target),
		Fields:    func(name string) string { return requestField(r.Header, name) },
	}
}

func resourceOf(r *http.Request, target string) cache.Resource {
	return cache.Resource{Scheme: r.Header.Get("X-Forwarded-Proto"), Host: strings.ToLower(r.Host), Target: target}
}

// requestField returns a field as Vary compares it.
func requestField(h http.Header, name string) string {
	if name == "Accept-Encoding" {
		return strings.Join(asset.Acceptable(h[name]), ",")
	}
	return cache.Joined(h[name])
}

// declared returns which statement an answer needs in order to be shared.
func (s *Site) declared(t target, u *url.URL) cache.Declared {
	if t.bare || s.Sharing.Guarded != nil && !s.Sharing.Guarded(u) {
		return cache.ByAnyField
	}
	return cache.ByAnchorField
}

// judge is cache.Judge with what Anchor, OpenNext and Next.js say in fields of their own.
func judge(status int, h http.Header, declared cache.Declared, now time.Time) (cache.Lifetime, cache.Reason) {
	for name := range h {
		if strings.HasPrefix(name, "X-Anchor-") { // a file of the edge, or a failure of the worker
			return cache.Lifetime{}, "not-final"
		}
	}
	if h.Get("X-Nextjs-Postponed") == "1" { // the rest of the page is rendered for each visitor
		return cache.Lifetime{}, "postponed"
	}
	life, why := cache.Judge(status, h, declared, now)
	if slices.Contains([]string{h.Get("X-Nextjs-Cache"), h.Get("X-Opennext-Cache")}, "STALE") {
		// The app renders the page again. Once it has, nobody should see this answer.
		life.StaleWhileRevalidate = 0
	}
	return life, why
}
