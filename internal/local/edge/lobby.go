package edge

import (
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"time"
)

// newcomer is a connection that net/http does not have: until its first request that is not a hit, and
// when it has been idle for a while after such a request. It waits in a goroutine of its own, without net/http's
// buffers. While it waits it has no buffer at all, and a small stack. Most of what an idle connection costs are those.
type newcomer struct {
	conn   *http1Conn
	raw    syscall.RawConn // of TCP; nil over TLS
	buffer *[headBuffer]byte
	n      int // octets in buffer
	failed error
	first  [1]byte
}

// headBuffer is how much of a request is read at a time, as net/http does.
const headBuffer = 4 << 10

var headBuffers = sync.Pool{New: func() any { return new([headBuffer]byte) }}

// serve answers hits, of which the first has to arrive before a deadline. It returns true when the
// first other octets have arrived, which conn keeps for net/http, and false when the connection has
// ended.
func (w *newcomer) serve(deadline time.Time) bool {
	c := w.conn
	c.isLeased, c.hits.renewed = false, time.Time{}
	if c.Conn.SetReadDeadline(deadline) != nil {
		return false
	}
	for {
		if err := w.receive(); err != nil {
			return false
		}
		rest, err := c.answerHits(w.buffer[:w.n])
		if rest > 0 && err == nil {
			c.early, c.pending, c.isLeased = w.buffer, w.buffer[:rest], true
			return true
		}
		headBuffers.Put(w.buffer)
		if err != nil {
			return false
		}
	}
}

// receive waits for octets, and returns with them in a buffer.
func (w *newcomer) receive() error {
	if w.raw != nil {
		w.failed = nil
		if err := w.raw.Read(w.readReady); err != nil {
			return err
		}
		return w.failed
	}
	// The session keeps what it has decrypted, so there is no way to know whether there is more.
	if _, err := io.ReadFull(w.conn.Conn, w.first[:]); err != nil {
		return err
	}
	w.buffer = headBuffers.Get().(*[headBuffer]byte)
	w.buffer[0] = w.first[0]
	n, err := w.conn.Conn.Read(w.buffer[1:])
	if w.n = 1 + n; err != nil {
		headBuffers.Put(w.buffer)
	}
	return err
}

// readReady reads from a socket without waiting, and reports whether there was something to read.
func (w *newcomer) readReady(fd uintptr) bool {
	w.buffer = headBuffers.Get().(*[headBuffer]byte)
	for {
		w.n, w.failed = readSocket(fd, w.buffer[:])
		if !errors.Is(w.failed, syscall.EINTR) {
			break
		}
	}
	if w.failed == nil && w.n == 0 {
		w.failed = io.EOF
	}
	if w.failed != nil {
		headBuffers.Put(w.buffer)
	}
	return !errors.Is(w.failed, syscall.EAGAIN)
}

// rawOf returns the socket of a connection without TLS, and nil where it cannot be read directly.
func rawOf(c net.Conn) syscall.RawConn {
	paced, ok := c.(*pacedConn)
	if !ok || !readsSockets {
		return nil
	}
	socket, ok := paced.Conn.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}

// takeEarly returns what newcomer.serve has read.
func (c *http1Conn) takeEarly(p []byte) int {
	n := copy(p, c.pending)
	if c.pending = c.pending[n:]; len(c.pending) == 0 {
		headBuffers.Put(c.early)
		c.early, c.pending = nil, nil
	}
	return n
}

// newcomers are the connections that net/http does not have, for Shutdown.
type newcomers struct {
	mu      sync.Mutex
	conns   map[*http1Conn]struct{}
	leaving bool
}

// add registers a connection and reports whether it may make requests.
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
