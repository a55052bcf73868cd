package cache

import (
	"net/http"

	"github.com/dunglas/httpsfv"
)

// HeaderTargeted is Anchor's own targeted field. It takes precedence over CDN-Cache-Control, and is
// not sent to clients.
const HeaderTargeted = "Anchor-Cdn-Cache-Control"

const headerCDN = "Cdn-Cache-Control"

// control is where the directives of a response come from.
type control int

const (
	controlNone control = iota
	controlCommon
	controlCDN
	controlAnchor
)

// directivesOf returns the directives that apply to a shared cache in the place of this one: those
// of the first targeted field that is valid and not empty (RFC 9213, section 2.2), else those of
// Cache-Control.
func directivesOf(h http.Header) (Directives, control) {
	for _, field := range []struct {
		name string
		from control
	}{{HeaderTargeted, controlAnchor}, {headerCDN, controlCDN}} {
		if d, ok := ParseTargeted(h[field.name]); ok {
			return d, field.from
		}
	}
	if lines := h["Cache-Control"]; len(lines) > 0 {
		return ParseDirectives(lines), controlCommon
	}
	return noDirectives(), controlNone
}

// ParseTargeted parses the lines of a targeted field, which is a Dictionary (RFC 9213, section 2.1;
// RFC 9651, section 3.2). It returns false for a field that is empty or malformed, which has to be
// ignored as a whole. A number of another type than Integer counts as 0, as it does in
// Cache-Control.
func ParseTargeted(lines []string) (Directives, bool) {
	d := noDirectives()
	if len(lines) == 0 {
		return d, false
	}
	members, err := httpsfv.UnmarshalDictionary(lines)
	if err != nil || len(members.Names()) == 0 {
		return d, false
	}
	for _, name := range members.Names() {
		member, _ := members.Get(name)
		item, _ := member.(httpsfv.Item) // an inner list has no value that a directive takes
		if number := d.number(name); number != nil {
			*number = secondsOf(item.Value)
			continue
		}
		if item.Value != false {
			d.setFlag(name)
		}
	}
	return d, true
}

// secondsOf returns delta-seconds of an Integer.
func secondsOf(value any) Seconds {
	n, ok := value.(int64)
	if !ok || n < 0 {
		return invalid
	}
	return min(Seconds(n), longest)
}
