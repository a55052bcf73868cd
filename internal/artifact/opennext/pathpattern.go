package opennext

import (
	"time"

	"github.com/dlclark/regexp2"
)

// matchLimit bounds one comparison: a pattern comes from the app, and JavaScript's
// regular expressions can take exponential time.
const matchLimit = 100 * time.Millisecond

// pathPattern is a JavaScript regular expression of a manifest, once as it is and once without
// regard to case: Next.js ignores case unless caseSensitiveRoutes is set, OpenNext compares exactly,
// and each of them may match what the other does not (a pattern can exclude paths). Its zero value
// is a pattern that could not be read, and may match anything.
type pathPattern struct {
	expressions []*regexp2.Regexp
}

func newPathPattern(source string) pathPattern {
	var p pathPattern
	for _, options := range []regexp2.RegexOptions{regexp2.ECMAScript, regexp2.ECMAScript | regexp2.IgnoreCase} {
		expression, err := regexp2.Compile(source, options)
		if err != nil || source == "" {
			return pathPattern{}
		}
		expression.MatchTimeout = matchLimit
		p.expressions = append(p.expressions, expression)
	}
	return p
}

// spellings are the ways to write the path of one file. Whatever a request is like, one
// group has all the ways that are tried for it.
type spellings [][]string

// matchSpellings reports whether the pattern matches some spelling, and whether it surely matches
// for every request.
func (p pathPattern) matchSpellings(s spellings) (some, always bool) {
	if p.expressions == nil {
		return true, false
	}
	for _, group := range s {
		matched := 0
		for _, spelling := range group {
			found, inNext := p.matchOne(spelling)
			some = some || found
			if inNext {
				matched++
			}
		}
		always = always || len(group) > 0 && matched == len(group)
	}
	return some, always
}

// matchOne reports whether the pattern may match a path, and whether it does in Next.js.
func (p pathPattern) matchOne(path string) (some, inNext bool) {
	for _, expression := range p.expressions {
		found, err := expression.MatchString(path)
		if err != nil { // it took too long
			return true, false
		}
		some, inNext = some || found, found // the last expression is Next.js'
	}
	return some, inNext
}
