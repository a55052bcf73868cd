package edge

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anchor-deploy/anchor/internal/local/edge/accesslog"
)

// hitConn is the part of a connection that answers hits. Only the goroutine in which net/http reads
// from the connection uses its fields, except for state.
type hitConn struct {
	edge       *Edge
	protocol   string   // of the access log
	addr       net.Addr // of the peer
	secure     bool     // TLS
	serverName string   // of the TLS handshake; "" for none

	state    atomic.Int32
	answered bool               // at least one hit
	known    bool               // net/http has seen a request, or the connection is among Edge.newcomers
	renewed  time.Time          // when the deadline for the next request was set last
	remote   string             // the peer's address; "" until a line of the access log needs it
	repeats  *accesslog.Repeats // nil until then
}

// States of a hitConn. net/http closes a connection that waits for a request, and does not know of
// an answer under way.
const (
	idle int32 = iota
	sending
	closed
	closedWhileSending
)

// Read answers hits. It returns everything from the first request that is not a hit on, for
// net/http.
func (c *http1Conn) Read(p []byte) (int, error) {
	for {
		n, err := c.readPast(p)
		n = c.framing.followOctets(p[:n])
		if n > 0 || err != nil || len(p) == 0 {
			return n, err
		}
	}
}

// readPast reads octets past hits. It may return none without an error.
func (c *http1Conn) readPast(p []byte) (n int, err error) {
	switch first := c.atRequest(); {
	case first && c.socket != nil && len(c.begun) == 0 && len(p) > 0:
		n, err = c.socket.read(p)
	default:
		n, err = c.readOctets(p)
		if !first || n == 0 {
			return n, err
		}
		var failed error
		if n, failed = c.answerHits(p[:n]); failed != nil {
			return 0, failed
		}
	}
	if n > 0 && c.hits.answered && c.requests == 0 {
		return c.awaitFour(p, n, err)
	}
	return n, err
}

// awaitFour reads more if net/http would get fewer than four octets of its first request. Of a client that
// leaves then, net/http answers the first request with 400, and no other: it awaits four octets before it
// takes them for a request. Here it is not the first one.
func (c *http1Conn) awaitFour(p []byte, n int, err error) (int, error) {
	for {
		for n > 0 && (p[0] == '\r' || p[0] == '\n') {
			n = copy(p, p[1:n])
		}
		if n == 0 || n >= 4 || len(p) < 4 {
			return n, err
		}
		if err != nil {
			return 0, err
		}
		var more int
		more, err = c.readOctets(p[n:])
		n += more
	}
}

func (c *http1Conn) readOctets(p []byte) (int, error) {
	if len(c.begun) == 0 {
		return c.Conn.Read(p)
	}
	n := copy(p, c.begun)
	if c.begun = c.begun[n:]; len(c.begun) == 0 {
		c.begun = nil
	}
	return n, nil
}

// atRequest reports whether the next octet is the first of a request.
func (c *http1Conn) atRequest() bool { return !c.answering.Load() && c.framing.atHead() }

// answerHits answers the requests at the front of p as long as they are hits, and moves what
// follows to the front. It returns the length of that.
func (c *http1Conn) answerHits(p []byte) (int, error) {
	if c.hits.edge.noHits {
		return len(p), nil
	}
	done, tally := 0, hitTally{began: time.Now()}
	for done < len(p) {
		r, ok := parsePlainGet(p[done:])
		if !ok {
			break
		}
		h, ok := c.hits.edge.findHit(&c.hits, &r)
		if !ok {
			break
		}
		err := c.sendHit(&h, tally.began)
		tally.add(&c.hits, &h, &r)
		if err != nil {
			tally.flush(tally.end())
			return 0, err
		}
		done += r.size
	}
	if done == 0 {
		return len(p), nil
	}
	c.hits.answered = true
	now, rest := tally.end(), copy(p, p[done:])
	tally.flush(now)
	return rest, c.awaitRequest(now, rest > 0)
}

