package edge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
)

func (e *Edge) newServer() *http.Server {
	var handler http.Handler = e
	if e.cfg.Wrap != nil {
		handler = e.cfg.Wrap(e)
	}
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: e.cfg.HeaderTimeout,
		IdleTimeout:       e.cfg.IdleTimeout,
		MaxHeaderBytes:    e.cfg.MaxHeaderBytes,
		ConnContext:       withConn,
		// What clients do wrong on a connection is no concern of the operator.
		ErrorLog: slog.NewLogLogger(e.cfg.Log.Handler(), slog.LevelDebug),
	}
	if e.cfg.GetCertificate != nil {
		server.TLSConfig = TLSConfig(e.cfg.GetCertificate)
	}
	return server
}

// Serve answers connections of ln, in plain HTTP/1.1, until Shutdown; then it returns nil, while requests may still
// be under way. It can be called for several listeners.
func (e *Edge) Serve(ln net.Listener) error {
	err := e.server.Serve(pacedListener{ln, e.cfg.Download})
	if err != nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve sites on %s: %w", ln.Addr(), err)
	}
	return nil
}

// Shutdown stops accepting and waits for the requests under way. When ctx is done first it closes their connections
// and returns the cause.
func (e *Edge) Shutdown(ctx context.Context) error {
	err := e.server.Shutdown(ctx)
	if err == nil {
		return nil
	}
	return errors.Join(fmt.Errorf("requests were cut: %w", err), e.server.Close())
}
