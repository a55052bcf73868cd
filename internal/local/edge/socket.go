package edge

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"syscall"
)

// socket is what an http1Conn without TLS reads from at the beginning of a request. It answers hits while it
// holds the file descriptor, with calls that do not wait, and lets the runtime wait for the next request.
type socket struct {
	raw   syscall.RawConn
	ready func(fd uintptr) bool // answerReady, allocated once
	conn  *http1Conn

	fd   uintptr // valid while open
	open bool

	p   []byte // of the read under way; nil for a buffer of firstOctets
	n   int
	err error
}

// openSocket returns the socket of a connection that has one, else nil.
func (c *http1Conn) openSocket() *socket {
	paced, ok := c.Conn.(*pacedConn)
	if !ok {
		return nil
	}
	with, ok := paced.Conn.(syscall.Conn)
	if !ok || !canReadSocket {
		return nil
	}
	raw, err := with.SyscallConn()
	if err != nil {
		return nil
	}
	s := &socket{raw: raw, conn: c}
	s.ready = s.answerReady
	return s
}

// isOpen reports whether answerReady runs. Close would wait for its end then.
func (s *socket) isOpen() bool { return s != nil && s.open }

// read answers hits until something else begins, and returns the length of what it has read of that into p, or
// leaves it in conn.begun if p is nil.
func (s *socket) read(p []byte) (int, error) {
	s.p, s.n, s.err = p, 0, nil
	err := s.raw.Read(s.ready)
	s.p = nil
	if err == nil {
		err = s.err
	}
	return s.n, err
}

// answerReady ends a read when it returns true. If not, the socket has no more octets.
func (s *socket) answerReady(fd uintptr) bool {
	p := s.p
	if p == nil {
		octets := firstOctets.Get().(*[]byte)
		defer firstOctets.Put(octets)
		p = *octets
	}
	s.fd, s.open = fd, true
	defer func() { s.open = false }()
	for turn := 1; ; turn++ {
		n, err := receiveNow(fd, p)
		switch {
		case errors.Is(err, syscall.EAGAIN):
			return false
		case errors.Is(err, syscall.EINTR):
			continue
		case err != nil:
			s.err = fmt.Errorf("read a request: %w", err)
			return true
		case n == 0:
			s.err = io.EOF
			return true
		}
		s.n, s.err = s.conn.answerHits(p[:n])
		if s.n > 0 && s.p == nil && s.err == nil {
			s.conn.begun = bytes.Clone(p[:s.n])
		}
		if s.n > 0 || s.err != nil {
			return true
		}
		if turn%hitsInTurn == 0 {
			runtime.Gosched()
		}
	}
}

// send sends as much of a message as the socket takes at once, and reports whether that is all of it. What is
// left waits in m.left.
func (s *socket) send(m *message) bool {
	if !s.isOpen() {
		return false
	}
	sent := sendNow(s.fd, &m.parts)
	for len(m.left) > 0 && sent >= len(m.left[0]) {
		sent -= len(m.left[0])
		m.left = m.left[1:]
	}
	if len(m.left) == 0 {
		return true
	}
	m.left[0] = m.left[0][sent:]
	return false
}

// hitsInTurn is how many requests of one connection are read before others may go ahead: these reads do not
// wait, so the scheduler would not interrupt them for 10 ms.
const hitsInTurn = 16

// firstOctets are buffers for the requests of a connection that net/http does not know. None waits with a
// connection.
var firstOctets = sync.Pool{New: func() any { b := make([]byte, 4096); return &b }}
