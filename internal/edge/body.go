package edge

import (
	"io"
	"net/http"
	"sync"
	"time"
)

// pacedBody cuts a client that sends its body too slowly. Only the time spent waiting for the client counts, so a
// function may take its time.
type pacedBody struct {
	io.ReadCloser
	pace Pace
	conn *http.ResponseController

	read   int64
	waited time.Duration

	mu    sync.Mutex // orders deadlines against the end of the request
	ended bool
}

// paceBody puts the body limits on a request that has a body. The returned body is nil if it has none.
//
// Full duplex lets a function answer while it still reads: without it net/http would first read the rest of the
// body, and an echo of a large upload would never begin.
func (e *Edge) paceBody(w http.ResponseWriter, r *http.Request) (*http.Request, *pacedBody) {
	if r.Body == nil || r.Body == http.NoBody {
		return r, nil
	}
	conn := http.NewResponseController(w)
	conn.EnableFullDuplex() // fails under HTTP/2 and in tests without a connection, which do not need it
	body := r.Body
	if e.cfg.MaxBodyBytes > 0 {
		body = http.MaxBytesReader(w, body, e.cfg.MaxBodyBytes)
	}
	paced := &pacedBody{ReadCloser: body, pace: e.cfg.Upload, conn: conn}
	r.Body = paced
	return r, paced
}

func (b *pacedBody) Read(p []byte) (int, error) {
	start := time.Now()
	if !b.deadline(start.Add(b.pace.allowance(b.read) - b.waited)) {
		return 0, http.ErrBodyReadAfterClose
	}
	n, err := b.ReadCloser.Read(p)
	b.waited += time.Since(start)
	b.read += int64(n)
	if err == io.EOF {
		// From here net/http watches the connection for the client's departure; a deadline would look like one.
		b.deadline(time.Time{})
	}
	return n, err
}

// deadline reports whether the request still runs. After its end the connection's deadlines belong to net/http.
func (b *pacedBody) deadline(t time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		return false
	}
	b.conn.SetReadDeadline(t)
	return true
}

// end bounds the time that net/http then takes to read what the function left of the body.
func (b *pacedBody) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = true
	b.conn.SetReadDeadline(time.Now().Add(b.pace.Grace))
}
