package cache

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/anchor-deploy/anchor/internal/local/edge/asset"
)

// Lifetime says for how long a stored response may be used, by its age.
type Lifetime struct {
	// Fresh is the age up to which the response is fresh.
	Fresh time.Duration
	// StaleWhileRevalidate and StaleIfError extend Fresh (RFC 5861).
	StaleWhileRevalidate, StaleIfError time.Duration
}

// usable is the age up to which the response is of any use without being asked about.
func (l Lifetime) usable() time.Duration {
	return l.Fresh + max(l.StaleWhileRevalidate, l.StaleIfError)
}

// Reason says why a response is not stored, in the words of a token; "" for one that is.
type Reason string

// Declared says which statement of a response that it may be shared counts.
type Declared int

const (
	// ByAnyField accepts s-maxage, public, and targeted fields.
	ByAnyField Declared = iota
	// ByAnchorField accepts only Anchor-CDN-Cache-Control, whose author had this cache in mind.
	ByAnchorField
)

// storable are the statuses of responses that are stored (RFC 9110, section 15.1, without those
// that an app uses for failures, and with the temporary redirects).
var storable = map[int]bool{
	http.StatusOK: true, http.StatusNonAuthoritativeInfo: true, http.StatusNoContent: true, http.StatusMultipleChoices: true,
	http.StatusMovedPermanently: true, http.StatusFound: true, http.StatusTemporaryRedirect: true, http.StatusPermanentRedirect: true,
	http.StatusNotFound: true, http.StatusMethodNotAllowed: true, http.StatusGone: true, http.StatusRequestURITooLong: true,
	http.StatusNotImplemented: true,
}

// temporary are those of them that need an explicit lifetime.
var temporary = map[int]bool{http.StatusFound: true, http.StatusTemporaryRedirect: true}

// Judge decides whether a shared cache may store the response to a GET request that it received at
// now (RFC 9111, section 3), and for how long it may use it. Stored is only what says that it may
// be shared: a lifetime alone is a statement to browsers.
func Judge(status int, h http.Header, declared Declared, now time.Time) (Lifetime, Reason) {
	switch {
	case !storable[status]:
		return Lifetime{}, "status"
	case len(h["Set-Cookie"]) > 0:
		return Lifetime{}, "set-cookie"
	case len(h["Content-Range"]) > 0:
		return Lifetime{}, "partial"
	case slices.Contains(VaryOf(h), "*"):
		return Lifetime{}, "vary"
	}
	d, from := directivesOf(h)
	switch {
	case d.NoStore:
		return Lifetime{}, "no-store"
	case d.Private:
		return Lifetime{}, "private"
	case d.NoCache:
		return Lifetime{}, "no-cache"
	case declared == ByAnchorField && from != controlAnchor:
		return Lifetime{}, "middleware"
	case from == controlNone, from == controlCommon && !d.Public && d.SharedMaxAge == unset:
		return Lifetime{}, "not-shared"
	}
	life := Lifetime{Fresh: freshness(status, h, d, from, now)}
	if !d.MustRevalidate {
		life.StaleWhileRevalidate, life.StaleIfError = d.StaleWhileRevalidate.duration(), d.StaleIfError.duration()
	}
	if initialAge(h, now) >= life.usable() {
		return Lifetime{}, "expired"
	}
	return life, ""
}

func (s Seconds) duration() time.Duration { return time.Duration(max(s, 0)) * time.Second }

// freshness returns the freshness lifetime (RFC 9111, section 4.2.1). A targeted field makes
// Expires and Cache-Control count for nothing (RFC 9213, section 2.2).
func freshness(status int, h http.Header, d Directives, from control, now time.Time) time.Duration {
	switch {
	case d.SharedMaxAge != unset:
		return d.SharedMaxAge.duration()
	case d.MaxAge != unset:
		return d.MaxAge.duration()
	case from != controlCommon:
		return 0
	case len(h["Expires"]) > 0:
		return max(expiry(h["Expires"], date(h["Date"], now)), 0)
	case temporary[status]:
		return 0
	}
	return heuristic(h, date(h["Date"], now))
}

// expiry returns how long after generated a response expires. An invalid date, and one of several
// that differ, is in the past (RFC 9111, section 5.3).
func expiry(lines []string, generated time.Time) time.Duration {
	at, err := http.ParseTime(lines[0])
	for _, other := range lines[1:] {
		if other != lines[0] {
			return 0
		}
	}
	if err != nil {
		return 0
	}
	return at.Sub(generated)
}

// longestHeuristic bounds what is only a guess.
const longestHeuristic = 24 * time.Hour

// heuristic returns a tenth of the time for which a response had not changed when it was generated
// (RFC 9111, section 4.2.2). It applies to responses that are public and name no lifetime.
func heuristic(h http.Header, generated time.Time) time.Duration {
	modified := date(h["Last-Modified"], generated)
	return min(max(generated.Sub(modified)/10, 0), longestHeuristic)
}

// date returns the time of a field with one valid date, or fallback.
func date(lines []string, fallback time.Time) time.Time {
	if t, ok := asset.ParseDate(lines); ok {
		return t
	}
	return fallback
}

// initialAge is the corrected_initial_age of RFC 9111, section 4.2.3, of a response received at
// now. The delay of a function on this machine is not counted.
func initialAge(h http.Header, now time.Time) time.Duration {
	apparent := now.Sub(date(h["Date"], now)).Truncate(time.Second)
	said := unset
	for _, line := range h["Age"] { // of several, the first one counts (section 5.1)
		first, _, _ := strings.Cut(line, ",")
		said = deltaSeconds(strings.TrimSpace(first))
		break
	}
	return max(apparent, said.duration(), 0)
}
