package worker

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	requestIDHeader = "X-Request-Id"
	peerHeader      = "X-Anchor-Peer"   // set here only; the bootstrap makes it the event's sourceIp
	invokeHeader    = "X-Anchor-Invoke" // set by Invoke only
	noticeEnd       = 250 * time.Millisecond
	statusGone      = 499 // for logs: the client went away before there was an answer
)

// hopHeaders are about one connection, not about the message: RFC 9110, section 7.6.1.
var hopHeaders = []string{
	"Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization",
	"Te", "Trailer", "Transfer-Encoding", "Upgrade", "Expect",
}

var copyBuffers = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// ServeHTTP has a process answer r. Bodies stream in both directions; a client that disconnects cancels its request in
// the app. A request that no process can take is answered with 503 and Retry-After, one whose process ended under it
// with 502, but a GET or HEAD is first tried once more. A body that cannot be read is its client's doing: 400, 408 when
// it came too slowly, 413 when it is too large. r.RemoteAddr becomes the event's source address.
func (p *Pool) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if p.spec.Event != APIGatewayV2 {
		respond(w, http.StatusInternalServerError, "This function takes no HTTP requests.")
		return
	}
	out := outgoing(r)
	var body *clientBody
	if out.Body != nil {
		body = &clientBody{ReadCloser: out.Body}
		out.Body = body
	}
	for attempt := 0; ; attempt++ {
		pr, err := p.acquire(r.Context())
		if err != nil {
			p.refuse(w, r, err)
			return
		}
		err = p.forward(w, r, out, pr)
		if err == nil {
			return
		}
		if bad := body.failure(); bad != nil {
			blame(w, r, bad)
			return
		}
		if r.Context().Err() != nil {
			w.WriteHeader(statusGone)
			return
		}
		awaitEnd(pr)
		if attempt > 0 || out.Body != nil || (r.Method != http.MethodGet && r.Method != http.MethodHead) {
			p.say("error", "request "+out.Header.Get(requestIDHeader)+" got no answer: "+err.Error())
			respond(w, http.StatusBadGateway, "The app's process ended before it answered this request. Please try again.")
			return
		}
	}
}

// outgoing is r as it is sent to the process.
func outgoing(r *http.Request) *http.Request {
	header := r.Header.Clone()
	for _, line := range header["Connection"] {
		for name := range strings.SplitSeq(line, ",") {
			header.Del(strings.TrimSpace(name))
		}
	}
	for _, name := range hopHeaders {
		delete(header, name)
	}
	delete(header, invokeHeader)
	if header.Get(requestIDHeader) == "" {
		header.Set(requestIDHeader, newRequestID())
	}
	if _, ok := header["User-Agent"]; !ok {
		header["User-Agent"] = nil // or net/http would put its own
	}
	peer, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		peer = r.RemoteAddr
	}
	header[peerHeader] = []string{peer}
	out := &http.Request{
		Method: r.Method, Host: r.Host, Header: header,
		URL:           &url.URL{Scheme: "http", Host: "worker", Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery},
		ContentLength: r.ContentLength,
	}
	if r.ContentLength != 0 && r.Body != nil && r.Body != http.NoBody {
		out.Body = r.Body
	}
	return out.WithContext(r.Context())
}

// forward has pr answer the request and gives pr back. An error means that nothing was sent to the client.
func (p *Pool) forward(w http.ResponseWriter, r, out *http.Request, pr *process) error {
	defer p.release(pr)
	if out.Body != nil && r.ProtoMajor == 1 {
		// Best effort: not every ResponseWriter can, and most requests do without.
		_ = http.NewResponseController(w).EnableFullDuplex()
	}
	resp, err := pr.hop.RoundTrip(out)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	header := w.Header()
	for name, values := range resp.Header {
		header[name] = values
	}
	for _, name := range hopHeaders {
		delete(header, name)
	}
	w.WriteHeader(resp.StatusCode)
	if err := copyBody(w, resp); err != nil {
		// The status is sent: only a broken connection can tell the client that this is not the whole answer.
		if r.Context().Value(http.ServerContextKey) != nil {
			panic(http.ErrAbortHandler)
		}
	}
	return nil
}

// copyBody passes the body on. One of unknown length may be a stream of events: each piece is flushed.
func copyBody(w http.ResponseWriter, resp *http.Response) error {
	var flush func() error
	if resp.ContentLength < 0 {
		flush = http.NewResponseController(w).Flush
		if err := flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return err
		}
	}
	buf := copyBuffers.Get().(*[32 << 10]byte)
	defer copyBuffers.Put(buf)
	for {
		n, err := resp.Body.Read(buf[:])
		if n > 0 {
			if _, werr := w.Write(buf[:n]); werr != nil {
				return werr
			}
			if flush != nil && err == nil {
				_ = flush() // a broken connection shows at the next write
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// awaitEnd gives the end of a process, whose connections break before it, a moment to be noticed: the next attempt shall
// not reach the same one.
func awaitEnd(pr *process) {
	select {
	case <-pr.gone:
	case <-time.After(noticeEnd):
	}
}

// refuse answers a request that no process took.
func (p *Pool) refuse(w http.ResponseWriter, r *http.Request, err error) {
	var busy *busyError
	var start *StartError
	switch {
	case r.Context().Err() != nil:
		w.WriteHeader(statusGone)
	case errors.As(err, &busy):
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(busy.retryAfter.Seconds()))))
		respond(w, http.StatusServiceUnavailable, "The app cannot take this request now: "+busy.why+".")
	case errors.As(err, &start):
		respond(w, http.StatusBadGateway, "The app did not start. Its log says why.")
	case errors.Is(err, ErrClosed):
		w.Header().Set("Retry-After", "1")
		respond(w, http.StatusServiceUnavailable, "This deployment is being stopped. Please try again.")
	case errors.Is(err, context.DeadlineExceeded):
		respond(w, http.StatusGatewayTimeout, "The app had no time to answer.")
	default:
		respond(w, http.StatusBadGateway, "The app could not be reached.")
	}
}

func respond(w http.ResponseWriter, status int, text string) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "private, no-store")
	h.Set("X-Anchor-Error", strconv.Itoa(status))
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n") // nobody to tell when the client is gone
}

func newRequestID() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	return hex.EncodeToString(id[:])
}
