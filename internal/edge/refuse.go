package edge

import (
	"encoding/json"
	"html/template"
	"net/http"
	"strconv"
	"strings"
)

// refusal is an answer of the edge itself: a small page for people, RFC 9457 problem details for programs.
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
		detail: "The port in the Host header of this request is none."}
	badTarget = &refusal{status: http.StatusBadRequest, title: "Bad address",
		detail: "Only OPTIONS can ask for \"*\"."}
	badPath = &refusal{status: http.StatusBadRequest, title: "Bad address",
		detail: "The path of this request has a \"..\" segment or a NUL character."}
	noMethod = &refusal{status: http.StatusNotImplemented, title: "Method not supported",
		detail: "This server does not support the CONNECT and TRACE methods.", close: true}
	noUpgrade = &refusal{status: http.StatusNotImplemented, title: "WebSocket not supported",
		detail: "Functions answer one request with one response. Use server-sent events, or a WebSocket service beside this site.",
		close:  true}
	middlewareFailed = &refusal{status: http.StatusBadGateway, title: "Middleware failed",
		detail: "The middleware of this site could not be run. Its operator finds the cause in the log."}
	unreadable = &refusal{status: http.StatusInternalServerError, title: "File not readable",
		detail: "A static file of this site could not be read. Its operator finds the cause in the log."}
)

// statusGone ends a request whose client went before there was an answer.
const statusGone = 499

// noFunction answers for a site that has static files only.
var noFunction = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	refuse(w, r, &refusal{status: http.StatusNotFound, title: "Not found", detail: "There is nothing at this address."})
})

func unknownHost(host string) *refusal {
	return &refusal{status: http.StatusNotFound, title: "No site here",
		detail: "Anchor has no site for the host " + strconv.Quote(hostname(host)) + ". If it is yours, attach the host to a project."}
}

// unacceptable finds what is wrong with a request before it is routed; nil when nothing is.
func (e *Edge) unacceptable(r *http.Request) *refusal {
	switch {
	case len(r.RequestURI) > e.cfg.MaxURLBytes:
		return urlTooLong
	case r.Method == http.MethodConnect || r.Method == http.MethodTrace:
		return noMethod
	case !isPort(portOf(r.Host)) && portOf(r.Host) != "":
		return badHost
	case r.URL.Path == "*" && r.Method != http.MethodOptions:
		return badTarget
	case hostile(r.URL.Path):
		return badPath
	case e.cfg.MaxBodyBytes > 0 && r.ContentLength > e.cfg.MaxBodyBytes:
		return bodyTooLarge
	}
	return nil
}

// hostile finds, in a decoded path, what no client sends by accident: browsers resolve dot segments themselves.
// A backslash is none: it can stand in a dynamic route, and no file of an index has one in its path.
func hostile(path string) bool {
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

func refuse(w http.ResponseWriter, r *http.Request, no *refusal) {
	h := w.Header()
	h[headerRequestID] = []string{requestID(r)}
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Vary", "Accept")
	if no.retryAfter != "" {
		h.Set("Retry-After", no.retryAfter)
	}
	if no.close {
		h.Set("Connection", "close")
	}
	if wantsJSON(r.Header) {
		no.writeJSON(w)
		return
	}
	no.writeHTML(w)
}

// wantsJSON: a browser names text/html, a program that names JSON does not.
func wantsJSON(h http.Header) bool {
	accept := strings.Join(h["Accept"], ",")
	return !strings.Contains(accept, "text/html") &&
		(strings.Contains(accept, "application/json") || strings.Contains(accept, "application/problem+json"))
}

func (no *refusal) writeJSON(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(no.status)
	_ = json.NewEncoder(w).Encode(map[string]any{"title": no.title, "status": no.status, "detail": no.detail})
}

func (no *refusal) writeHTML(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(no.status)
	_ = refusalPage.Execute(w, map[string]any{"Status": no.status, "Title": no.title, "Detail": no.detail})
}

var refusalPage = template.Must(template.New("refusal").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex"><title>{{.Title}}</title>
<style>
:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:18vh auto;padding:0 1.5rem}
small{opacity:.6}
h1{font-size:1.5rem;margin:.25rem 0}
</style>
<small>{{.Status}}</small><h1>{{.Title}}</h1><p>{{.Detail}}</p>
</html>
`))

// missingAsset answers for a hashed file that no kept deployment has. It is never the app's HTML page, which a browser
// would take for a script, and it is not cached: the file may be there after the next deployment.
func missingAsset(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(http.StatusNotFound)
	if r.Method != http.MethodHead {
		w.Write([]byte("Not Found\n"))
	}
}
