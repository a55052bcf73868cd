package edge

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// Flow control of HTTP/3, in octets: how much a client may send ahead of what is read.
const (
	quicStreamWindow = 1 << 20
	quicConnWindow   = 2 << 20
)

// maxUniStreams leaves room for a client's control stream, the two of QPACK, and reserved ones (RFC
// 9114, section 6.2).
const maxUniStreams = 16

// altSvcAge is how long clients remember that a host can be reached by HTTP/3, in seconds.
const altSvcAge = 24 * 60 * 60

// http3Front serves HTTP/3 (RFC 9114) with the handler, certificates and limits of the TLS listener.
type http3Front struct {
	edge   *Edge
	server *http3.Server
	altSvc atomic.Pointer[altSvc] // nil while nothing listens

	mu        sync.Mutex
	leaving   bool
	listener  *quic.Listener
	transport *quic.Transport
	conns     map[*http3Conn]struct{}
}

// altSvc is the field that announces HTTP/3 on the other protocols (RFC 7838, section 3).
type altSvc struct {
	value []string
	line  []byte
}

func newAltSvc(port int) *altSvc {
	value := fmt.Sprintf(`h3=":%d"; ma=%d`, port, altSvcAge)
	return &altSvc{value: []string{value}, line: []byte(headerAltSvc + ": " + value + "\r\n")}
}

const headerAltSvc = "Alt-Svc"

func (e *Edge) newHTTP3() *http3Front {
	f := &http3Front{edge: e, conns: map[*http3Conn]struct{}{}}
	f.server = &http3.Server{
		Handler:        f,
		MaxHeaderBytes: e.cfg.MaxHeaderBytes,
		ConnContext:    f.trackConn,
		Logger:         e.cfg.Log,
	}
	return f
}

// ServeQUIC answers HTTP/3 on a UDP socket until Shutdown; then it returns nil, while requests may
// still be under way. It needs Config.GetCertificate. The caller closes the socket after Shutdown.
func (e *Edge) ServeQUIC(conn net.PacketConn) error {
	if e.server.TLSConfig == nil {
		return errNoTLS
	}
	f := e.http3
	transport := &quic.Transport{
		Conn: conn, ConnContext: f.admitConn, VerifySourceAddress: e.gate.isCrowded,
		StatelessResetKey: (*quic.StatelessResetKey)(e.cfg.QUICResetKey),
	}
	ln, err := transport.Listen(http3.ConfigureTLSConfig(TLSConfig(e.cfg.GetCertificate)), f.quicConfig())
	if err != nil {
		return fmt.Errorf("serve HTTP/3 on %s: %w", conn.LocalAddr(), err)
	}
	if !f.open(transport, ln) {
		return transport.Close()
	}
	if err := f.server.ServeListener(ln); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve HTTP/3 on %s: %w", ln.Addr(), err)
	}
	return nil
}

func (f *http3Front) quicConfig() *quic.Config {
	c := &f.edge.cfg
	return &quic.Config{
		HandshakeIdleTimeout: c.HeaderTimeout / 2, // the whole handshake may take twice as long
		MaxIdleTimeout:       c.IdleTimeout,
		MaxIncomingStreams:   maxStreams, MaxIncomingUniStreams: maxUniStreams,
		InitialStreamReceiveWindow: quicStreamWindow / 4, MaxStreamReceiveWindow: quicStreamWindow,
		InitialConnectionReceiveWindow: quicConnWindow / 4, MaxConnectionReceiveWindow: quicConnWindow,
		Allow0RTT: false, // such a request can be replayed (RFC 8470)
	}
}

// open reports whether the front serves the listener: not after shutDown.
func (f *http3Front) open(transport *quic.Transport, ln *quic.Listener) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.leaving {
		return false
	}
	f.transport, f.listener = transport, ln
	if udp, ok := ln.Addr().(*net.UDPAddr); ok {
		f.altSvc.Store(newAltSvc(udp.Port))
	}
	return true
}

// admitConn counts a connection in the gate until it ends, also if its handshake fails.
func (f *http3Front) admitConn(ctx context.Context, client *quic.ClientInfo) (context.Context, error) {
	leave, ok := f.edge.gate.enterConn(client.RemoteAddr)
	if !ok {
		return nil, errTooManyConns
	}
	context.AfterFunc(ctx, leave)
	return ctx, nil
}

var errTooManyConns = errors.New("edge: too many connections")

