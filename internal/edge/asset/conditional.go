package asset

import (
	"net/http"
	"strings"
)

// notModified evaluates If-None-Match, and If-Modified-Since only without it (RFC 9110, section 13.2.2).
//
// If-Modified-Since must equal Last-Modified, not merely be later: after a rollback a file's date goes back, and
// a later date would wrongly confirm the newer content.
func notModified(h http.Header, v *variant, lastModified string) bool {
	if tags, ok := h["If-None-Match"]; ok {
		return anyTagMatches(tags, v.etag[0])
	}
	since := h["If-Modified-Since"]
	return len(since) == 1 && since[0] == lastModified
}

func anyTagMatches(lines []string, etag string) bool {
	for _, line := range lines {
		if line == etag || tagListHas(line, etag) {
			return true
		}
	}
	return false
}

// tagListHas looks for etag in a list by weak comparison, which If-None-Match asks for (RFC 9110, section 13.1.2).
func tagListHas(list, etag string) bool {
	for {
		list = strings.TrimLeft(list, " \t,")
		if list == "" {
			return false
		}
		if list[0] == '*' {
			return true
		}
		list = strings.TrimPrefix(list, "W/")
		if list == "" || list[0] != '"' {
			return false
		}
		end := strings.IndexByte(list[1:], '"')
		if end < 0 {
			return false
		}
		if list[:end+2] == etag {
			return true
		}
		list = list[end+2:]
	}
}

// wantsMore reports whether a request needs what the plain path does not do: ranges, and the preconditions that can
// fail with 412.
func wantsMore(h http.Header) bool {
	return wantsOctets(h["Range"]) || h["If-Match"] != nil || h["If-Unmodified-Since"] != nil
}

// wantsOctets is false of a range in another unit, which has to be ignored (RFC 9110, section 14.2); net/http would
// answer 416.
func wantsOctets(ranges []string) bool {
	return len(ranges) > 0 && strings.HasPrefix(ranges[0], "bytes=")
}
