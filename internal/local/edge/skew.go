package edge

import (
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Pins are the earlier versions of a host's site that browser tabs may still use, by the id that
// Next.js puts into the pages of each (deploymentId in next.config): a tab that loaded version A
// sends A's id with what it requests later, and keeps working when the host leads to version B.
type Pins map[string]Pin

// Pin is one earlier version.
type Pin struct {
	Site  *Site
	Until time.Time // when tabs can no longer use it
}

// Pinning returns the table with pins by lower-case host. The host of a pin must be in the table; its
// policies and limits apply to the pinned sites too.
func (t *Table) Pinning(pins map[string]Pins) *Table {
	with := *t
	with.pins = maps.Clone(pins)
	for _, ofHost := range pins {
		for _, pin := range ofHost {
			pin.Site.prepareRoutes()
		}
	}
	return &with
}

// HeaderSkew is the field by which Next.js' router, and fetch() of an app that sets it, name the version
// that the page is of.
const HeaderSkew = "X-Deployment-Id"

// pinnedSite returns the site for a request to a host that leads to live: the version that the request
// names, while tabs may use that, else live, or what the host's split draws.
func (e *Edge) pinnedSite(table *Table, live *Site, r *http.Request) (*Site, *splitAnswer) {
	if len(table.pins) > 0 {
		if pins := table.pins[hostnameOf(r.Host)]; len(pins) > 0 {
			if site := pins.find(skewID(r), e.now()); site != nil {
				return site, nil
			}
		}
	}
	split, ok := table.splitOf(r.Host)
	if !ok || live.Assets.Hashed(r.URL.Path) { // every version finds the hashed files of all
		return live, nil
	}
	c, answer := split.choose(live, r), &splitAnswer{}
	if c.lot >= 0 {
		answer.cookie = newLotCookie(c.lot, e.isSecure(r))
	}
	return c.site, answer
}

// find returns the version with an id while tabs may use it, or nil.
func (p Pins) find(id string, now time.Time) *Site {
	if pin, ok := p[id]; ok && now.Before(pin.Until) {
		return pin.Site
	}
	return nil
}

// skewID returns the id of the version that a request names, or "". Next.js names it in a query for
// what its pages load and in a header for what its router asks. An app may use both for requests of
// its own. A page that the browser itself loads names none: it always is the live one.
func skewID(r *http.Request) string {
	if isBelowNext(r.URL.Path) {
		if id := nextID(r.URL.RawQuery); id != "" {
			return id
		}
	}
	if loadsDocument(r.Header) {
		return ""
	}
	switch ids := r.Header[HeaderSkew]; {
	case len(ids) == 1:
		return ids[0]
	case len(ids) == 0 && r.Header.Get("Sec-Fetch-Dest") != "":
		if id := queryID(r.URL.RawQuery); id != "" {
			return id
		}
		return refererID(r)
	}
	return ""
}

// nextID returns the id in the query of a request below /_next/: its own, or that of the picture which
// the image optimizer is asked for. Next.js itself adds one only to imported pictures, and an app to others
// ("/mug.jpg?dpl=ID").
func nextID(query string) string {
	if id := queryID(query); id != "" || !strings.Contains(query, "dpl") {
		return id
	}
	values, err := url.ParseQuery(query)
	if err != nil || len(values["url"]) != 1 {
		return ""
	}
	_, query, _ = strings.Cut(values.Get("url"), "?")
	return queryID(query)
}

// refererID returns the id of the style sheet that a picture or a font is loaded for. Scripts may ask for
// the live version.
func refererID(r *http.Request) string {
	referer := r.Header.Get("Referer")
	if !strings.Contains(referer, "dpl=") || r.Header.Get("Sec-Fetch-Dest") == "empty" {
		return ""
	}
	from, err := url.Parse(referer)
	if err != nil || !strings.EqualFold(from.Host, r.Host) || !isBelowNext(from.Path) {
		return ""
	}
	return queryID(from.RawQuery)
}

// isBelowNext reports whether a path is of the files and routes of Next.js itself, below any base path.
// They are never a page.
func isBelowNext(path string) bool { return strings.Contains(path, "/_next/") }

// loadsDocument reports whether a browser asks for a page or a frame (Fetch Metadata Request Headers,
// sections 2.1 and 2.2).
func loadsDocument(h http.Header) bool {
	switch h.Get("Sec-Fetch-Dest") {
	case "document", "iframe", "frame", "fencedframe", "embed", "object":
		return true
	}
	return h.Get("Sec-Fetch-Mode") == "navigate"
}

// queryID returns the parameter dpl of a query as it stands there, or "" when there is none or more
// than one. Ids of builds have nothing to escape.
func queryID(query string) (id string) {
	if !strings.Contains(query, "dpl=") {
		return ""
	}
	for pair := range strings.SplitSeq(query, "&") {
		value, ok := strings.CutPrefix(pair, "dpl=")
		if !ok {
			continue
		}
		if id != "" {
			return ""
		}
		id = value
	}
	return id
}

// pinnedHit is pinnedSite for a plain GET, which has no HeaderSkew. ok is false where the choice
// takes more of the request than a plainGet has.
func (e *Edge) pinnedHit(table *Table, live *Site, r *plainGet) (site *Site, ok bool) {
	if len(table.pins) > 0 {
		if pins := table.pins[hostnameOf(r.host)]; len(pins) > 0 {
			id, below := r.skewID(), isBelowNext(r.path)
			if id == "" && strings.Contains(r.referer, "dpl=") {
				return nil, false
			}
			if pinned := pins.find(id, e.now()); pinned != nil || id != "" && !below {
				return pinned, below
			}
		}
	}
	if _, split := table.splitOf(r.host); split {
		return live, live.Assets.Hashed(r.path) // all versions have the same; the rest is drawn
	}
	return live, true
}

// skewID returns the id in the query of a request, or "".
func (r *plainGet) skewID() string {
	switch query := r.target[len(r.path):]; {
	case query == "":
		return ""
	case isBelowNext(r.path):
		return nextID(query[1:])
	default:
		return queryID(query[1:])
	}
}