// awaitRequest sets the deadline that net/http sets after its own answers. A request that has begun
// belongs to net/http.
func (c *http1Conn) awaitRequest(now time.Time, begun bool) error {
	e := c.hits.edge
	if begun {
		c.hits.renewed = time.Time{}
		return c.SetReadDeadline(now.Add(e.cfg.HeaderTimeout))
	}
	if now.Sub(c.hits.renewed) < min(renewAfter, e.cfg.IdleTimeout/4) {
		return nil
	}
	c.hits.renewed = now
	return c.SetReadDeadline(now.Add(e.cfg.IdleTimeout))
}

// sendHit sends an answer whose Date is now.
func (c *http1Conn) sendHit(h *hit, now time.Time) error {
	if !c.hits.state.CompareAndSwap(idle, sending) {
		return net.ErrClosed
	}
	e := c.hits.edge
	e.inFlight.Add(1)
	h.site.enter()
	e.hitsInFlight.Add(1)
	err := c.writeHit(h, now)
	if !c.hits.state.CompareAndSwap(sending, idle) {
		err = net.ErrClosed // the client has its answer, or cannot receive it
		if !c.socket.isOpen() {
			_ = c.Conn.Close()
		}
	}
	e.hitsInFlight.Add(-1)
	h.site.leave()
	e.inFlight.Add(-1)
	if err == nil && !c.hits.known {
		c.hits.known = true
		if !e.newcomers.add(c) {
			return net.ErrClosed
		}
	}
	return err
}

// close reports whether the connection may be closed now. If not, sendHit closes it after the
// answer under way; a second call does not wait for that.
func (c *hitConn) close() bool {
	for {
		switch {
		case c.state.CompareAndSwap(sending, closedWhileSending):
			return false
		case c.state.CompareAndSwap(idle, closed), c.state.Load() >= closed:
			return true
		}
	}
}

// message is the buffer in which an answer is assembled.
type message struct {
	parts [6][]byte
	left  net.Buffers
	whole []byte
}

var messages = sync.Pool{New: func() any { return new(message) }}

var (
	statusOK          = []byte("HTTP/1.1 200 OK\r\n")
	statusNotModified = []byte("HTTP/1.1 304 Not Modified\r\n")
)

// recordSize is the most octets that one TLS record carries (RFC 8446, section 5.1).
const recordSize = 16 << 10

func (c *http1Conn) writeHit(h *hit, now time.Time) error {
	m := messages.Get().(*message)
	defer messages.Put(m)
	status := statusOK
	if h.file.Unchanged {
		status = statusNotModified
	}
	tail := h.tail
	if tail == nil {
		tail = dateAt(now).octets
	}
	m.parts = [...][]byte{status, h.file.Fields, h.hsts, h.alt, tail, h.file.Body}
	if paced, ok := c.Conn.(*pacedConn); ok {
		m.left = m.parts[:]
		if c.socket.send(m) {
			return nil
		}
		return paced.writeBuffers(&m.left, now)
	}
	// One record for the header and as much of the body as fits.
	m.whole = m.whole[:0]
	for _, part := range m.parts[:len(m.parts)-1] {
		m.whole = append(m.whole, part...)
	}
	first := min(len(h.file.Body), max(recordSize-len(m.whole), 0))
	m.whole = append(m.whole, h.file.Body[:first]...)
	if _, err := c.Conn.Write(m.whole); err != nil {
		return err
	}
	if first == len(h.file.Body) {
		return nil
	}
	_, err := c.Conn.Write(h.file.Body[first:])
	return err
}

// newcomers are connections that wait for their first request or had only hits. net/http does not know
// them, or takes them for new, and when it shuts down it would wait five seconds for their first request.
type newcomers struct {
	mu      sync.Mutex
	conns   map[*http1Conn]struct{}
	leaving bool
}

// add registers a connection and reports whether it may take more requests.
func (n *newcomers) add(c *http1Conn) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.leaving {
		return false
	}
	if n.conns == nil {
		n.conns = map[*http1Conn]struct{}{}
	}
	n.conns[c] = struct{}{}
	return true
}

func (n *newcomers) removeConn(c *http1Conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.conns, c)
}

// closeAll closes the connections, each after the answer under way.
func (n *newcomers) closeAll() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.leaving = true
	for c := range n.conns {
		c.Close()
	}
}

// awaitHits waits for the answers on connections that net/http has closed.
func (e *Edge) awaitHits(ctx context.Context) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for e.hitsInFlight.Load() > 0 {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
	return nil
}
