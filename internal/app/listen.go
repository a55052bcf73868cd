package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

func listen(ctx context.Context, flag, address string) (net.Listener, error) {
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	switch {
	case err == nil:
		return ln, nil
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, anchor.Invalid("port_taken", "%s is in use by another program", address).
			Hintf("Choose another address with %s HOST:PORT, or stop what listens there (ss -ltnp).", flag).Because(err)
	case errors.Is(err, syscall.EACCES):
		return nil, anchor.Invalid("port_refused", "this user may not listen on %s", address).
			Hintf("Choose a port above 1023 with %s, or give the binary the right: setcap cap_net_bind_service=+ep.", flag).Because(err)
	}
	return nil, anchor.Invalid("bad_address", "cannot listen on %s", address).
		Hintf("%s takes HOST:PORT.", flag).Because(err)
}

// siteURL is how a host of ours is written for a browser: without port 80.
func siteURL(host string, ln net.Listener) string {
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	if port == "80" {
		return "http://" + host
	}
	return fmt.Sprintf("http://%s:%s", host, port)
}
