package worker

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/textproto"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// requestHead is what a process receives of a request before its body. The zero kind is an HTTP
// request.
type requestHead struct {
	invoke bool // the body is a raw event; only header counts
	method string
	target string // path and query, as in a request line
	host   string
	peer   string // the client's address
	header http.Header
	length int64 // of the body; -1 when unknown, 0 for none
	// upgrade marks a WebSocket handshake: the body is what the client sends once the answer is 101.
	upgrade bool
}

// appendPayload appends the payload of the frame, one field per line: peer, 1 if a body follows, method,
// target, then name and value of each header. No field contains a line feed.
func (h *requestHead) appendPayload(b []byte) ([]byte, error) {
	if strings.ContainsAny(h.peer+h.method+h.target, "\r\n") {
		return b, fmt.Errorf("the request's method or target holds a line break: %.200q", h.method+" "+h.target)
	}
	body := "0"
	if h.length != 0 {
		body = "1"
	}
	for i, field := range []string{h.peer, body, h.method, h.target} {
		if i > 0 {
			b = append(b, '\n')
		}
		b = append(b, field...)
	}
	if h.host != "" {
		b = appendField(b, "host", h.host)
	}
	if h.upgrade {
		b = appendField(b, "upgrade", "websocket")
	}
	if _, named := h.header["Content-Length"]; h.length > 0 || named && h.length == 0 {
		b = appendField(b, "content-length", strconv.FormatInt(h.length, 10))
	}
	for name, values := range h.header {
		if name == "Content-Length" || name == "Host" || !httpguts.ValidHeaderFieldName(name) {
			continue
		}
		for _, value := range values {
			b = appendField(b, name, value)
		}
	}
	if len(b) > maxHead {
		return b, fmt.Errorf("the request's head has %d octets, more than %d", len(b), maxHead)
	}
	return b, nil
}

// appendField writes the name in lower case, as events have it. A line break in a value, which only
// the app's own middleware can have put there, becomes a space (RFC 9110, section 5.5).
func appendField(b []byte, name, value string) []byte {
	b = append(b, '\n')
	for i := range len(name) {
		c := name[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		b = append(b, c)
	}
	b = append(b, '\n')
	for i := range len(value) {
		c := value[i]
		if c == '\n' || c == '\r' {
			c = ' '
		}
		b = append(b, c)
	}
	return b
}

// answerHead is the head of an answer.
type answerHead struct {
	status int
	length int64 // of the body, which may be absent (HEAD, 304); -1 when it is open
	header http.Header
}

var errHead = errors.New("the answer's head is malformed")

// parseAnswerHead reads the payload of a head, one field per line: status, length of the body or
// nothing, then name and value of each header. It leaves out fields about a connection (RFC 9110,
// section 7.6.1).
func parseAnswerHead(payload []byte) (h answerHead, err error) {
	lines := bytes.Count(payload, []byte{'\n'}) + 1
	if lines < 2 || lines%2 != 0 {
		return h, errHead
	}
	rest := string(payload)
	status, rest, _ := strings.Cut(rest, "\n")
	length, rest, more := strings.Cut(rest, "\n")
	if h.status, err = strconv.Atoi(status); err != nil || (h.status < 200 && h.status != http.StatusSwitchingProtocols) || h.status > 999 {
		return h, fmt.Errorf("%w: status %.20q", errHead, status)
	}
	h.length = -1
	if length != "" {
		if h.length, err = strconv.ParseInt(length, 10, 64); err != nil || h.length < 0 {
			return h, fmt.Errorf("%w: length %.20q", errHead, length)
		}
	}
	if h.header, err = parseFields(rest, more, lines/2); err != nil {
		return h, err
	}
	dropConnectionFields(h.header)
	delete(h.header, "Content-Length")
	if h.length >= 0 {
		h.header["Content-Length"] = []string{length}
	}
	return h, nil
}

// parseFields reads the name and the value of each field from lines, if there are any. n is how many fields to make room for.
func parseFields(lines string, more bool, n int) (http.Header, error) {
	header := make(http.Header, n)
	values := make([]string, 0, n) // one allocation for all
	for more {
		var name, value string
		name, lines, _ = strings.Cut(lines, "\n")
		value, lines, more = strings.Cut(lines, "\n")
		if !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
			return nil, fmt.Errorf("%w: header %.40q", errHead, name)
		}
		name = textproto.CanonicalMIMEHeaderKey(name)
		if before, ok := header[name]; ok {
			header[name] = append(before, value)
			continue
		}
		values = append(values, value)
		header[name] = values[len(values)-1 : len(values) : len(values)]
	}
	return header, nil
}

// parseTrailer reads the payload of an answer's end, a name and a value for each field. It leaves out fields that may not
// be trailers (RFC 9110, section 6.5.1).
func parseTrailer(payload []byte) (http.Header, error) {
	lines := bytes.Count(payload, []byte{'\n'}) + 1
	if lines%2 != 0 {
		return nil, errHead
	}
	trailer, err := parseFields(string(payload), true, lines/2)
	if err != nil {
		return nil, err
	}
	dropConnectionFields(trailer)
	maps.DeleteFunc(trailer, func(name string, _ []string) bool { return name == "Set-Cookie" || !httpguts.ValidTrailerHeader(name) })
	return trailer, nil
}

// connectionFields describe one connection, not the message: RFC 9110, section 7.6.1.
var connectionFields = []string{
	"Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization",
	"Te", "Trailer", "Transfer-Encoding", "Upgrade", "Expect",
}

func hasConnectionFields(header http.Header) bool {
	return slices.ContainsFunc(connectionFields, func(name string) bool { return header[name] != nil })
}

// dropConnectionFields removes them, and the fields that Connection names.
func dropConnectionFields(header http.Header) {
	for _, line := range header["Connection"] {
		for name := range strings.SplitSeq(line, ",") {
			header.Del(textproto.TrimString(name))
		}
	}
	for _, name := range connectionFields {
		delete(header, name)
	}
}
