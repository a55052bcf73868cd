package edge

import (
	"errors"
	"io"
	"net/http"
)

// response notes whether the header was sent, and adds headers of the edge at the last moment, so that a function cannot
// double them by accident.
type response struct {
	http.ResponseWriter
	extra    http.Header // set, whatever the function says
	site     http.Header // of the Site: set unless the function says otherwise
	override http.Header // of the middleware

	status int // 0 until the final header is written
}

func newResponse(w http.ResponseWriter) *response { return &response{ResponseWriter: w} }

// Unwrap lets http.ResponseController reach the connection.
func (r *response) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (r *response) WriteHeader(status int) {
	if status >= 200 && r.status == 0 {
		r.status = status
		r.decorate(r.Header())
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *response) decorate(h http.Header) {
	addHeader(h, r.site)
	for key, values := range r.extra {
		h[key] = values
	}
	for key, values := range r.override {
		switch http.CanonicalHeaderKey(key) {
		case "Content-Length", "Transfer-Encoding", "Connection":
		case "Set-Cookie":
			h["Set-Cookie"] = append(h["Set-Cookie"], values...)
		default:
			h[http.CanonicalHeaderKey(key)] = values
		}
	}
}

// addHeader shares the value slices, so it costs no allocation; nothing in net/http writes to them.
func addHeader(h, extra http.Header) {
	for key, values := range extra {
		if _, said := h[key]; !said {
			h[key] = values
		}
	}
}

func (r *response) Write(p []byte) (int, error) {
	r.finish()
	return r.ResponseWriter.Write(p)
}

// ReadFrom keeps sendfile reachable. The header waits for the first octets: if src is the request's own body, the
// client may wait for a 100 before it sends any, and after a header there is none.
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
	if !ok {
		n, err := io.Copy(onlyWriter{r}, src)
		return first + n, err
	}
	n, err := to.ReadFrom(src)
	return first + n, err
}

// FlushError is what http.ResponseController calls; Flush is for functions that ask for an http.Flusher.
func (r *response) FlushError() error {
	r.finish()
	return http.NewResponseController(r.ResponseWriter).Flush()
}

func (r *response) Flush() { _ = r.FlushError() }

// finish writes the header that net/http would write by itself, with ours in it.
func (r *response) finish() {
	if r.status == 0 {
		r.WriteHeader(http.StatusOK)
	}
}

type onlyWriter struct{ io.Writer }
