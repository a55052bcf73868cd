package edge

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// pacedBody cuts off a client that sends its body too slowly. Only the time spent waiting for the
// client counts, so a function may take its time.
type pacedBody struct {
	io.ReadCloser
	pace     Pace
	length   int64 // Content-Length, or -1
	http2    bool
	last     bool // the connection ends after this request
	response http.ResponseWriter
	client   *http.ResponseController

	reading sync.Mutex // one reader at a time: the function's, then end
	read    int64
	waited  time.Duration

	mu     sync.Mutex // orders deadlines relative to the end of the request
	ended  bool
	whole  bool  // read to its end
	broken error // why it cannot be
}

// paceBody applies the body limits to a request that has a body. The returned body is nil if it has
// none.
//
// Full duplex lets a function answer while it still reads. Without it net/http would first read the
// rest of the body, and an echo of a large upload would never begin. In exchange net/http leaves to
// end what becomes of a connection whose body was not read to its end.
func (e *Edge) paceBody(w http.ResponseWriter, r *http.Request) (*http.Request, *pacedBody) {
	if r.Body == nil || r.Body == http.NoBody {
		return r, nil
	}
	body := &pacedBody{
		ReadCloser: r.Body, pace: e.cfg.Upload, length: r.ContentLength, http2: r.ProtoMajor > 1,
		last: r.Close || r.Header.Get("Expect") != "", response: w, client: http.NewResponseController(w),
	}
	_ = body.client.EnableFullDuplex() // fails only under HTTP/2, which is full duplex anyway
	if e.cfg.MaxBodyBytes > 0 {
		body.ReadCloser = http.MaxBytesReader(w, r.Body, e.cfg.MaxBodyBytes)
	}
	out := r.WithContext(r.Context())
	out.Body = body
	return out, body
}

func (b *pacedBody) Read(p []byte) (int, error) {
	b.reading.Lock()
	defer b.reading.Unlock()
	start := time.Now()
	if !b.setDeadline(start.Add(b.pace.allowanceFor(b.read) - b.waited)) {
		return 0, http.ErrBodyReadAfterClose
	}
	n, err := b.ReadCloser.Read(p)
	b.waited += time.Since(start)
	b.read += int64(n)
	switch {
	case err == io.EOF:
		b.clearDeadline()
	case err != nil:
		b.setError(err)
	}
	return n, err
}

func (b *pacedBody) setError(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.broken == nil {
		b.broken = err
	}
}

// readError returns why the body could not be read to its end; nil if it was, or still may be, or if
// there is no body.
func (b *pacedBody) readError() error {
	if b == nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.broken
}

// Close does nothing; end handles the rest of the body. Transports close it early, and net/http
// would then wait for the rest without limit.
func (b *pacedBody) Close() error { return nil }

// setDeadline sets the read deadline and reports whether the request still runs. After its end the
// connection's deadlines belong to net/http.
func (b *pacedBody) setDeadline(t time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		return false
	}
	b.client.SetReadDeadline(t)
	return true
}

// clearDeadline removes the deadline: from here on net/http watches for a client that disconnects, and a
// deadline would look like one.
func (b *pacedBody) clearDeadline() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.whole = true
	if !b.ended {
		b.client.SetReadDeadline(time.Time{})
	}
}

const (
	// maxLeftover is how much of a body net/http reads to keep a connection
	// (maxPostHandlerReadBytes in net/http).
	maxLeftover = 256 << 10
	// leftoverTime is how long a client has to send it.
	leftoverTime = 2 * time.Second
)

// drainRest handles the unread rest of the body once the answer is written. It reads a small rest, so
// that the connection can serve another request. In any other case it closes the connection: the
// rest of a body must never be taken for a request (RFC 9112, sections 9.3 and 11.2).
func (b *pacedBody) drainRest() {
	if b.stop() || b.http2 {
		return
	}
	b.reading.Lock() // a read under way ends by the deadline that stop has set
	defer b.reading.Unlock()
	if b.isWhole() {
		return
	}
	if b.last || b.readError() != nil || b.length-b.read > maxLeftover || b.response.Header().Get("Connection") == "close" {
		b.closeConnection()
		return
	}
	b.client.Flush() // the client may wait for its answer before it sends more
	if _, err := io.CopyN(io.Discard, b.ReadCloser, maxLeftover); !errors.Is(err, io.EOF) {
		b.closeConnection()
	}
}

// stop ends the function's access to the body, sets the time limit for the rest, and reports
// whether there is none. Only the first call sets the limit.
func (b *pacedBody) stop() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	first := !b.ended
	b.ended = true
	if first && !b.whole {
		b.client.SetReadDeadline(time.Now().Add(min(b.pace.Grace, leftoverTime)))
	}
	return b.whole
}

func (b *pacedBody) isWhole() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.whole
}

// closeConnection also bounds the time for which net/http continues to read before it closes.
func (b *pacedBody) closeConnection() {
	closeAfter(b.response)
	b.client.SetReadDeadline(time.Now().Add(min(b.pace.Grace, linger)))
}

// closeAfter makes net/http close the connection when the response is written, even if its header
// was sent without "Connection: close". A reader beyond its limit is the documented way to make
// net/http do that. HTTP/2 does not need it and ignores it.
func closeAfter(w http.ResponseWriter) {
	one := io.NopCloser(strings.NewReader("x"))
	_, _ = http.MaxBytesReader(w, one, 0).Read(make([]byte, 1))
}
