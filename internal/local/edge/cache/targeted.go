package cache

import (
	"net/http"
	"strings"
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
// RFC 8941, section 3.2). It returns false for a field that is empty or malformed, which has to be
// ignored as a whole. A number of another type than Integer counts as 0, as it does in
// Cache-Control.
func ParseTargeted(lines []string) (Directives, bool) {
	members, ok := parseDictionary(strings.Join(lines, ","))
	if !ok || len(members) == 0 {
		return noDirectives(), false
	}
	d := noDirectives()
	for name, value := range members {
		if number := d.number(name); number != nil {
			*number = value.seconds()
			continue
		}
		if value.kind != kindBoolean || value.text == "1" {
			d.setFlag(name)
		}
	}
	return d, true
}
