package cache

import (
	"net/http"
	"strings"

	"github.com/anchor-deploy/anchor/internal/local/edge/asset"
)

// NotModified reports whether a request's preconditions are answered by a 304 when response is the
// header of the 200 that it would get (RFC 9111, section 4.3.2).
func NotModified(request, response http.Header) bool {
	if lines, ok := request["If-None-Match"]; ok {
		return matchesTag(lines, response.Get("Etag"))
	}
	since, known := asset.ParseDate(request["If-Modified-Since"])
	modified, dated := asset.ParseDate(response["Last-Modified"])
	return known && dated && !modified.After(since)
}

// matchesTag compares weakly (RFC 9110, sections 8.8.3.2 and 13.1.2).
func matchesTag(lines []string, tag string) bool {
	opaque := strings.TrimPrefix(tag, "W/")
	for _, line := range lines {
		for one := range asset.Tags(line) {
			if one == "*" || one == opaque {
				return true
			}
		}
	}
	return false
}

// validators returns the preconditions by which a stored response is validated (RFC 9111, section
// 4.3.1); nil if it has no validator.
func validators(response http.Header) http.Header {
	if tag := response.Get("Etag"); tag != "" {
		return http.Header{"If-None-Match": {tag}}
	}
	if modified := response.Get("Last-Modified"); modified != "" {
		return http.Header{"If-Modified-Since": {modified}}
	}
	return nil
}

// notUpdated are fields of a 304 that do not replace those of the stored response (RFC 9111,
// section 3.2): they describe the 304 itself, or the body that is stored.
var notUpdated = map[string]bool{
	"Connection": true, "Transfer-Encoding": true, "Trailer": true, "Te": true, "Keep-Alive": true, "Upgrade": true,
	"Content-Length": true, "Content-Encoding": true, "Content-Type": true, "Content-Range": true,
}

// Updated returns the header of a stored response after a 304 has confirmed it.
func Updated(stored, confirmation http.Header) http.Header {
	h := stored.Clone()
	delete(h, "Age")
	delete(h, "Date")
	for name, values := range confirmation {
		if !notUpdated[name] {
			h[name] = append([]string(nil), values...)
		}
	}
	return h
}
