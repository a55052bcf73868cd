package edge

import (
	"context"
	"net"
	"runtime/debug"
	"time"
)

// hitListener returns a connection when its first request that is not a hit has begun. Until then the
// connection waits and answers hits without the buffers of net/http, in half of the memory.
type hitListener struct {
	net.Listener
	edge *Edge

	ready chan net.Conn
	ctx   context.Context // ends with the listener
	end   context.CancelCauseFunc
}

func listenHits(ln net.Listener, e *Edge) *hitListener {
	l := &hitListener{Listener: ln, edge: e, ready: make(chan net.Conn)}
	l.ctx, l.end = context.WithCancelCause(context.Background())
	go l.acceptLoop()
	return l
}

// acceptLoop runs until the listener fails, as it does after Close. Connections that wait then are closed by
// newcomers.
func (l *hitListener) acceptLoop() {
	l.end(acceptConns(l.ctx, l.Listener, func(c net.Conn) {
		go l.serveHits(&http1Conn{Conn: c, hits: hitConn{edge: l.edge, protocol: "HTTP/1.1", addr: c.RemoteAddr()}})
	}))
}

// Accept implements net.Listener.
func (l *hitListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.ready:
		return c, nil
	case <-l.ctx.Done():
		return nil, context.Cause(l.ctx)
	}
}

// serveHits passes a connection to Accept after its last hit, if there is more to answer. A panic ends the
// connection and not the server, as in net/http.
func (l *hitListener) serveHits(c *http1Conn) {
	defer func() {
		if v := recover(); v != nil {
			l.edge.cfg.Log.Error("answering a request panicked", "client", c.hits.peer(), "panic", v, "stack", string(debug.Stack()))
			_ = c.Close()
			l.edge.newcomers.removeConn(c)
		}
	}()
	if c.socket = c.openSocket(); c.socket != nil {
		if err := c.awaitOther(); err != nil {
			_ = c.Close()
			l.edge.newcomers.removeConn(c)
			return
		}
	}
	select {
	case l.ready <- plainConn{c}:
	case <-l.ctx.Done():
		_ = c.Close()
		l.edge.newcomers.removeConn(c)
	}
}

// awaitOther answers hits until something else begins, and leaves its octets in c.begun. It returns an
// error if the connection is to be closed.
func (c *http1Conn) awaitOther() error {
	h := &c.hits
	if err := c.SetReadDeadline(time.Now().Add(h.edge.cfg.HeaderTimeout)); err != nil {
		return err
	}
	if !h.edge.newcomers.add(c) {
		return net.ErrClosed
	}
	h.known = true
	_, err := c.socket.read(nil)
	return err
}
