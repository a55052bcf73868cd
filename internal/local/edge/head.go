package edge

import (
	"bytes"
	"encoding/binary"
	"unsafe"
)

// plainGet is a GET request that the edge understands to the last octet. Its strings share the
// buffer that was parsed.
type plainGet struct {
	size   int    // octets of the head, its empty line included
	target string // path and query
	path   string // equal to its percent-decoded form
	host   string
	accept string // Accept-Encoding; "" if the field is absent
	coded  bool   // there is an Accept-Encoding

	types     string // Accept; "" if the field is absent
	requestID string // X-Request-Id; "" if the field is absent
	odd       bool   // one of these two fields occurs twice, or a cookie may concern pages

	// For the access log, the first of each field, but the last X-Forwarded-For.
	userAgent, referer, realIP, forwardedFor, trace string

	ids int // lines of X-Request-Id

	noneMatch   string // If-None-Match; "" if the field is absent
	conditional bool   // another precondition, or a range
	forwarded   bool   // X-Forwarded-Proto
}

// parsePlainGet parses a head at the front of b, and reports whether it is complete and understood.
// It supports less than HTTP/1.1: net/http reads the heads that it refuses.
func parsePlainGet(b []byte) (plainGet, bool) {
	var r plainGet
	line, size := nextLine(b)
	if !r.requestLine(line) {
		return plainGet{}, false
	}
	for {
		line, n := nextLine(b[size:])
		if n == 0 {
			return plainGet{}, false
		}
		size += n
		if len(line) == 0 {
			r.size = size
			return r, r.host != ""
		}
		if !r.parseField(line) {
			return plainGet{}, false
		}
	}
}

// nextLine returns a line without its CRLF, and its length including it; 0 when b has no line that
// ends in CRLF.
func nextLine(b []byte) (line []byte, size int) {
	end := bytes.IndexByte(b, '\n')
	if end < 1 || b[end-1] != '\r' {
		return nil, 0
	}
	return b[:end-1], end + 1
}

// requestLine parses "GET /path?query HTTP/1.1" (RFC 9112, section 3) of characters that have one
// meaning and no escape.
func (r *plainGet) requestLine(line []byte) bool {
	target, ok := bytes.CutPrefix(line, []byte("GET "))
	if !ok {
		return false
	}
	target, ok = bytes.CutSuffix(target, []byte(" HTTP/1.1"))
	return ok && r.setTarget(target)
}

func (r *plainGet) setTarget(target []byte) bool {
	if len(target) == 0 || target[0] != '/' {
		return false
	}
	for _, c := range target {
		if !plainTarget[c] {
			return false
		}
	}
	path, _, _ := bytes.Cut(target, []byte("?"))
	r.target, r.path = stringView(target), stringView(path)
	return true
}

// parseField parses a field line (RFC 9112, section 5). Its name must be one that does not affect the
// answer to a GET of a static file, or one of those that the edge evaluates.
func (r *plainGet) parseField(line []byte) bool {
	colon := bytes.IndexByte(line, ':')
	if colon <= 0 || colon > longestName {
		return false
	}
	var lower [longestName]byte
	for i, c := range line[:colon] {
		if lower[i] = lowerToken[c]; lower[i] == 0 {
			return false
		}
	}
	value := bytes.TrimPrefix(line[colon+1:], []byte(" "))
	switch name := lower[:colon]; string(name) {
	case "host":
		return isPrintable(value) && r.setHost(value)
	case "connection":
		return string(value) == "keep-alive"
	default:
		return r.setField(name, value)
	}
}

