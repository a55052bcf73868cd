package edge

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
)

// Middleware is an app's external middleware: a function that processes a request before it is
// routed.
type Middleware interface {
	// Run decides about r, whose headers are already clean. It may read r.Body only if its Decision
	// is final or if it replaces the body by a whole one.
	Run(ctx context.Context, r *http.Request) (Decision, error)
}

// Decision is the result of a middleware for a request. The zero Decision lets it pass unchanged.
type Decision struct {
	// Response, if not nil, is the answer; the request goes no further. The edge closes its body.
	Response *http.Response
	// URL, if not nil, is the request's new path and query; it is routed again, without a second
	// middleware run.
	URL *url.URL
	// Header, if not nil, replaces the request's headers.
	Header http.Header
	// ResponseHeader is added to the headers of any answer: Set-Cookie is added, other names are
	// replaced.
	ResponseHeader http.Header
}

// runMiddleware returns how to continue; done means that the response is written.
func (e *Edge) runMiddleware(site *Site, t target, res *response, r *http.Request) (target, *http.Request, bool) {
	d, err := site.Middleware.Run(r.Context(), r)
	if err != nil && clientFailed(res, r) {
		return t, r, true
	}
	if err != nil {
		e.cfg.Log.ErrorContext(context.WithoutCancel(r.Context()), "middleware failed", "site", site.ID, "error", err)
		writeRefusal(res, r, middlewareFailed)
		return t, r, true
	}
	res.override = d.ResponseHeader
	if d.Response != nil {
		relayResponse(res, r, d.Response)
		return t, r, true
	}
	if d.Header != nil {
		r.Header = d.Header
	}
	if d.URL != nil {
		r.URL = &url.URL{Path: d.URL.Path, RawPath: d.URL.RawPath, RawQuery: d.URL.RawQuery}
		r.RequestURI = r.URL.RequestURI()
		t = site.locateTarget(r.Method, r.URL)
	}
	return t, r, false
}

// clientFailed answers a request whose middleware failed through no fault of its own: the client
// broke its body off, or disconnected. It reports whether that was so; the operator need not hear
// of it.
func clientFailed(res *response, r *http.Request) bool {
	body, _ := r.Body.(*pacedBody)
	switch err := body.readError(); {
	case errors.Is(err, os.ErrDeadlineExceeded):
		writeRefusal(res, r, bodyTooSlow)
	case r.Context().Err() != nil:
		abandonRequest(res, r)
	case err != nil:
		writeRefusal(res, r, bodyBroken)
	default:
		return false
	}
	return true
}

func relayResponse(res *response, r *http.Request, from *http.Response) {
	defer from.Body.Close()
	out := newCompressor(res, r)
	defer out.release()
	h := out.Header()
	for key, values := range from.Header {
		h[key] = append(h[key], values...)
	}
	dropHopByHop(h)
	out.WriteHeader(from.StatusCode)
	if r.Method != http.MethodHead {
		streamBody(out, from.Body)
	}
	out.close()
}

// streamBody flushes each piece as soon as it has one: a middleware may have fetched an event stream
// elsewhere. A source that fails must not look like a whole answer.
func streamBody(to *compressor, from io.Reader) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
			to.Flush()
		}
		if err == io.EOF {
			return
		}
		if err != nil {
			panic(http.ErrAbortHandler)
		}
	}
}
