package asset

import (
	"iter"
	"net/http"
	"strings"
	"time"
)

// verdict is the result of a request's preconditions.
type verdict int

const (
	proceed            verdict = iota
	unchanged                  // 304
	preconditionFailed         // 412
)

// judgePreconditions evaluates the preconditions in the order of RFC 9110, section 13.2.2, for a request that
// would get v. It returns the variant that a 304 confirms.
func (a Asset) judgePreconditions(h http.Header, v *variant, part bool) (verdict, *variant) {
	if tags, ok := h["If-Match"]; ok {
		if a.entry.variantByTag(tags, strongly) == nil {
			return preconditionFailed, v
		}
	} else if until, ok := ParseDate(h["If-Unmodified-Since"]); ok && a.index.modTime.After(until) {
		return preconditionFailed, v
	}
	if tags, ok := h["If-None-Match"]; ok {
		if part { // the client may hold any variant of the file that it wants a part of
			if held := a.entry.variantByTag(tags, weakly); held != nil {
				return unchanged, held
			}
			return proceed, v
		}
		if anyTagMatches(tags, v.etag[0], weakly) {
			return unchanged, v
		}
		return proceed, v
	}
	if a.unmodifiedSince(h["If-Modified-Since"]) {
		return unchanged, v
	}
	return proceed, v
}

// unmodifiedSince reports whether the date equals Last-Modified; a later date is not enough. After a
// rollback a file's date goes back, and a later date would wrongly confirm the newer content.
func (a Asset) unmodifiedSince(since []string) bool {
	if len(since) == 1 && since[0] == a.index.lastModified[0] {
		return true
	}
	t, ok := ParseDate(since)
	return ok && t.Equal(a.index.modTime)
}

// ParseDate parses the three forms of an HTTP date (RFC 9110, section 5.6.7). It returns false for
// anything else, and for several dates.
func ParseDate(values []string) (time.Time, bool) {
	if len(values) != 1 {
		return time.Time{}, false
	}
	t, err := http.ParseTime(values[0])
	return t, err == nil
}

// variantByTag returns the variant that a list of tags names. "*" names the first.
func (e *entry) variantByTag(tags []string, compare comparison) *variant {
	for _, v := range []*variant{&e.identity, e.brotli, e.zstd, e.gzip} {
		if v != nil && anyTagMatches(tags, v.etag[0], compare) {
			return v
		}
	}
	return nil
}

// comparison is how tags are compared (RFC 9110, section 8.8.3.2). Tags of files are all strong.
type comparison bool

const (
	weakly   comparison = false // If-None-Match
	strongly comparison = true  // If-Match: a weak tag never matches
)

func anyTagMatches(lines []string, etag string, compare comparison) bool {
	for _, line := range lines {
		if line == etag || tagListHas(line, etag, compare) {
			return true
		}
	}
	return false
}

func tagListHas(list, etag string, compare comparison) bool {
	for tag, weak := range Tags(list) {
		if tag[0] == '*' || tag == etag && (!weak || compare == weakly) {
			return true
		}
	}
	return false
}

// Tags yields the entity tags of a line of If-Match or If-None-Match (RFC 9110, section 13.1), each
// with its quotes and without W/, and whether it is weak. A "*" comes with all that follows it. What
// is malformed ends the tags.
func Tags(list string) iter.Seq2[string, bool] {
	return func(yield func(tag string, weak bool) bool) {
		for {
			list = strings.TrimLeft(list, " \t,")
			if strings.HasPrefix(list, "*") {
				yield(list, false)
				return
			}
			tag, weak := strings.CutPrefix(list, "W/")
			if !strings.HasPrefix(tag, `"`) {
				return
			}
			end := strings.IndexByte(tag[1:], '"')
			if end < 0 || !yield(tag[:end+2], weak) {
				return
			}
			list = tag[end+2:]
		}
	}
}
