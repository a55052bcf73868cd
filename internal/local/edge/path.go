package edge

import (
	"net/http"
	"net/url"
	"strings"
)

// normalizePath returns r with the path that a browser would have sent. Everything behind it, from the
// choice of the function to the app's middleware, its cache and its log, then compares one
// spelling: "/x/%2E%2e/admin" is "/admin" to all of them.
//
// It follows the path state of the WHATWG URL parser for special schemes
// (https://url.spec.whatwg.org/#path-state): a backslash is a slash, "." and ".." segments are
// resolved, also where their dots are percent-encoded, and characters that must not be in a path
// are percent-encoded. Empty segments and encoded slashes stay, because there they carry meaning.
func normalizePath(r *http.Request) *http.Request {
	// net/url leaves RawPath empty where the default encoding reproduces the path: such a path has
	// neither backslashes nor encoded dots.
	if r.URL.RawPath == "" && !strings.Contains(r.URL.Path, "/.") || !strings.HasPrefix(r.URL.Path, "/") {
		return r
	}
	raw := r.URL.RawPath
	if raw == "" {
		raw = r.URL.EscapedPath()
	}
	clean := normalPath(raw)
	if clean == raw {
		return r
	}
	path, err := url.PathUnescape(clean)
	if err != nil {
		return r // net/url used raw, whose escapes are the same
	}
	u := *r.URL
	u.Path, u.RawPath = path, clean
	out := r.WithContext(r.Context())
	out.URL, out.RequestURI = &u, u.RequestURI()
	return out
}

// normalPath takes and returns a percent-encoded path that begins with a slash.
func normalPath(raw string) string {
	segments := strings.Split(strings.ReplaceAll(raw, `\`, "/")[1:], "/")
	kept := segments[:0]
	for i, segment := range segments {
		last := i == len(segments)-1
		switch dotSegment(segment) {
		case 0:
			kept = append(kept, encodeSegment(segment))
			continue
		case 2:
			kept = kept[:max(0, len(kept)-1)]
		}
		if last {
			kept = append(kept, "") // "/a/." names the folder: "/a/"
		}
	}
	return "/" + strings.Join(kept, "/")
}

// dotSegment returns 1 for a single-dot segment, 2 for a double-dot segment and 0 for any other.
func dotSegment(segment string) int {
	n := 0
	for segment != "" {
		switch {
		case segment[0] == '.':
			segment = segment[1:]
		case len(segment) >= 3 && strings.EqualFold(segment[:3], "%2e"):
			segment = segment[3:]
		default:
			return 0
		}
		if n++; n > 2 {
			return 0
		}
	}
	return n
}

// encodeSegment percent-encodes the characters that net/url does not accept in an encoded path.
// Such a character would make it drop RawPath and encode Path again, in which "%2F" has become a
// slash.
func encodeSegment(segment string) string {
	if strings.IndexFunc(segment, mustBeEncoded) < 0 {
		return segment
	}
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for _, c := range []byte(segment) {
		if mustBeEncoded(rune(c)) {
			b.WriteString("%" + hex[c>>4:c>>4+1] + hex[c&15:c&15+1])
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}

// mustBeEncoded reports whether c is neither a character of a path (RFC 3986, section 3.3) nor the
// "%" of an escape.
func mustBeEncoded(c rune) bool {
	letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
	return !letter && (c >= 0x80 || !strings.ContainsRune("-._~!$&'()*+,;=:@[]%", c))
}