// ServeHTTP answers one HTTP/3 request.
func (f *http3Front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	conn, _ := r.Context().Value(http3ConnKey{}).(*http3Conn)
	conn.beginRequest()
	defer conn.endRequest()
	_, sized := r.Header["Content-Length"]
	if !sized && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		// quic-go does not say whether the stream has ended. Content of a GET has no meaning (RFC
		// 9110, section 9.3.1).
		r.Body, r.ContentLength = http.NoBody, 0
	}
	out := &http3Writer{ResponseWriter: w}
	f.edge.server.Handler.ServeHTTP(out, r)
	if r.Method == http.MethodHead && !out.wrote {
		_ = out.FlushError() // or quic-go would add a Content-Length of 0
	}
}

// http3Writer removes the fields that HTTP/3 does not have (RFC 9114, section 4.2).
type http3Writer struct {
	http.ResponseWriter
	begun bool
	wrote bool
}

// Unwrap lets http.ResponseController reach the stream.
func (w *http3Writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *http3Writer) WriteHeader(status int) {
	if w.begun {
		return
	}
	w.begun = status >= http.StatusOK
	h := w.Header()
	for _, name := range hopByHop {
		delete(h, name)
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *http3Writer) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	w.wrote = w.wrote || len(p) > 0
	return w.ResponseWriter.Write(p)
}

// FlushError is what http.ResponseController calls.
func (w *http3Writer) FlushError() error {
	w.WriteHeader(http.StatusOK)
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Flush is for handlers that ask for an http.Flusher.
func (w *http3Writer) Flush() { _ = w.FlushError() }

// http3Conn closes a connection that has had no request for a while. A head that does not end is
// no request.
type http3Conn struct {
	front *http3Front
	conn  *quic.Conn

	mu     sync.Mutex
	active int
	idle   *time.Timer
}

type http3ConnKey struct{}

// trackConn registers a connection. Functions find the server in the context as they do below
// net/http: only there may they break an answer off by a panic.
func (f *http3Front) trackConn(ctx context.Context, conn *quic.Conn) context.Context {
	c := &http3Conn{front: f, conn: conn}
	c.idle = time.AfterFunc(f.idleTime(), c.closeIdle)
	f.mu.Lock()
	f.conns[c] = struct{}{}
	f.mu.Unlock()
	context.AfterFunc(conn.Context(), func() {
		c.idle.Stop()
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.conns, c)
	})
	return context.WithValue(context.WithValue(ctx, http3ConnKey{}, c), http.ServerContextKey, f.edge.server)
}

func (c *http3Conn) beginRequest() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.active++
	c.idle.Stop()
}

func (c *http3Conn) endRequest() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.active--; c.active == 0 {
		c.idle.Reset(c.front.idleTime())
	}
}

func (c *http3Conn) closeIdle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.active == 0 {
		_ = c.conn.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeNoError), "")
	}
}

// leave closes the connection once it is idle for as long as its last answer needs to arrive.
func (c *http3Conn) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.active == 0 {
		c.idle.Reset(linger)
	}
}

func (f *http3Front) idleTime() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.leaving {
		return linger
	}
	return f.edge.cfg.IdleTimeout
}

// shutDown refuses connections, tells clients which requests will still be answered (GOAWAY; RFC
// 9114, section 5.2), and waits for those. When ctx is done first it closes the connections and
// returns the cause.
func (f *http3Front) shutDown(ctx context.Context) error {
	f.mu.Lock()
	f.leaving = true
	f.altSvc.Store(nil)
	transport, listener := f.transport, f.listener
	f.transport = nil // another call has nothing to do
	f.mu.Unlock()
	if transport == nil {
		return nil
	}
	err := listener.Close()
	done := make(chan error, 1)
	go func() { done <- f.server.Shutdown(ctx) }()
	f.leaveConns()
	return errors.Join(err, <-done, transport.Close())
}

func (f *http3Front) leaveConns() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.conns {
		go c.leave() // endRequest takes the two locks in the other order
	}
}

// HTTP3Conns returns how many connections speak HTTP/3 now.
func (e *Edge) HTTP3Conns() int {
	e.http3.mu.Lock()
	defer e.http3.mu.Unlock()
	return len(e.http3.conns)
}

// announceHTTP3 adds Alt-Svc to an answer over TLS.
func (e *Edge) announceHTTP3(w http.ResponseWriter, r *http.Request) {
	if alt := e.http3.altSvc.Load(); alt != nil && r.TLS != nil && r.ProtoMajor < 3 {
		w.Header()[headerAltSvc] = alt.value
	}
}