// setField takes a field with a name in lower case that both HTTP/1.1 and HTTP/2 have.
func (r *plainGet) setField(name, value []byte) bool {
	if !isPrintable(value) {
		return false
	}
	switch string(name) {
	case "accept-encoding":
		if r.coded {
			return false
		}
		r.accept, r.coded = stringView(value), true
	case "if-none-match":
		if r.noneMatch != "" || len(value) == 0 {
			return false
		}
		r.noneMatch = stringView(value)
	case "if-match", "if-modified-since", "if-unmodified-since", "if-range", "range":
		r.conditional = true
	case "x-forwarded-proto":
		r.forwarded = true
	case "user-agent":
		return keepFirst(&r.userAgent, value)
	case "referer":
		return keepFirst(&r.referer, value)
	case "x-real-ip":
		return keepFirst(&r.realIP, value)
	case "x-forwarded-for":
		r.forwardedFor = stringView(value)
	case "traceparent":
		if r.trace != "" || len(value) == 0 {
			return false
		}
		r.trace = stringView(value)
	case "accept":
		r.odd = r.odd || r.types != "" || len(value) == 0
		r.types = stringView(value)
	case "x-request-id":
		r.odd = r.odd || r.requestID != "" || len(value) == 0
		r.requestID = stringView(value)
		r.ids++
	case "cookie":
		r.odd = r.odd || !isOrdinaryCookie(value)
	default:
		return indifferent[string(name)]
	}
	return true
}

// keepFirst refuses an empty value, which would leave the field to the next line.
func keepFirst(field *string, value []byte) bool {
	if *field == "" {
		*field = stringView(value)
	}
	return len(value) > 0
}

func (r *plainGet) setHost(value []byte) bool {
	if r.host != "" || len(value) == 0 { // an empty one counts as one of two
		return false
	}
	for _, c := range value {
		if !plainHost[c] {
			return false
		}
	}
	r.host = stringView(value)
	return true
}

// longestName is the longest of the field names that are understood.
const longestName = len("upgrade-insecure-requests")

// indifferent are fields that do not affect an answer with a static file.
var indifferent = set(
	"accept-language", "cache-control", "dnt", "origin", "pragma", "priority", "tracestate",
	"sec-ch-ua", "sec-ch-ua-mobile", "sec-ch-ua-platform", "sec-fetch-dest", "sec-fetch-mode", "sec-fetch-site", "sec-fetch-user",
	"sec-gpc", "upgrade-insecure-requests",
)

func set(names ...string) map[string]bool {
	m := make(map[string]bool, len(names))
	for _, name := range names {
		m[name] = true
	}
	return m
}

// Tables of octets.
var (
	plainTarget [256]bool // of a target: unreserved, sub-delims, and what separates
	plainHost   [256]bool // of a host in lower case and its port
	lowerToken  [256]byte // of a field name, in lower case; 0 for all others
)

func init() {
	for c := '0'; c <= '9'; c++ {
		plainTarget[c], plainHost[c], lowerToken[c] = true, true, byte(c)
	}
	for c := 'a'; c <= 'z'; c++ {
		upper := c - 'a' + 'A'
		plainTarget[c], plainTarget[upper], plainHost[c] = true, true, true
		lowerToken[c], lowerToken[upper] = byte(c), byte(c)
	}
	for _, c := range "/?-._~!$&'()*+,;=:@" {
		plainTarget[c] = true
	}
	for _, c := range "-.:" {
		plainHost[c] = true
	}
	lowerToken['-'] = '-'
}

// isPrintable reports whether b has only octets from 0x20 to 0x7e. It checks eight at a time:
// cookies are long.
func isPrintable(b []byte) bool {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	for len(b) >= 8 {
		x := binary.LittleEndian.Uint64(b)
		// The top bit of an octet: set in x from 0x80 on; by the subtraction below 0x20; by the
		// addition at 0x7f.
		if (x|(x-ones*0x20)|(x+ones))&tops != 0 {
			return false
		}
		b = b[8:]
	}
	for _, c := range b {
		if c < 0x20 || c > 0x7e {
			return false
		}
	}
	return true
}

// stringView returns b as a string without a copy. The string is valid until b is written to.
func stringView(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
