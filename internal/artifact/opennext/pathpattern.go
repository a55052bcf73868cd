package opennext

import (
	"time"

	"github.com/dlclark/regexp2"
)

// matchLimit bounds one comparison: a pattern comes from the app, and JavaScript's
// regular expressions can take exponential time.
const matchLimit = 100 * time.Millisecond

// pathPattern is a JavaScript regular expression of a manifest. Its zero value is a pattern
// that could not be read, and may match anything.
type pathPattern struct {
	expression *regexp2.Regexp
}

// newPathPattern ignores case, as Next.js does unless caseSensitiveRoutes is set. Whoever
// compares exactly finds less, so that nothing is missed here.
func newPathPattern(source string) pathPattern {
	expression, err := regexp2.Compile(source, regexp2.ECMAScript|regexp2.IgnoreCase)
	if err != nil || source == "" {
		return pathPattern{}
	}
	expression.MatchTimeout = matchLimit
	return pathPattern{expression}
}

// spellings are the ways to write the path of one file. Whatever a request is like, one
// group has all the ways that are tried for it.
type spellings [][]string

// match reports whether the pattern matches some spelling, and whether it surely matches
// for every request.
func (p pathPattern) match(s spellings) (some, always bool) {
	if p.expression == nil {
		return true, false
	}
	for _, group := range s {
		matched := 0
		for _, spelling := range group {
			found, err := p.expression.MatchString(spelling)
			if err != nil {
				return true, false
			}
			if found {
				matched++
			}
		}
		some = some || matched > 0
		always = always || len(group) > 0 && matched == len(group)
	}
	return some, always
}
