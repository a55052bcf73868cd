package edge

import (
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/anchor-deploy/anchor/internal/local/edge/meter"
)

// Split divides the requests for a host between its site and a candidate.
type Split struct {
	Candidate *Site
	Weight    int  // percentage of the requests that the candidate gets
	Sticky    bool // by visitor, whom a cookie keeps on one site, and not by request
}

// Splitting returns the table with splits by lower-case host, which must be in the table.
func (t *Table) Splitting(splits map[string]Split) *Table {
	with := *t
	with.splits = maps.Clone(splits)
	for _, s := range splits {
		s.Candidate.prepareRoutes()
	}
	return &with
}

// splitOf returns the split of a host, if it has one.
func (t *Table) splitOf(host string) (Split, bool) {
	if len(t.splits) == 0 {
		return Split{}, false
	}
	s, ok := t.splits[hostnameOf(host)]
	return s, ok
}

// lots is how many different lots visitors draw.
const lots = 10_000

// chosen is the choice between the sites of a split for one request.
type chosen struct {
	site *Site
	lot  int // that the visitor's cookie is to hold; -1 for none
}

// choose draws the site of a request. A visitor keeps a lot, and not a site: as the weight rises,
// visitors only move to the candidate.
func (s Split) choose(live *Site, r *http.Request) chosen {
	c := chosen{site: live, lot: -1}
	lot, drawn := 0, false
	if s.Sticky {
		lot, drawn = lotOf(r)
	}
	if !drawn {
		lot = rand.IntN(lots)
		if s.Sticky {
			c.lot = lot
		}
	}
	other := s.Candidate
	if lot < s.Weight*lots/100 {
		c.site, other = s.Candidate, live
	}
	if !loadsDocument(r.Header) && !c.site.hasFile(r) && other.hasFile(r) {
		c.site = other // a file of the other version's page, which the browser asks for without an id
	}
	return c
}

// hasFile reports whether a request is for a static file of the site itself.
func (s *Site) hasFile(r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	_, found := s.Assets.Lookup(r.URL.Path)
	return found
}

// The cookie that holds a visitor's lot. Browsers take the prefix __Host- over HTTPS only, and then no other
// host of the domain can set it (RFC 6265bis, section 4.1.3.2).
const (
	lotCookie       = "anchor-lot"
	secureLotCookie = "__Host-anchor-lot"
)

// lotLife is how long a visitor keeps a lot. A split may last as long as its steps.
const lotLife = 30 * 24 * time.Hour

// lotOf returns the lot in a request's cookie.
func lotOf(r *http.Request) (lot int, ok bool) {
	for _, name := range []string{secureLotCookie, lotCookie} {
		cookie, err := r.Cookie(name)
		if err != nil {
			continue
		}
		if lot, err := strconv.Atoi(cookie.Value); err == nil && lot >= 0 && lot < lots {
			return lot, true
		}
	}
	return 0, false
}

// newLotCookie returns the cookie for a lot.
func newLotCookie(lot int, secure bool) *http.Cookie {
	c := &http.Cookie{
		Name: lotCookie, Value: strconv.Itoa(lot), Path: "/", MaxAge: int(lotLife / time.Second), HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
	if secure {
		c.Name, c.Secure = secureLotCookie, true
	}
	return c
}

// splitAnswer changes the answer to a request for which a site was drawn.
type splitAnswer struct {
	cookie *http.Cookie // nil for none
}

// sharedLifetimes are fields by which an answer allows caches between Anchor and the visitor to store it.
var sharedLifetimes = []string{"Cdn-Cache-Control", "Cloudflare-Cdn-Cache-Control", "Vercel-Cdn-Cache-Control", "Surrogate-Control", "Expires"}

// decorate adds the cookie, and keeps an answer out of caches that visitors share, which would show one
// version to those who drew the other.
func (a *splitAnswer) decorate(h http.Header) {
	if a.cookie != nil {
		h["Set-Cookie"] = append(slices.Clip(h["Set-Cookie"]), a.cookie.String()) // others may share the slice
	}
	for _, name := range sharedLifetimes {
		delete(h, name)
	}
	control := strings.ToLower(strings.Join(h["Cache-Control"], ","))
	if !strings.Contains(control, "private") && !strings.Contains(control, "no-store") {
		h["Cache-Control"] = []string{"private, no-cache"}
	}
}

// Answered returns what a site has counted since it was opened, and how many answers its functions have
// broken off after a status below 500.
func (s *Site) Answered() (samples []meter.Sample, brokenOff int64) {
	s.prepareRoutes()
	return s.traffic.Samples(), s.brokenOff.Load()
}
