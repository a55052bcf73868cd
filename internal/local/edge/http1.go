package edge

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
)

// http1Conn is what net/http reads HTTP/1 from: a paced connection, or the TLS session above one.
type http1Conn struct {
	net.Conn
	framing  framing
	hits     hitConn
	requests int64   // passed to the handler
	begun    []byte  // read before net/http knew the connection
	socket   *socket // nil over TLS

	answering atomic.Bool // from the handler's start until the connection waits for the next request
	refused   atomic.Bool // net/http answered by itself
	cut       atomic.Bool // the answer is incomplete, and only the connection's end can show it
}

// plainConn is an http1Conn without TLS.
type plainConn struct{ *http1Conn }

// secureConn is an http1Conn over TLS. net/http finds the session's state through ConnectionState.
type secureConn struct {
	*http1Conn
	session *tls.Conn
}

func (c secureConn) ConnectionState() tls.ConnectionState { return c.session.ConnectionState() }

// ReadFrom keeps sendfile(2) reachable, which TLS cannot use.
func (c plainConn) ReadFrom(src io.Reader) (int64, error) {
	return c.Conn.(io.ReaderFrom).ReadFrom(src)
}

// beginRequest counts a request that net/http passes to the handler, and reports whether the client sent
// exactly this one. If not, its length is ambiguous (RFC 9112, section 6.3), or net/http took the
// rest of a body for a request.
func (c *http1Conn) beginRequest() bool {
	c.answering.Store(true)
	c.requests++
	return c.requests <= c.framing.heads.Load() && c.requests != c.framing.ambiguous.Load()
}

// brokeOff reports whether the body of the request under way is malformed, even if net/http
// considered it whole.
func (c *http1Conn) brokeOff() bool {
	return c.framing.lost.Load() && c.requests == c.framing.heads.Load()
}

// Write replaces net/http's own refusals, which have neither Date nor request id, by a page of the
// edge.
func (c *http1Conn) Write(p []byte) (int, error) {
	status, own := 0, false
	if !c.answering.Load() {
		status, own = ownRefusal(p)
	}
	if !own {
		return c.Conn.Write(p)
	}
	if status == http.StatusNotImplemented && c.framing.coding.Load() {
		status = http.StatusBadRequest
	}
	c.refused.Store(true)
	// net/http may read the body next, without a limit.
	if err := c.SetReadDeadline(time.Now().Add(linger)); err != nil {
		return 0, err
	}
	c.hits.edge.noteUnread(c, status)
	if _, err := c.Conn.Write(refusedByServer(status).httpMessage()); err != nil {
		return 0, err
	}
	return len(p), nil
}

// ownRefusal parses the status of an answer that net/http wrote before it called a handler.
func ownRefusal(p []byte) (status int, own bool) {
	rest, ok := bytes.CutPrefix(p, []byte("HTTP/1."))
	if !ok || len(rest) < len("1 400") {
		return 0, false
	}
	status, err := strconv.Atoi(string(rest[2:5]))
	return status, err == nil && status >= http.StatusBadRequest
}

// linger is how long a connection that will be closed is still read, so that the client sees its
// answer and not a reset (RFC 9112, section 9.6).
const linger = 500 * time.Millisecond

func (c *http1Conn) Close() error {
	if !c.hits.close() {
		return nil
	}
	if c.cut.Load() {
		return c.resetConn()
	}
	if c.refused.Load() && c.CloseWrite() == nil && c.SetReadDeadline(time.Now().Add(linger)) == nil {
		_, _ = io.CopyN(io.Discard, c.Conn, maxLeftover)
	}
	return c.Conn.Close()
}

// resetConn closes the connection so that the client sees an error and not the end of an answer:
// HTTP/1.0 has no other way to show that an answer without a Content-Length is incomplete (RFC
// 9112, section 8). Over TLS there is no close_notify, which would mean that nothing is missing.
func (c *http1Conn) resetConn() error {
	conn := c.Conn
	if session, ok := conn.(*tls.Conn); ok {
		conn = session.NetConn()
	}
	if paced, ok := conn.(*pacedConn); ok {
		if tcp, ok := paced.Conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // fails when the connection is closed
		}
	}
	return conn.Close()
}

// CloseWrite lets net/http end its side before it closes the connection.
func (c *http1Conn) CloseWrite() error {
	return c.Conn.(interface{ CloseWrite() error }).CloseWrite()
}

type connKey struct{}

func withConn(ctx context.Context, c net.Conn) context.Context {
	if conn := http1ConnOf(c); conn != nil {
		return context.WithValue(ctx, connKey{}, conn)
	}
	return ctx
}

func http1ConnOf(c net.Conn) *http1Conn {
	switch c := c.(type) {
	case plainConn:
		return c.http1Conn
	case secureConn:
		return c.http1Conn
	}
	return nil
}

// connState is the ConnState hook of http.Server. StateIdle means that an answer is written to its
// end.
func connState(c net.Conn, state http.ConnState) {
	conn := http1ConnOf(c)
	if conn == nil {
		return
	}
	switch state {
	case http.StateIdle:
		conn.answering.Store(false)
	case http.StateActive, http.StateClosed:
		if conn.hits.known {
			conn.hits.edge.newcomers.removeConn(conn)
		}
		conn.hits.known = true
	}
}

// connOf returns the HTTP/1 connection of a request that came through Serve or ServeTLS, or nil.
func connOf(r *http.Request) *http1Conn {
	c, _ := r.Context().Value(connKey{}).(*http1Conn)
	return c
}
