package cache

import (
	"net/http"
	"strings"
)

// NotModified reports whether a request's preconditions are answered by a 304 when response is the
// header of the 200 that it would get (RFC 9111, section 4.3.2).
func NotModified(request, response http.Header) bool {
	if lines, ok := request["If-None-Match"]; ok {
		return matchesTag(lines, response.Get("Etag"))
	}
	since := request["If-Modified-Since"]
	if len(since) != 1 {
		return false
	}
	until, err := http.ParseTime(since[0])
	modified := response["Last-Modified"]
	if err != nil || len(modified) != 1 {
		return false
	}
	at, err := http.ParseTime(modified[0])
	return err == nil && !at.After(until)
}

// matchesTag compares weakly (RFC 9110, sections 8.8.3.2 and 13.1.2).
func matchesTag(lines []string, tag string) bool {
	opaque := strings.TrimPrefix(tag, "W/")
	for _, line := range lines {
		for rest := line; ; {
			rest = strings.TrimLeft(rest, " \t,")
			if rest == "*" {
				return true
			}
			quoted := strings.TrimPrefix(rest, "W/")
			if !strings.HasPrefix(quoted, `"`) {
				break
			}
			end := strings.IndexByte(quoted[1:], '"')
			if end < 0 {
				break
			}
			if quoted[:end+2] == opaque {
				return true
			}
			rest = quoted[end+2:]
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
