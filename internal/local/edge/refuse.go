package edge

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// refusal is an answer of the edge itself: a small page for people, RFC 9457 problem details for
// programs.
type refusal struct {
	status     int
	title      string
	detail     string
	retryAfter string // seconds, or ""
	close      bool   // the rest of the request is not worth reading
}

var (
	overloaded = &refusal{status: http.StatusServiceUnavailable, title: "Too busy",
		detail: "This server is handling as many requests as it can. Try again in a moment.", retryAfter: "1"}
	siteOverloaded = &refusal{status: http.StatusServiceUnavailable, title: "Too busy",
		detail: "This site is handling as many requests as it may. Try again in a moment.", retryAfter: "1"}
	urlTooLong = &refusal{status: http.StatusRequestURITooLong, title: "Address too long",
		detail: "The address of this request is longer than this server accepts.", close: true}
	bodyTooLarge = &refusal{status: http.StatusRequestEntityTooLarge, title: "Request too large",
		detail: "The body of this request is larger than this server accepts.", close: true}
	bodyTooSlow = &refusal{status: http.StatusRequestTimeout, title: "Request too slow",
		detail: "The body of this request came too slowly.", close: true}
	bodyBroken = &refusal{status: http.StatusBadRequest, title: "Bad request",
		detail: "The body of this request is malformed.", close: true}
	badHost = &refusal{status: http.StatusBadRequest, title: "Bad host",
		detail: "The Host header of this request has an invalid port."}
	badTarget = &refusal{status: http.StatusBadRequest, title: "Bad address",
		detail: "Only OPTIONS can ask for \"*\"."}
	badOctet = &refusal{status: http.StatusBadRequest, title: "Bad address",
		detail: "The address of this request has a \"#\" or an octet outside ASCII. Percent-encode it.", close: true}
	badScheme = &refusal{status: http.StatusBadRequest, title: "Bad address",
		detail: "The address of this request is neither an http nor an https URL without user information.", close: true}
	ambiguousLength = &refusal{status: http.StatusBadRequest, title: "Bad request",
		detail: "Where this request ends is ambiguous: it has more than one length, a field line that is folded, " +
			"or a transfer coding in HTTP/1.0.", close: true}
	misdirected = &refusal{status: http.StatusMisdirectedRequest, title: "Misdirected request",
		detail: "This connection was made for another host or scheme. Open a separate connection for this address."}
	plainToTLS = &refusal{status: http.StatusBadRequest, title: "HTTPS only",
		detail: "This port speaks HTTPS, and the request came without TLS. Use an https:// address.", close: true}
	badPath = &refusal{status: http.StatusBadRequest, title: "Bad address",
		detail: "The path of this request has a \"..\" segment or a NUL character."}
	badEncoding = &refusal{status: http.StatusBadRequest, title: "Bad address",
		detail: "The path of this request is not UTF-8 after percent-decoding."}
	noMethod = &refusal{status: http.StatusNotImplemented, title: "Method not supported",
		detail: "This server does not support the CONNECT and TRACE methods.", close: true}
	fileIsReadOnly = &refusal{status: http.StatusMethodNotAllowed, title: "Method not allowed",
		detail: "This address is a static file, which can only be read."}
	middlewareFailed = &refusal{status: http.StatusBadGateway, title: "Middleware failed",
		detail: "The middleware of this site could not be run. Its operator finds the cause in the log."}
	unreadable = &refusal{status: http.StatusServiceUnavailable, title: "File not readable",
		detail: "A static file of this site could not be read. Its operator finds the cause in the log."}
	damaged = &refusal{status: http.StatusServiceUnavailable, title: "Site not available",
		detail: "This site is there, but the server cannot bring it up. Its operator finds the cause in the log.", retryAfter: "60"}
)

// abandonRequest ends a request whose client went before there was an answer. A client that only ended its
// side of the connection sees it broken off: there is no status for this case.
func abandonRequest(w http.ResponseWriter, r *http.Request) {
	if r.Context().Value(http.ServerContextKey) != nil {
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(http.StatusServiceUnavailable)
}

// noFunction answers for a site that has static files only.
var noFunction = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	writeRefusal(w, r, &refusal{status: http.StatusNotFound, title: "Not found", detail: "There is nothing at this address."})
})

// Damaged is the Default of a site that cannot be opened: after a 404, a crawler or a cache would
// drop its pages.
var Damaged = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { writeRefusal(w, r, damaged) })

const titleUnknownHost = "No site here"

func unknownHost(host string) *refusal {
	return &refusal{status: http.StatusNotFound, title: titleUnknownHost,
		detail: "Anchor has no site for the host " + strconv.Quote(hostnameOf(host)) + ". If it is yours, attach the host to a project."}
}

// checkAcceptable returns the refusal of a request that is invalid before it is routed; nil when it is
// valid.
func (e *Edge) checkAcceptable(r *http.Request) *refusal {
	switch {
	case len(r.RequestURI) > e.cfg.MaxURLBytes:
		return urlTooLong
	case r.Method == http.MethodConnect || r.Method == http.MethodTrace:
		return noMethod
	case !isPort(portOf(r.Host)) && portOf(r.Host) != "":
		return badHost
	case r.URL.Path == "*" && r.Method != http.MethodOptions:
		return badTarget
	case r.URL.User != nil, r.URL.Scheme != "" && r.URL.Scheme != "http" && r.URL.Scheme != "https":
		return badScheme
	case !utf8.ValidString(r.URL.Path): // Next.js answers 400; OpenNext's decodeURIComponent fails with 500
		return badEncoding
	case isHostile(r.URL.Path):
		return badPath
	case e.cfg.MaxBodyBytes > 0 && r.ContentLength > e.cfg.MaxBodyBytes:
		return bodyTooLarge
	}
	return nil
}

