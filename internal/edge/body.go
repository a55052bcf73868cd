package edge

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
)

// pacedBody cuts a client that sends its body too slowly. Only the time spent waiting for the client counts, so a
// function may take its time.
type pacedBody struct {
	io.ReadCloser
	pace   Pace
	length int64 // Content-Length, or -1
	client *http.ResponseController
	conn   *pacedConn // nil under HTTP/2, or when somebody else's server accepted it

	read   int64
	waited time.Duration

	mu     sync.Mutex // orders deadlines against the end of the request
	ended  bool
	whole  bool  // read to its end
	broken error // why it cannot be
}

// paceBody puts the body limits on a request that has a body. The returned body is nil if it has none.
//
// Full duplex lets a function answer while it still reads: without it net/http would first read the rest of the
// body, and an echo of a large upload would never begin. In exchange net/http leaves it to us to keep a connection
// with an unread body from being used again, which takes a connection of our own.
func (e *Edge) paceBody(w http.ResponseWriter, r *http.Request) (*http.Request, *pacedBody) {
	if r.Body == nil || r.Body == http.NoBody {
		return r, nil
	}
	body := &pacedBody{
		ReadCloser: r.Body, pace: e.cfg.Upload, length: r.ContentLength,
		client: http.NewResponseController(w), conn: connOf(r),
	}
	if body.conn != nil {
		body.client.EnableFullDuplex() // fails under HTTP/2 only, which is full duplex anyway
	}
	if e.cfg.MaxBodyBytes > 0 {
		body.ReadCloser = http.MaxBytesReader(w, r.Body, e.cfg.MaxBodyBytes)
	}
	r.Body = body
	return r, body
}

func (b *pacedBody) Read(p []byte) (int, error) {
	start := time.Now()
	if !b.deadline(start.Add(b.pace.allowance(b.read) - b.waited)) {
		return 0, http.ErrBodyReadAfterClose
	}
	n, err := b.ReadCloser.Read(p)
	b.waited += time.Since(start)
	b.read += int64(n)
	switch {
	case err == io.EOF:
		b.finished()
	case err != nil:
		b.fail(err)
	}
	return n, err
}

func (b *pacedBody) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.broken == nil {
		b.broken = err
	}
}

// failure is why the body could not be read to its end; nil if it was, or still may be, or if there is no body.
func (b *pacedBody) failure() error {
	if b == nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.broken
}

// Close leaves the body to end: transports close it early, and net/http would then wait for the rest without limit.
func (b *pacedBody) Close() error { return nil }

// deadline reports whether the request still runs. After its end the connection's deadlines belong to net/http.
func (b *pacedBody) deadline(t time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		return false
	}
	b.client.SetReadDeadline(t)
	return true
}

// finished lifts the deadline: from here net/http watches the connection for the client's departure, and a deadline
// would look like one.
func (b *pacedBody) finished() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.whole = true
	if !b.ended {
		b.client.SetReadDeadline(time.Time{})
	}
}

// maxLeftover is how much of a body net/http reads to keep a connection (maxPostHandlerReadBytes in net/http).
const maxLeftover = 256 << 10

// end settles what the function left of the body: a little is read, so that the connection can serve another request;
// otherwise it cannot, and the rest of the body must never be taken for a request.
func (b *pacedBody) end() {
	if b.stop() || b.conn == nil || b.length-b.read > maxLeftover {
		return
	}
	if b.failure() != nil { // a client that was too slow gets no second time
		b.conn.over.Store(true)
		return
	}
	b.client.Flush() // the client may wait for its answer before it sends more
	if _, err := io.CopyN(io.Discard, b.ReadCloser, maxLeftover); !errors.Is(err, io.EOF) {
		b.conn.over.Store(true)
	}
}

// stop takes the body from the function, sets the time for what is left of it, and reports whether nothing is.
func (b *pacedBody) stop() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = true
	if !b.whole {
		b.client.SetReadDeadline(time.Now().Add(b.pace.Grace))
	}
	return b.whole
}
