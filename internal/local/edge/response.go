package edge

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/anchor-deploy/anchor/internal/local/edge/cache"
)

// response records whether the header was sent, and adds headers of the edge at the last moment, so
// that a function cannot duplicate them by accident.
type response struct {
	http.ResponseWriter
	extra    http.Header // set, even if the function sets them
	site     http.Header // of the Site: set unless the function sets them
	override http.Header // of the middleware, or of the rules for a static file

	outside bool              // the request is a client's
	caching string            // member of Cache-Status; "" for none
	began   func()            // called before the final header is sent; may be nil
	learn   func(http.Header) // called with the header of a 200; may be nil
	alt     []string          // Alt-Svc; nil for none
	tunnel  *tunnel           // of a WebSocket handshake; nil for any other request

	trace trace // of the final header

	files bool   // whether HeaderFile takes effect
	named string // the static file that the function named; the function's body is dropped

	status   int // 0 until the final header is written
	bodyless bool

	measured   *measured    // nil for a request of Anchor itself
	function   http.Handler // that was asked, or in front of which a stored answer was found
	functionAt time.Time    // when
}

func newResponse(w http.ResponseWriter) *response {
	return &response{ResponseWriter: w, alt: w.Header()[headerAltSvc]}
}

// Unwrap lets http.ResponseController reach the connection.
func (r *response) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (r *response) WriteHeader(status int) {
	if status >= 200 && r.status == 0 {
		r.status = status
		r.trace = takeTrace(r.Header(), false)
		if r.nameFile(r.Header()) {
			return
		}
		r.addTiming(r.Header())
		r.decorateHeader(r.Header())
		r.endEarly(r.Header())
		if r.began != nil {
			r.began()
		}
		if r.learn != nil && status == http.StatusOK {
			r.learn(r.Header())
		}
	}
	if r.named != "" {
		return
	}
	r.ResponseWriter.WriteHeader(status)
}

// leaks are headers that are not meant for visitors: OpenNext's own id of the request, which it also
// sends when an app is built with debug, and what an app says to the cache of the edge. Alt-Svc is
// about the edge's own ports.
var leaks = []string{"X-Opennext-Requestid", cache.HeaderTargeted, headerAltSvc}

func (r *response) decorateHeader(h http.Header) {
	for _, name := range leaks {
		delete(h, name)
	}
	if r.alt != nil {
		h[headerAltSvc] = r.alt
	}
	if r.caching != "" {
		h[cache.HeaderStatus] = append(slices.Clip(h[cache.HeaderStatus]), r.caching)
	}
	addHeader(h, r.site)
	for key, values := range r.extra {
		h[key] = values
	}
	for key, values := range r.override {
		switch http.CanonicalHeaderKey(key) {
		case "Content-Length", "Transfer-Encoding", "Connection", headerAltSvc:
		case "Set-Cookie":
			h["Set-Cookie"] = append(h["Set-Cookie"], values...)
		case "Vary":
			h["Vary"] = unionLines(h["Vary"], values)
		default:
			h[http.CanonicalHeaderKey(key)] = values
		}
	}
}

// endEarly drops the body of a status that has none (RFC 9110, section 6.4.1), and keeps net/http
// from guessing a type: a browser must not execute a body whose type the function does not state.
func (r *response) endEarly(h http.Header) {
	switch r.status {
	case http.StatusResetContent:
		h["Content-Length"] = []string{"0"} // RFC 9110, section 15.3.6
		delete(h, "Transfer-Encoding")
		r.bodyless = true
	case http.StatusNoContent, http.StatusNotModified:
		delete(h, "Content-Length") // HTTP/2 would promise a body with it
		r.bodyless = true
	}
	if _, named := h["Content-Type"]; !named {
		h["Content-Type"] = nil
	}
}

// unionLines returns the combined lines of a list-valued header from two sources.
func unionLines(lines, more []string) []string {
	all := slices.Clone(lines)
	for _, line := range more {
		if !slices.Contains(all, line) {
			all = append(all, line)
		}
	}
	return all
}

// addHeader adds what h does not have; a Vary adds to that of h. It shares the value slices, so it
// costs no allocation; nothing in net/http writes to them.
func addHeader(h, extra http.Header) {
	for key, values := range extra {
		said, ok := h[key]
		switch {
		case !ok:
			h[key] = values
		case key == "Vary":
			h[key] = unionLines(said, values)
		}
	}
}

func (r *response) Write(p []byte) (int, error) {
	r.finishHeader()
	if r.bodyless || r.named != "" {
		return len(p), nil
	}
	return r.ResponseWriter.Write(p)
}

// ReadFrom keeps sendfile reachable. The header waits for the first octets: if src is the request's
// own body, the client may wait for a 100 before it sends any, and after a header no 100 can
// follow.
func (r *response) ReadFrom(src io.Reader) (int64, error) {
	var first int64
	if r.status == 0 {
		n, err := io.CopyN(onlyWriter{r}, src, 512)
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		first = n
	}
	to, ok := r.ResponseWriter.(io.ReaderFrom)
	if !ok || r.bodyless || r.named != "" {
		n, err := io.Copy(onlyWriter{r}, src)
		return first + n, err
	}
	n, err := to.ReadFrom(src)
	return first + n, err
}

// FlushError is what http.ResponseController calls; Flush is for functions that ask for an
// http.Flusher.
func (r *response) FlushError() error {
	r.finishHeader()
	if r.named != "" {
		return nil
	}
	return http.NewResponseController(r.ResponseWriter).Flush()
}

func (r *response) Flush() { _ = r.FlushError() }

// finishHeader writes the header that net/http would write by itself, with the edge's headers in it.
func (r *response) finishHeader() {
	if r.status == 0 {
		r.WriteHeader(http.StatusOK)
	}
}

type onlyWriter struct{ io.Writer }
