package edge

import (
	"errors"
	"io"
	"net"
	"os"
	"time"
)

// pacedConn cuts off a client that stops reading. Timeouts of http.Server cannot: its WriteTimeout
// counts from the request and would end every long stream.
//
// Every write has the pace's grace. When that is over, the write continues if the client read
// enough for the pace in that time. So a stalled client is cut off after one grace however much
// there is to send.
//
// net/http writes from one goroutine at a time.
type pacedConn struct {
	net.Conn
	pace     Pace
	deadline time.Time
	leave    func() // returns the connection's place to the gate
}

const (
	// sendChunk is how many bytes of a file are sent under one deadline, so that a client that
	// reads at once costs few timers.
	sendChunk = 512 << 10
	// renewAfter avoids a timer update for deadlines that are almost right.
	renewAfter = time.Second
)

func (c *pacedConn) Close() error {
	c.leave()
	return c.Conn.Close()
}

// CloseWrite closes the server's side, so that a client still sending sees its answer.
func (c *pacedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

func (c *pacedConn) Write(p []byte) (int, error) {
	total := 0
	for {
		c.renewDeadline()
		n, err := c.Conn.Write(p[total:])
		total += n
		if !c.goesOn(int64(n), err) {
			return total, err
		}
	}
}

// writeBuffers writes all of left, with writev(2) where available, and empties it. Reading the clock costs
// more than the rest: the caller knows what time it is.
func (c *pacedConn) writeBuffers(left *net.Buffers, now time.Time) error {
	for {
		c.renewDeadlineAt(now)
		n, err := left.WriteTo(c.Conn)
		if !c.goesOn(n, err) {
			return err
		}
		now = time.Now()
	}
}

// goesOn reports whether a write that ended with err is only slow, not stalled.
func (c *pacedConn) goesOn(octets int64, err error) bool {
	return errors.Is(err, os.ErrDeadlineExceeded) && octets > 0 && octets >= c.pace.least()
}

// SetWriteDeadline keeps the pace when net/http clears the deadline between two requests.
func (c *pacedConn) SetWriteDeadline(t time.Time) error {
	if t.IsZero() {
		return nil
	}
	c.deadline = t
	return c.Conn.SetWriteDeadline(t)
}

// SetDeadline keeps the pace, too.
func (c *pacedConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

func (c *pacedConn) renewDeadline() { c.renewDeadlineAt(time.Now()) }

func (c *pacedConn) renewDeadlineAt(now time.Time) {
	due := now.Add(c.pace.Grace)
	if due.Sub(c.deadline).Abs() < min(renewAfter, c.pace.Grace/4) {
		return
	}
	c.deadline = due
	c.Conn.SetWriteDeadline(due)
}

// ReadFrom passes files to sendfile(2), one chunk for each deadline. Anything else goes through
// Write: a deadline must not run while a function computes.
func (c *pacedConn) ReadFrom(src io.Reader) (int64, error) {
	to, ok := c.Conn.(io.ReaderFrom)
	limited, file := asFile(src)
	if !ok || file == nil {
		return io.Copy(onlyWriter{c}, src)
	}
	var total int64
	for {
		part := &io.LimitedReader{R: file, N: sendChunk}
		if limited != nil {
			part.N = min(part.N, limited.N)
		}
		want := part.N
		c.renewDeadline()
		n, err := to.ReadFrom(part)
		total += n
		if limited != nil {
			limited.N -= n
		}
		if c.goesOn(n, err) {
			continue
		}
		if err != nil || n < want || n == 0 {
			return total, err
		}
	}
}

// asFile recognises a file, and a limited one, as http.ServeContent passes for ranges.
func asFile(src io.Reader) (*io.LimitedReader, *os.File) {
	if f, ok := src.(*os.File); ok {
		return nil, f
	}
	if limited, ok := src.(*io.LimitedReader); ok {
		if f, ok := limited.R.(*os.File); ok {
			return limited, f
		}
	}
	return nil, nil
}
