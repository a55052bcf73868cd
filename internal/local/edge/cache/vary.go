package cache

import (
	"net/http"
	"slices"
	"strings"
)

// VaryOf returns the fields that a response's Vary names, in canonical form, sorted and each once
// (RFC 9110, section 12.5.5). "*" is among them if it occurs.
func VaryOf(h http.Header) []string {
	var names []string
	for _, line := range h["Vary"] {
		for name := range strings.SplitSeq(line, ",") {
			if name = http.CanonicalHeaderKey(strings.TrimSpace(name)); name != "" && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return names
}

// Fields returns the normalised value of a request field by its canonical name. Requests with equal
// values are equal to a response that varies by the field (RFC 9111, section 4.1).
type Fields func(name string) string

func (f Fields) of(names []string) []string {
	values := make([]string, len(names))
	for i, name := range names {
		values[i] = f(name)
	}
	return values
}

// Joined is the normal form of a list-valued field: its elements without the white space around
// commas (RFC 9110, section 5.3). An absent field differs from an empty one.
func Joined(lines []string) string {
	if len(lines) == 0 {
		return "\x00"
	}
	var b strings.Builder
	for _, line := range lines {
		for element := range strings.SplitSeq(line, ",") {
			b.WriteString(strings.Trim(element, " \t"))
			b.WriteByte(',')
		}
	}
	return b.String()
}
