package edge

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"
)

// pacedListener hands out connections that cut a client which stops reading. Timeouts of http.Server cannot: its
// WriteTimeout counts from the request and would end every long stream.
type pacedListener struct {
	net.Listener
	pace Pace
}

func (l pacedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &pacedConn{Conn: c, pace: l.pace}, nil
}

// pacedConn renews its write deadline with every write. net/http writes from one goroutine at a time.
type pacedConn struct {
	net.Conn
	pace     Pace
	deadline time.Time
	over     atomic.Bool // no request comes after the one under way
}

const (
	// sendChunk is how much one deadline covers of a large file: enough that renewing it costs nothing.
	sendChunk = 512 << 10
	// renewAfter spares a timer update for deadlines that are almost what they should be.
	renewAfter = time.Second
)

func (c *pacedConn) Read(p []byte) (int, error) {
	if c.over.Load() {
		return 0, io.EOF
	}
	return c.Conn.Read(p)
}

// CloseWrite lets net/http say goodbye before it closes, so that a client still sending sees its answer.
func (c *pacedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

type connKey struct{}

func withConn(ctx context.Context, c net.Conn) context.Context {
	if secured, ok := c.(*tls.Conn); ok {
		c = secured.NetConn()
	}
	return context.WithValue(ctx, connKey{}, c)
}

// connOf is the connection of a request that came through Serve or ServeTLS and has it for itself, or nil: the streams
// of HTTP/2 share theirs.
func connOf(r *http.Request) *pacedConn {
	if r.ProtoMajor > 1 {
		return nil
	}
	c, _ := r.Context().Value(connKey{}).(*pacedConn)
	return c
}

func (c *pacedConn) Write(p []byte) (int, error) {
	c.renew(int64(len(p)))
	return c.Conn.Write(p)
}

// SetWriteDeadline keeps the pace when net/http clears the deadline between two requests.
func (c *pacedConn) SetWriteDeadline(t time.Time) error {
	if t.IsZero() {
		return nil
	}
	c.deadline = t
	return c.Conn.SetWriteDeadline(t)
}

func (c *pacedConn) renew(octets int64) {
	due := time.Now().Add(c.pace.allowance(octets))
	if due.Sub(c.deadline).Abs() < min(renewAfter, c.pace.Grace/4) {
		return
	}
	c.deadline = due
	c.Conn.SetWriteDeadline(due)
}

// ReadFrom passes files to sendfile(2), a chunk for each deadline. Anything else goes through Write: a deadline must
// not run while a function is thinking.
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
		c.renew(want)
		n, err := to.ReadFrom(part)
		total += n
		if limited != nil {
			limited.N -= n
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
