package sites

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/anchor-deploy/anchor/internal/local/isr/awswire"
)

// wire answers the AWS calls of the bundles on a loopback address that only this machine reaches.
type wire struct {
	keys     *awswire.Credentials
	endpoint string // http://127.0.0.1:port; an IP, because SDKs put the bucket into the path then
	server   *http.Server
}

func (p *Platform) serveWire() (*wire, error) {
	ln, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the calls of the functions: %w", err)
	}
	w := &wire{keys: awswire.NewCredentials(), endpoint: "http://" + ln.Addr().String()}
	w.server = &http.Server{
		ReadHeaderTimeout: 10 * time.Second,
		Handler: awswire.New(awswire.Config{
			Store:      p.Cache,
			Queue:      p.previews,
			Revalidate: p.revalidateNow,
			Auth:       w.keys.Namespace,
			Assets:     p.findOriginal,
		}),
	}
	go func() {
		if err := w.server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			slog.Error("answer the calls of the functions", "error", err)
		}
	}()
	return w, nil
}

func (w *wire) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := w.server.Shutdown(ctx); err != nil {
		return w.server.Close()
	}
	return nil
}
