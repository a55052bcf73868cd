package cache

import (
	"math"
	"strings"
)

// Directives are the response directives that a shared cache evaluates (RFC 9111, section 5.2.2;
// RFC 5861). The others need no handling: immutable (RFC 8246), for one, forbids to revalidate a
// fresh response, which no request makes this cache do.
type Directives struct {
	NoStore, NoCache, Private, Public bool
	MustRevalidate                    bool // or proxy-revalidate
	MaxAge, SharedMaxAge              Seconds
	StaleWhileRevalidate              Seconds
	StaleIfError                      Seconds
}

// Seconds is a duration in whole seconds, or unset.
type Seconds int64

const (
	unset Seconds = -1
	// invalid stands for a value that is not a number of seconds: a response whose freshness is
	// unclear is stale (RFC 9111, section 4.2.1).
	invalid Seconds = 0
	// longest is what a larger number counts as (RFC 9111, section 1.2.2).
	longest Seconds = math.MaxInt32
)

func noDirectives() Directives {
	return Directives{MaxAge: unset, SharedMaxAge: unset, StaleWhileRevalidate: unset, StaleIfError: unset}
}

// ParseDirectives parses the lines of a Cache-Control field. Names compare without regard to case,
// values may be tokens or quoted strings, and what it does not know it ignores. A number that
// occurs with two values counts as 0. The forms of no-cache and private that name fields apply to
// the whole response.
func ParseDirectives(lines []string) Directives {
	d := noDirectives()
	for _, line := range lines {
		for line != "" {
			var one directive
			one, line = nextDirective(line)
			d.set(one)
		}
	}
	return d
}

type directive struct {
	name, value string
	malformed   bool // the value is cut off or followed by garbage
}

// nextDirective parses the directive at the front of line, and returns what follows its comma.
func nextDirective(line string) (one directive, rest string) {
	end := strings.IndexAny(line, ",=")
	if end < 0 {
		return directive{name: lowerName(line)}, ""
	}
	one.name = lowerName(line[:end])
	if line[end] == ',' {
		return one, line[end+1:]
	}
	value := strings.TrimLeft(line[end+1:], " \t")
	if !strings.HasPrefix(value, `"`) {
		value, rest, _ = strings.Cut(value, ",")
		one.value = strings.TrimRight(value, " \t")
		return one, rest
	}
	one.value, rest, one.malformed = quotedString(value)
	after, rest, _ := strings.Cut(rest, ",")
	one.malformed = one.malformed || strings.Trim(after, " \t") != ""
	return one, rest
}

// quotedString parses a quoted-string (RFC 9110, section 5.6.4) at the front of s.
func quotedString(s string) (value, rest string, malformed bool) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return b.String(), s[i+1:], false
		case s[i] == '\\' && i+1 < len(s):
			i++
		}
		b.WriteByte(s[i])
	}
	return "", "", true
}

func lowerName(s string) string { return strings.ToLower(strings.Trim(s, " \t")) }

func (d *Directives) set(one directive) {
	if number := d.number(one.name); number != nil {
		setSeconds(number, parseSeconds(one))
		return
	}
	d.setFlag(one.name)
}

func (d *Directives) setFlag(name string) {
	switch name {
	case "no-store":
		d.NoStore = true
	case "no-cache":
		d.NoCache = true
	case "private":
		d.Private = true
	case "public":
		d.Public = true
	case "must-revalidate", "proxy-revalidate":
		d.MustRevalidate = true
	}
}

// number returns the directive of a name that takes a number, or nil.
func (d *Directives) number(name string) *Seconds {
	switch name {
	case "max-age":
		return &d.MaxAge
	case "s-maxage":
		return &d.SharedMaxAge
	case "stale-while-revalidate":
		return &d.StaleWhileRevalidate
	case "stale-if-error":
		return &d.StaleIfError
	}
	return nil
}

func setSeconds(number *Seconds, value Seconds) {
	if *number != unset && *number != value {
		value = invalid
	}
	*number = value
}

// parseSeconds parses delta-seconds (RFC 9111, section 1.2.2).
func parseSeconds(one directive) Seconds {
	if one.malformed {
		return invalid
	}
	return deltaSeconds(one.value)
}

func deltaSeconds(s string) Seconds {
	if s == "" {
		return invalid
	}
	n := Seconds(0)
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return invalid
		}
		n = min(n*10+Seconds(c-'0'), longest)
	}
	return n
}
