package edge

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
)

func (e *Edge) newServer() *http.Server {
	var handler http.Handler = e
	if e.cfg.Wrap != nil {
		wrapped := e.cfg.Wrap(http.HandlerFunc(e.answerRequest))
		handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { e.guardHandler(w, r, wrapped.ServeHTTP) })
	}
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: e.cfg.HeaderTimeout,
		IdleTimeout:       e.cfg.IdleTimeout,
		MaxHeaderBytes:    e.cfg.MaxHeaderBytes,
		ConnContext:       withConn,
		ConnState:         connState,
		// Streams that a client resets at once still count until their handlers end
		// (CVE-2023-39325).
		HTTP2: &http.HTTP2Config{MaxConcurrentStreams: maxStreams, MaxReadFrameSize: maxFrameSize},
		// net/http would answer "OPTIONS *" past the handler.
		DisableGeneralOptionsHandler: true,
		// Errors of clients on a connection do not concern the operator.
		ErrorLog: slog.NewLogLogger(e.cfg.Log.Handler(), slog.LevelDebug),
	}
	server.RegisterOnShutdown(e.newcomers.closeAll)
	server.RegisterOnShutdown(e.tunnels.closeAll)
	if e.cfg.GetCertificate != nil {
		server.TLSConfig = TLSConfig(e.cfg.GetCertificate)
	}
	return server
}

// newHTTP2Server returns the server of an http2Conn. To net/http such a connection is not encrypted,
// because it finds no *tls.Conn.
func (e *Edge) newHTTP2Server() *http.Server {
	server := &http.Server{
		ReadHeaderTimeout: e.cfg.HeaderTimeout,
		MaxHeaderBytes:    e.cfg.MaxHeaderBytes,
		HTTP2:             e.server.HTTP2,
		Protocols:         new(http.Protocols),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, tlsKey{}, c.(*http2Conn).session())
		},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.TLS, _ = r.Context().Value(tlsKey{}).(*tls.ConnectionState)
			e.server.Handler.ServeHTTP(w, r)
		}),
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     e.server.ErrorLog,
	}
	server.Protocols.SetUnencryptedHTTP2(true)
	return server
}

// tlsKey is the key of a connection's *tls.ConnectionState.
type tlsKey struct{}

// maxStreams is how many requests one HTTP/2 connection may have under way. RFC 9113, section
// 6.5.2, advises at least 100.
const maxStreams = 128

// Serve answers connections of ln, in plain HTTP/1.1, until Shutdown; then it returns nil, while
// requests may still be under way. It can be called for several listeners.
func (e *Edge) Serve(ln net.Listener) error {
	err := e.server.Serve(listenHits(e.gateListener(ln), e))
	if err != nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve sites on %s: %w", ln.Addr(), err)
	}
	return nil
}

func (e *Edge) gateListener(ln net.Listener) gatedListener {
	return gatedListener{Listener: ln, gate: e.gate, pace: e.cfg.Download}
}

// Shutdown stops accepting and waits for the requests under way. When ctx is done first it closes
// their connections and returns the cause.
func (e *Edge) Shutdown(ctx context.Context) error {
	quiet := make(chan error, 2)
	go func() { quiet <- e.http3.shutDown(ctx) }()
	go func() { quiet <- e.http2.Shutdown(ctx) }()
	err := errors.Join(e.server.Shutdown(ctx), <-quiet, <-quiet)
	if err == nil {
		err = e.awaitHits(ctx)
	}
	if err == nil {
		err = e.tunnels.await(ctx)
	}
	if err == nil {
		return nil
	}
	e.cutting.Store(true)
	return errors.Join(fmt.Errorf("requests were cut: %w", err), e.server.Close(), e.http2.Close())
}
