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

// secureListener makes the TLS handshakes before net/http sees a connection. It then wraps a
// session for HTTP/1 in an http1Conn, and one for HTTP/2 in an http2Conn, which another server of
// net/http accepts from http2Listener.
type secureListener struct {
	net.Listener
	edge *Edge

	ready   chan net.Conn
	http2   chan net.Conn
	ctx     context.Context // ends with the listener
	cancel  context.CancelCauseFunc
	running sync.WaitGroup
}

func listenTLS(ln net.Listener, e *Edge) *secureListener {
	l := &secureListener{Listener: ln, edge: e, ready: make(chan net.Conn), http2: make(chan net.Conn)}
	l.ctx, l.cancel = context.WithCancelCause(context.Background())
	l.running.Go(l.acceptLoop)
	return l
}

// acceptLoop runs until the listener fails, as it does after Close.
func (l *secureListener) acceptLoop() {
	l.cancel(acceptConns(l.ctx, l.Listener, func(c net.Conn) { l.running.Go(func() { l.handshakeConn(c) }) }))
}

// acceptConns accepts connections as net/http does, until the listener fails, and returns why.
func acceptConns(ctx context.Context, ln net.Listener, handle func(net.Conn)) error {
	var pause time.Duration
	for {
		c, err := ln.Accept()
		switch {
		case err == nil:
			pause = 0
			handle(c)
		case isTemporary(err):
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			select {
			case <-ctx.Done():
			case <-time.After(pause):
			}
		default:
			return err
		}
	}
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
	var next net.Conn
	to, name := l.ready, hostnameOf(session.ConnectionState().ServerName)
	switch protocol := session.ConnectionState().NegotiatedProtocol; {
	case protocol == protocolACME: // the handshake is the whole proof
		session.Close()
		return
	case protocol == protocolHTTP2 && l.edge.noHits:
		next = session
	case protocol == protocolHTTP2:
		next, to = newHTTP2Conn(session, l.edge, name), l.http2
	default:
		next = secureConn{&http1Conn{Conn: session, hits: hitConn{
			edge: l.edge, protocol: "HTTP/1.1", addr: session.RemoteAddr(), secure: true, serverName: name,
		}}, session}
	}
	select {
	case to <- next:
	case <-l.ctx.Done():
		session.Close()
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

func (l *secureListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.ready:
		return c, nil
	case <-l.ctx.Done():
		return nil, context.Cause(l.ctx)
	}
}

// Close also ends the handshakes under way.
func (l *secureListener) Close() error {
	err := l.Listener.Close()
	l.cancel(net.ErrClosed)
	l.running.Wait()
	return err
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
