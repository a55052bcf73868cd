package worker

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"maps"
	"math"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

const (
	requestIDHeader = "X-Request-Id"
	noticeEnd       = 250 * time.Millisecond
)

var copyBuffers = sync.Pool{New: func() any { return new([hopBuffer]byte) }}

// ServeHTTP sends r to a process and returns its answer. Bodies stream in both directions; a client
// that disconnects cancels its request in the app. A request that no process can take is answered
// with 503 and Retry-After. One whose process ended under it is answered with 502, but a GET or
// HEAD is first tried once more. A body that cannot be read is the client's fault: 400, 408 when it
// came too slowly, 413 when it is too large. r.RemoteAddr becomes the event's source address.
//
// A request with "Upgrade: websocket" is a WebSocket handshake. If the app's rewrites lead it to
// another host that accepts it, the answer is 101: r.Body must then return what the client sends
// from there on, and w send what is written to it.
func (p *Pool) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if p.spec.Event != APIGatewayV2 {
		respondText(w, http.StatusInternalServerError, "This function takes no HTTP requests.")
		return
	}
	out := outgoingHead(r)
	var body *clientBody
	if out.length != 0 {
		body = &clientBody{Reader: r.Body}
	}
	for attempt := 0; ; attempt++ {
		pr, err := p.acquireProcess(r.Context(), attempt > 0)
		if err != nil {
			p.refuseRequest(w, r, err)
			return
		}
		err = p.forwardRequest(w, r, out, body, pr)
		if err == nil {
			return
		}
		if bad := body.readError(); bad != nil {
			blameClient(w, r, bad)
			return
		}
		if r.Context().Err() != nil {
			abandonRequest(w, r)
			return
		}
		waitForExit(pr.process)
		if attempt > 0 || body != nil || (r.Method != http.MethodGet && r.Method != http.MethodHead) {
			p.logLine("error", "request "+out.header.Get(requestIDHeader)+" got no answer: "+err.Error())
			respondText(w, http.StatusBadGateway, "The app's process ended before it answered this request. Please try again.")
			return
		}
	}
}

// outgoingHead returns the head of r as the process receives it. It shares the header of a request that the edge has
// cleaned.
func outgoingHead(r *http.Request) *requestHead {
	header := r.Header
	upgrade := header.Get("Upgrade") == "websocket"
	if header.Get(requestIDHeader) == "" || hasConnectionFields(header) {
		header = make(http.Header, len(r.Header)+1)
		maps.Copy(header, r.Header)
		dropConnectionFields(header)
		if header.Get(requestIDHeader) == "" {
			header.Set(requestIDHeader, newRequestID())
		}
	}
	peer, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		peer = r.RemoteAddr
	}
	length := r.ContentLength
	if r.Body == nil || r.Body == http.NoBody {
		length = 0
	}
	return &requestHead{method: r.Method, target: r.URL.RequestURI(), host: r.Host, peer: peer, header: header, length: length, upgrade: upgrade}
}

var errSwitched = errors.New("the answer is 101 to a request that is not a WebSocket handshake")

// forwardRequest sends the request to pr, copies the answer to w, and releases pr. An error means that
// nothing was sent to the client.
func (p *Pool) forwardRequest(w http.ResponseWriter, r *http.Request, out *requestHead, body *clientBody, pr turn) error {
	defer p.releaseProcess(pr)
	if body != nil && r.ProtoMajor == 1 {
		// Best effort: not every ResponseWriter supports it, and most requests do not need it.
		_ = http.NewResponseController(w).EnableFullDuplex()
	}
	head, answer, err := pr.hop.exchangeMessages(r.Context(), out, body)
	if err != nil {
		if body.readError() == nil && r.Context().Err() == nil { // else the client broke the exchange off
			p.markDoubted(pr.process)
		}
		return err
	}
	defer answer.Close()
	if head.status == http.StatusSwitchingProtocols && !out.upgrade {
		return errSwitched
	}
	header := w.Header()
	maps.Copy(header, head.header)
	p.checkFile(header)
	w.WriteHeader(head.status)
	if err := copyBody(w, answer, head.length < 0); err != nil && r.Context().Value(http.ServerContextKey) != nil {
		// The status is sent: only a broken connection can show the client that this is not the
		// whole answer.
		_ = http.NewResponseController(w).Flush() // the client sees the part there is
		panic(http.ErrAbortHandler)
	}
	return nil
}

// copyBody forwards the body. An open one, of unknown length, may be a stream of events: what has arrived is flushed
// before the next piece is waited for. What arrives together leaves together.
func copyBody(w http.ResponseWriter, body *hopBody, open bool) error {
	client := http.NewResponseController(w)
	buf := copyBuffers.Get().(*[hopBuffer]byte)
	defer copyBuffers.Put(buf)
	for {
		if open && !body.hasArrived() {
			if err := client.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
				return err
			}
		}
		n, err := body.Read(buf[:])
		if n > 0 {
			if _, werr := w.Write(buf[:n]); werr != nil {
				return werr
			}
		}
		if errors.Is(err, io.EOF) {
			return sendTrailer(w, body.trailer)
		}
		if err != nil {
			return err
		}
	}
}

// sendTrailer sends what has been written of the body first: net/http would send a short one with its length, which leaves no
// room for trailers.
func sendTrailer(w http.ResponseWriter, trailer http.Header) error {
	if len(trailer) == 0 {
		return nil
	}
	if err := http.NewResponseController(w).Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	for name, values := range trailer {
		w.Header()[http.TrailerPrefix+name] = values
	}
	return nil
}

// waitForExit waits a moment until the end of a process, whose connections break before it, is
// noticed: the next attempt must not reach the same process.
func waitForExit(pr *process) {
	select {
	case <-pr.gone:
	case <-time.After(noticeEnd):
	}
}

// refuseRequest answers a request that no process took.
func (p *Pool) refuseRequest(w http.ResponseWriter, r *http.Request, err error) {
	var busy *busyError
	var start *StartError
	p.refused.Add(1)
	switch {
	case r.Context().Err() != nil:
		abandonRequest(w, r)
	case errors.As(err, &busy):
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(busy.retryAfter.Seconds()))))
		respondText(w, http.StatusServiceUnavailable, "The app cannot take this request now: "+busy.why+".")
	case errors.As(err, &start):
		respondText(w, http.StatusBadGateway, "The app did not start. Its log says why.")
	case errors.Is(err, ErrClosed):
		w.Header().Set("Retry-After", "1")
		respondText(w, http.StatusServiceUnavailable, "This deployment is being stopped. Please try again.")
	case errors.Is(err, context.DeadlineExceeded):
		respondText(w, http.StatusGatewayTimeout, "The app had no time to answer.")
	default:
		respondText(w, http.StatusBadGateway, "The app could not be reached.")
	}
}

func respondText(w http.ResponseWriter, status int, text string) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "private, no-store")
	h.Set("X-Anchor-Error", strconv.Itoa(status))
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n") // the client may be gone
}

func newRequestID() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	return hex.EncodeToString(id[:])
}
