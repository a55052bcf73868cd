package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"syscall"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

func listenOn(ctx context.Context, flag, address string) (net.Listener, error) {
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	switch {
	case err == nil:
		return ln, nil
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, anchor.Invalid("port_taken", "%s is in use by another program", address).
			Hintf("Choose another address with %s HOST:PORT, or stop the other program; ss -ltnp shows it.", flag).Because(err)
	case errors.Is(err, syscall.EACCES):
		return nil, anchor.Invalid("port_refused", "this user is not allowed to listen on %s", address).
			Hintf("Choose a port above 1023 with %s, or allow the binary to use lower ports: setcap cap_net_bind_service=+ep PATH.", flag).Because(err)
	}
	return nil, anchor.Invalid("bad_address", "cannot listen on %s", address).
		Hintf("Check that the HOST of %s HOST:PORT is an address of this machine.", flag).Because(err)
}

// origin is how sites are reached: scheme and, unless it is the scheme's own, port.
type origin struct{ scheme, port string }

func (o origin) originOf(host string) string {
	if o.port == "" {
		return o.scheme + "://" + host
	}
	return fmt.Sprintf("%s://%s:%s", o.scheme, host, o.port)
}

// httpsURL returns the URL pattern of the sites that the CA of *.localhost serves.
func (a *app) httpsURL() string {
	if a.localCA == nil {
		return ""
	}
	_, port, _ := net.SplitHostPort(a.secure.Addr().String())
	return origin{"https", port}.originOf("<project>." + a.BaseDomain)
}

// publicOrigin returns the origin in PublicURL, or that of the listener.
func (c Config) publicOrigin(ln net.Listener) (origin, error) {
	if c.PublicURL == "" {
		_, port, _ := net.SplitHostPort(ln.Addr().String())
		if port == "80" {
			port = ""
		}
		return origin{"http", port}, nil
	}
	u, err := url.Parse(c.PublicURL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() != c.BaseDomain || strings.Trim(u.Path, "/") != "" {
		return origin{}, anchor.Invalid("bad_public_url", "--public-url is %q, which is not a URL of %s", c.PublicURL, c.BaseDomain).
			Hintf("Pass the scheme, host and port that browsers use, for example https://%s.", c.BaseDomain)
	}
	return origin{u.Scheme, u.Port()}, nil
}

// apiURL returns where the CLI on this machine finds the API: an unspecified address is reached at
// loopback.
func apiURL(ln net.Listener) string {
	host, port, _ := net.SplitHostPort(ln.Addr().String())
	if ip, err := netip.ParseAddr(host); err == nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// parseTrusted parses addresses and CIDRs.
func parseTrusted(proxies []string) ([]netip.Prefix, error) {
	prefixes := make([]netip.Prefix, 0, len(proxies))
	for _, p := range proxies {
		prefix, err := netip.ParsePrefix(p)
		if addr, e := netip.ParseAddr(p); e == nil {
			prefix, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		if err != nil {
			return nil, anchor.Invalid("bad_proxy", "--trust-proxy is %q, which is not an IP address or CIDR range", p).
				Hintf("Pass an IP address or a CIDR range, for example 127.0.0.1 or 10.0.0.0/8.").Because(err)
		}
		prefixes = append(prefixes, prefix)
	}
	return prefixes, nil
}
