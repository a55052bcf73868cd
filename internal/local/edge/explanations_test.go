//go:build slow

package edge

import (
	"slices"
	"strings"
)

// explanation says why an exchange ends in another way with a peer.
type explanation struct {
	peer    string // "" for both
	reused  bool   // whether this cache answered without the origin
	section string
	why     string
	applies func(exchangeCase) bool
}

// explanations are the differences between this cache and nginx and Varnish. The first that applies
// counts.
var explanations = []explanation{
	{"", true, "RFC 9111, 5.2.1.7", "only-if-cached is answered with 504; the peers ignore it", asks("only-if-cached")},
	{"", true, "RFC 9111, 4.1", "white space in a list does not make another variant", endsIn("request: Accept is spaced")},
	{"nginx", true, "RFC 9110, 14.2", "a stored answer is sent in part; nginx needs Accept-Ranges of the origin", endsIn("request: Range")},
	{"", true, "RFC 9110, 15.5.17", "416 has an explanation as its body; nginx ignores the range", endsIn("request: bad Range")},
	{"", true, "RFC 9111, 4.2.2", "public and Last-Modified make an answer fresh for a tenth of its age", func(c exchangeCase) bool {
		return c.has("Cache-Control", "public") && len(c.header["Last-Modified"]) > 0
	}},
	{"", true, "RFC 9111, 5.2", "a number may be a quoted string", controlled(`s-maxage="60"`)},
	{"nginx", true, "RFC 9111, 5.2", "white space around = is accepted, as by Varnish", controlled("s-maxage = 60")},
	{"varnish", true, "RFC 9111, 4.1", "a cookie does not select an answer unless Vary names it", endsIn("request: Cookie")},
	{"varnish", true, "RFC 9110, 15.1", "a final status with a lifetime is stored", func(c exchangeCase) bool {
		return slices.Contains([]int{308, 405, 501}, c.status)
	}},

	{"", false, "RFC 9111, 3", "max-age or Expires alone is not taken for a statement that visitors may share", func(c exchangeCase) bool {
		return !c.has("Cache-Control", "s-maxage") && !c.has("Cache-Control", "public")
	}},
	{"nginx", false, "RFC 9111, 5.2.3", "xs-maxage is another directive", controlled("xs-maxage=60, public")},
	{"nginx", false, "RFC 9111, 4.2.3", "what the origin says of the age counts", func(c exchangeCase) bool { return c.header.Get("Age") == "100" }},
	{"nginx", false, "RFC 9111, 3.5", "an answer to Authorization is for one visitor", func(c exchangeCase) bool {
		return c.first.Get("Authorization") != "" || c.second.Get("Authorization") != ""
	}},
	{"", false, "RFC 9111, 4.2.1", "two values for one number make the answer stale", controlled("s-maxage=60, s-maxage=0")},
	{"varnish", false, "RFC 9111, 1.2.2", "a lifetime is a whole number of seconds", controlled("s-maxage=60.5")},
	{"", false, "RFC 9111, 4.4", "an unsafe method makes what is stored invalid", func(c exchangeCase) bool { return c.between != "" }},
	{"", false, "RFC 9111, 3.3", "the answer to a request for a part is not stored, nor asked for as a whole", func(c exchangeCase) bool {
		return c.first.Get("Range") != ""
	}},
	{"nginx", false, "RFC 9110, 15.1", "answers to errors of the client and the app, and 303, are not stored", func(c exchangeCase) bool {
		return slices.Contains([]int{303, 400, 403, 500, 503}, c.status)
	}},
	{"nginx", false, "RFC 9111, 4.3.2", "a client's precondition is evaluated for an answer that is not stored, too", endsIn("request: If-None-Match")},
	{"varnish", false, "RFC 9110, 14.2", "of an answer that is not stored the origin may send the whole", func(c exchangeCase) bool {
		return c.second.Get("Range") != ""
	}},
}

func endsIn(end string) func(exchangeCase) bool {
	return func(c exchangeCase) bool { return strings.HasSuffix(c.name, end) }
}

func controlled(control string) func(exchangeCase) bool {
	return func(c exchangeCase) bool { return c.header.Get("Cache-Control") == control }
}

func asks(directive string) func(exchangeCase) bool {
	return func(c exchangeCase) bool { return c.second.Get("Cache-Control") == directive }
}
