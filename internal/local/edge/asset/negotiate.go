package asset

import (
	"slices"
	"strings"
)

// codings holds what a client accepts, as weights in thousandths (RFC 9110, section 12.4.2).
type codings struct{ brotli, zstd, gzip, identity int }

const (
	unsaid = -1
	// whenUnsaid is the weight of identity without a value: it stays acceptable unless excluded
	// (RFC 9110, section 12.5.3), but any named coding is preferred.
	whenUnsaid = 1
	fullWeight = 1000
)

// chooseVariant returns the variant that the client prefers; of equal weights the smaller one. A client
// that excludes everything gets the file as it is, which section 12.5.3 allows and every client can
// refuse.
func (e *entry) chooseVariant(accept []string) *variant {
	if len(accept) == 0 || !e.hasVariants() {
		return &e.identity
	}
	switch parseAccept(accept).bestCoding(e.brotli != nil, e.zstd != nil, e.gzip != nil) {
	case Brotli:
		return e.brotli
	case Zstd:
		return e.zstd
	case Gzip:
		return e.gzip
	}
	return &e.identity
}

// hasVariants reports whether the file has variants.
func (e *entry) hasVariants() bool { return e.brotli != nil || e.zstd != nil || e.gzip != nil }

// bestCoding returns the available coding with the greatest weight; "" is identity. Of equal ones brotli
// makes the smallest bodies, and gzip the largest.
func (c codings) bestCoding(brotli, zstd, gzip bool) string {
	best, weight := "", c.identity
	if gzip && c.gzip > 0 && c.gzip >= weight {
		best, weight = Gzip, c.gzip
	}
	if zstd && c.zstd > 0 && c.zstd >= weight {
		best, weight = Zstd, c.zstd
	}
	if brotli && c.brotli > 0 && c.brotli >= weight {
		best = Brotli
	}
	return best
}

// Acceptable returns the codings that a client accepts, sorted, with "identity" if the body must
// be coded. An answer to one client is acceptable to all clients with the same list.
func Acceptable(lines []string) []string {
	var accepted []string
	for _, line := range lines {
		for item := range strings.SplitSeq(line, ",") {
			name, weight := parseCoding(item)
			name = strings.ToLower(name)
			if name == "" || (weight == 0) != (name == "identity") && name != "*" {
				continue
			}
			if name == "*" && weight == 0 {
				name = "!*"
			}
			if !slices.Contains(accepted, name) {
				accepted = append(accepted, name)
			}
		}
	}
	slices.Sort(accepted)
	return accepted
}

func parseAccept(lines []string) codings {
	c := codings{unsaid, unsaid, unsaid, unsaid}
	others := unsaid
	for _, line := range lines {
		for line != "" {
			var item string
			item, line, _ = strings.Cut(line, ",")
			name, weight := parseCoding(item)
			if name == "*" {
				others = weight
			} else {
				c.set(name, weight)
			}
		}
	}
	return c.withOthers(others)
}

// set compares lengths first: this runs for every static file, and most names are others.
func (c *codings) set(name string, weight int) {
	switch len(name) {
	case len("br"):
		if strings.EqualFold(name, "br") {
			c.brotli = weight
		}
	case len("gzip"): // and "zstd"
		if strings.EqualFold(name, "gzip") {
			c.gzip = weight
		} else if strings.EqualFold(name, "zstd") {
			c.zstd = weight
		}
	case len("x-gzip"):
		if strings.EqualFold(name, "x-gzip") {
			c.gzip = weight
		}
	case len("identity"):
		if strings.EqualFold(name, "identity") {
			c.identity = weight
		}
	}
}

// withOthers sets the codings that were not named from "*", or from the defaults.
func (c codings) withOthers(others int) codings {
	if c.brotli == unsaid {
		c.brotli = max(others, 0)
	}
	if c.zstd == unsaid {
		c.zstd = max(others, 0)
	}
	if c.gzip == unsaid {
		c.gzip = max(others, 0)
	}
	if c.identity == unsaid {
		c.identity = whenUnsaid
		if others != unsaid {
			c.identity = others
		}
	}
	return c
}

func parseCoding(item string) (name string, weight int) {
	name, params, _ := strings.Cut(item, ";")
	weight = fullWeight
	for params != "" {
		var param string
		param, params, _ = strings.Cut(params, ";")
		key, value, _ := strings.Cut(param, "=")
		if strings.EqualFold(strings.TrimSpace(key), "q") {
			weight = parseWeight(strings.TrimSpace(value))
		}
	}
	return strings.TrimSpace(name), weight
}

// parseWeight parses qvalue = ( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] ). Anything else
// counts as 0: a coding is never used on a guess.
func parseWeight(s string) int {
	if s == "" || len(s) > 5 || (s[0] != '0' && s[0] != '1') || (len(s) > 1 && s[1] != '.') {
		return 0
	}
	weight, unit := int(s[0]-'0')*fullWeight, 100
	for i := 2; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return 0
		}
		weight += int(s[i]-'0') * unit
		unit /= 10
	}
	if weight > fullWeight {
		return 0
	}
	return weight
}