// hasBadOctet reports whether a request target contains an octet that it must not (RFC 9112,
// section 3.2; RFC 3986, section 3.5): parties that cut or recode it would each see another
// address.
func hasBadOctet(target string) bool {
	for i := range len(target) {
		if target[i] == '#' || target[i] >= 0x80 {
			return true
		}
	}
	return false
}

// isHostile reports whether a decoded path, normalized before, contains what no client sends by
// accident: a NUL, or a ".." between encoded slashes or backslashes, which a decoder behind the
// edge may resolve. A backslash alone is harmless: it can be part of a dynamic route, and no file
// of an index has one in its path.
func isHostile(path string) bool {
	if strings.IndexByte(path, 0) >= 0 {
		return true
	}
	if !strings.Contains(path, "..") {
		return false
	}
	for segment := range strings.FieldsFuncSeq(path, isSlash) {
		if segment == ".." {
			return true
		}
	}
	return false
}

func isSlash(c rune) bool { return c == '/' || c == '\\' }

func writeRefusal(w http.ResponseWriter, r *http.Request, no *refusal) {
	h, id := w.Header(), requestID(r)
	measuredOf(w).setRefusal(no, id)
	body := no.describeRefusal(h, id, wantsJSON(r.Header))
	w.WriteHeader(no.status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // the client may have disconnected
	}
}

// describeRefusal sets the header of the answer and returns its body.
func (no *refusal) describeRefusal(h http.Header, id string, asJSON bool) []byte {
	h[headerRequestID] = []string{id}
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Vary", "Accept")
	if no.retryAfter != "" {
		h.Set("Retry-After", no.retryAfter)
	}
	if no.close {
		h.Set("Connection", "close")
	}
	var body bytes.Buffer
	if asJSON {
		h.Set("Content-Type", "application/problem+json")
		_ = json.NewEncoder(&body).Encode(map[string]any{"title": no.title, "status": no.status, "detail": no.detail})
	} else {
		h.Set("Content-Type", "text/html; charset=utf-8")
		title := html.EscapeString(no.title)
		fmt.Fprintf(&body, refusalPage, title, no.status, title, html.EscapeString(no.detail))
	}
	h.Set("Content-Length", strconv.Itoa(body.Len()))
	return body.Bytes()
}

// httpMessage returns the refusal as a whole HTTP/1.1 message, for a request that net/http could not
// read. The connection ends with it.
func (no *refusal) httpMessage() []byte {
	h := http.Header{"Date": {time.Now().UTC().Format(http.TimeFormat)}, "Connection": {"close"}}
	body := no.describeRefusal(h, newRequestID(), false)
	var m bytes.Buffer
	fmt.Fprintf(&m, "HTTP/1.1 %d %s\r\n", no.status, http.StatusText(no.status))
	_ = h.Write(&m)
	m.WriteString("\r\n")
	m.Write(body)
	return m.Bytes()
}

// refusedByServer returns the refusal that replaces net/http's, by the status that net/http chose.
func refusedByServer(status int) *refusal {
	no := refusal{status: status, title: "Bad request", detail: "This server cannot read the request: its syntax is wrong."}
	switch status {
	case http.StatusExpectationFailed:
		no.title, no.detail = "Expectation failed", "The only expectation that this server meets is 100-continue."
	case http.StatusRequestHeaderFieldsTooLarge:
		no.title, no.detail = "Headers too large", "The headers of this request are longer than this server accepts."
	case http.StatusNotImplemented:
		no.title, no.detail = "Transfer coding not supported", "The only transfer coding that this server reads is chunked."
	case http.StatusHTTPVersionNotSupported:
		no.title, no.detail = "HTTP version not supported", "This server speaks HTTP/1.1 and HTTP/1.0 here."
	}
	return &no
}

// wantsJSON reports whether the client prefers JSON: a browser names text/html, a program that
// names JSON does not.
func wantsJSON(h http.Header) bool {
	accept := strings.ToLower(strings.Join(h["Accept"], ","))
	return !strings.Contains(accept, "text/html") &&
		(strings.Contains(accept, "application/json") || strings.Contains(accept, "application/problem+json"))
}

// refusalPage is a format: title, status, title, detail, the texts as HTML. html/template would keep
// the linker from leaving out methods that nothing calls, a sixth of the binary.
const refusalPage = `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex"><title>%s</title>
<style>
:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:18vh auto;padding:0 1.5rem}
small{opacity:.6}
h1{font-size:1.5rem;margin:.25rem 0}
</style>
<small>%d</small><h1>%s</h1><p>%s</p>
</html>
`

const notFound = "Not Found\n"

// missingHeader is shared by all answers, as those of files are: a browser that shows an old page
// asks for many files.
var missingHeader = http.Header{
	"Cache-Control":          {"no-store"},
	"Content-Type":           {"text/plain; charset=utf-8"},
	"X-Content-Type-Options": {"nosniff"},
	"Content-Length":         {strconv.Itoa(len(notFound))},
}

// missingAsset answers for a hashed file that no kept deployment has. The answer is never the app's
// HTML page, which a browser would take for a script, and it is not cached: the file may exist
// after the next deployment.
func missingAsset(w http.ResponseWriter, r *http.Request) {
	maps.Copy(w.Header(), missingHeader)
	w.WriteHeader(http.StatusNotFound)
	if r.Method != http.MethodHead {
		_, _ = io.WriteString(w, notFound)
	}
}
