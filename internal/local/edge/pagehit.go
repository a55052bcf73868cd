package edge

import (
	"bytes"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/anchor-deploy/anchor/internal/local/edge/asset"
	"github.com/anchor-deploy/anchor/internal/local/edge/cache"
)

// findPage completes h with the stored, fresh page that a plain GET selects. Whatever takes more
// than the request line and Accept to find it is left to net/http.
func (e *Edge) findPage(h *hit, r *plainGet, secure bool) bool {
	site := h.site
	if site.Cache == nil || site.Middleware != nil || r.odd || r.forwarded || len(e.cfg.TrustedProxies) > 0 ||
		strings.HasPrefix(r.target, "//") {
		return false
	}
	l := pageLookups.Get().(*pageLookup)
	defer pageLookups.Put(l)
	found, now := l.begin(site.Cache, r, secure), e.now()
	entry, _ := found.Find(now)
	if entry == nil || entry.Status != http.StatusOK || entry.State(now) != cache.Fresh || entry.AsksForTags(now) ||
		len(entry.Header[cache.HeaderStatus]) > 0 ||
		h.hsts != nil && len(entry.Header[headerHSTS]) > 0 {
		return false
	}
	coding := ""
	if r.accept != "" {
		coding = asset.Coding([]string{r.accept})
	}
	form := site.formFor(found, entry, coding)
	switch r.noneMatch {
	case "":
		h.file = asset.Ready{Header: form.Whole, Body: form.Body}
	case form.Tag:
		h.file = asset.Ready{Header: form.Unchanged, Unchanged: true}
	default:
		return false
	}
	h.tail = pageTail(entry, r, now)
	h.page = entry
	return true
}

// pageLookup is a lookup and what it refers to. They escape; the request of a hit must not, because files cost no
// allocation.
type pageLookup struct {
	found   cache.Request
	request plainGet
	fields  cache.Fields // request.pageField
}

var pageLookups = sync.Pool{New: func() any {
	l := &pageLookup{}
	l.fields = l.request.pageField
	return l
}}

// begin returns a lookup that is valid until l is used again.
func (l *pageLookup) begin(in *cache.Namespace, r *plainGet, secure bool) *cache.Request {
	l.request = *r
	l.found = cache.Request{Namespace: in, Key: pageKey(r, secure), Fields: l.fields}
	return &l.found
}

// absentRouterFields are the values of routerFields in a request that has none.
var absentRouterFields = slices.Repeat([]string{cache.Joined(nil)}, len(routerFields))

// pageKey returns the key that cacheRequest returns for the same request, unless the answer depends on
// Site.Sharing: a key with more parts is another one.
func pageKey(r *plainGet, secure bool) cache.Key {
	proto, port := "http", portOf(r.host)
	if secure {
		proto = "https"
	}
	if port == "" {
		port = defaultPort(proto)
	}
	var parts [16]string
	all := append(parts[:0], r.host, r.target, r.host, proto, port)
	return cache.NewKey(append(all, absentRouterFields...)...)
}

// pageField is requestField for a plain GET. Of the fields that it does not keep it returns what no
// stored answer has.
func (r *plainGet) pageField(name string) string {
	switch {
	case name == "Accept-Encoding":
		if !r.coded {
			return ""
		}
		return strings.Join(asset.Acceptable([]string{r.accept}), ",")
	case name == "Accept" && r.types != "":
		return cache.Joined([]string{r.types})
	case name == "Accept", slices.Contains(routerFields, name):
		return cache.Joined(nil)
	}
	return "\x00unknown"
}

// pageTail returns the fields of a page that differ from one response to the next, and the empty
// line that ends the header.
func pageTail(entry *cache.Entry, r *plainGet, now time.Time) []byte {
	status := cache.Status{Hit: true, TTL: entry.TTL(now), HasTTL: true}
	tail := make([]byte, 0, 160)
	tail = append(tail, "Age: "...)
	tail = strconv.AppendInt(tail, int64(entry.Age(now)/time.Second), 10)
	tail = append(tail, "\r\n"+cache.HeaderStatus+": "...)
	tail = status.Append(tail)
	tail = append(tail, "\r\n"+headerRequestID+": "...)
	if isSaneID(r.requestID) {
		tail = append(tail, r.requestID...)
	} else {
		tail = appendRequestID(tail)
	}
	return append(tail, "\r\n\r\n"...)
}

// isOrdinaryCookie reports whether no cookie of a line switches Next.js' draft mode on, and none
// has an escape in its name, behind which such a cookie could hide.
func isOrdinaryCookie(line []byte) bool {
	for _, name := range draftCookies {
		if bytes.Contains(line, []byte(name)) {
			return false
		}
	}
	if bytes.IndexByte(line, '%') < 0 {
		return true
	}
	for pair := range bytes.FieldsFuncSeq(line, isCookieSeparator) {
		name, _, _ := bytes.Cut(pair, []byte("="))
		if bytes.IndexByte(name, '%') >= 0 {
			return false
		}
	}
	return true
}
