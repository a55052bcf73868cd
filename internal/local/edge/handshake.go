package edge

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"
)

// readyListener prepares connections, many at a time, before net/http sees them.
type readyListener struct {
	net.Listener
	edge *Edge

	ready   chan net.Conn
	ctx     context.Context // ends with the listener
	cancel  context.CancelCauseFunc
	running sync.WaitGroup
}

func newReadyListener(ln net.Listener, e *Edge) *readyListener {
	l := &readyListener{Listener: ln, edge: e, ready: make(chan net.Conn)}
	l.ctx, l.cancel = context.WithCancelCause(context.Background())
	return l
}

// acceptLoop runs until the listener fails, as it does after Close.
func (l *readyListener) acceptLoop(prepare func(net.Conn)) {
	var pause time.Duration
	for {
		c, err := l.Listener.Accept()
		switch {
		case err == nil:
			pause = 0
			prepare(c)
		case isTemporary(err):
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			select {
			case <-l.ctx.Done():
			case <-time.After(pause):
			}
		default:
			l.cancel(err)
			return
		}
	}
}

// receive passes a connection to net/http once it makes a request that is not a hit. The first request
// has to begin before a deadline.
func (l *readyListener) receive(c *http1Conn, deadline time.Time) {
	e := l.edge
	if !e.noHits.Load() {
		if !e.newcomers.add(c) {
			c.Close()
			return
		}
		stays := (&newcomer{conn: c, raw: rawOf(c.Conn)}).serve(deadline)
		e.newcomers.removeConn(c)
		if !stays {
			c.Close()
			return
		}
	}
	leased := &lease{http1Conn: c, takeBack: func(c *http1Conn) { l.receive(c, c.idleUntil) }}
	if session, ok := c.Conn.(*tls.Conn); ok {
		l.pass(l.ready, secureConn{leased, session})
		return
	}
	l.pass(l.ready, plainConn{leased})
}

func (l *readyListener) firstDeadline() time.Time { return time.Now().Add(l.edge.cfg.HeaderTimeout) }

func (l *readyListener) pass(to chan<- net.Conn, c net.Conn) {
	select {
	case to <- c:
	case <-l.ctx.Done():
		c.Close()
	}
}

func (l *readyListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.ready:
		return c, nil
	case <-l.ctx.Done():
		return nil, context.Cause(l.ctx)
	}
}

// Close also ends what runs.
func (l *readyListener) Close() error {
	err := l.Listener.Close()
	l.cancel(net.ErrClosed)
	l.running.Wait()
	return err
}

// listenPlain returns connections for HTTP/1.
func listenPlain(ln net.Listener, e *Edge) *readyListener {
	l := newReadyListener(ln, e)
	l.running.Go(func() {
		l.acceptLoop(func(c net.Conn) {
			conn := &http1Conn{Conn: c, hits: hitConn{edge: e, protocol: "HTTP/1.1", addr: c.RemoteAddr()}}
			go l.receive(conn, l.firstDeadline())
		})
	})
	return l
}

// secureListener makes the TLS handshakes before net/http sees a connection. It then wraps a
// session for HTTP/1 in an http1Conn, and one for HTTP/2 in an http2Conn, which another server of
// net/http accepts from http2Listener.
type secureListener struct {
	*readyListener
	http2 chan net.Conn
}

func listenTLS(ln net.Listener, e *Edge) *secureListener {
	l := &secureListener{newReadyListener(ln, e), make(chan net.Conn)}
	l.running.Go(func() {
		l.acceptLoop(func(c net.Conn) { l.running.Go(func() { l.handshakeConn(c) }) })
	})
	return l
}

// isTemporary reports whether net/http's own Accept loop would continue after err: above all, no file
// descriptor was free.
func isTemporary(err error) bool {
	var netErr interface{ Temporary() bool }
	return errors.As(err, &netErr) && netErr.Temporary()
}

func (l *secureListener) handshakeConn(c net.Conn) {
	session := tls.Server(c, l.edge.server.TLSConfig)
	ctx, cancel := context.WithTimeout(l.ctx, l.edge.cfg.HeaderTimeout)
	defer cancel()
	err := session.HandshakeContext(ctx)
	l.edge.meters.countHandshake(session, err)
	if err != nil {
		answerPlain(err)
		c.Close()
		return
	}
	name := hostnameOf(session.ConnectionState().ServerName)
	switch protocol := session.ConnectionState().NegotiatedProtocol; {
	case protocol == protocolACME: // the handshake is the whole proof
		session.Close()
	case protocol == protocolHTTP2 && l.edge.noHits.Load():
		l.pass(l.ready, session)
	case protocol == protocolHTTP2:
		l.pass(l.http2, newHTTP2Conn(session, l.edge, name))
	default:
		conn := &http1Conn{Conn: session, hits: hitConn{
			edge: l.edge, protocol: "HTTP/1.1", addr: session.RemoteAddr(), secure: true, serverName: name,
		}}
		go l.receive(conn, l.firstDeadline()) // on a stack that the handshake has not made large
	}
}

// answerPlain answers a client that uses HTTP without TLS.
func answerPlain(failed error) {
	var record tls.RecordHeaderError
	if !errors.As(failed, &record) || record.Conn == nil {
		return
	}
	switch string(record.RecordHeader[:]) {
	case "GET /", "HEAD ", "POST ", "PUT /", "OPTIO", "PATCH", "DELET":
		_, _ = record.Conn.Write(plainToTLS.httpMessage())
	}
}

// http2Listener returns the connections of a secureListener that speak HTTP/2. Why there are no more,
// the secureListener reports.
type http2Listener struct{ *secureListener }

func (l http2Listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.http2:
		return c, nil
	case <-l.ctx.Done():
		return nil, http.ErrServerClosed
	}
}

// Close does nothing: the secureListener is closed by the server that accepts from it.
func (http2Listener) Close() error { return nil }
