package dnstest

import (
	"context"
	"fmt"
	"net"
	"syscall"
)

// Net is an internet of servers by IP address, so that NS records and glue can name
// addresses of the documentation ranges (RFC 5737) while the servers have free
// ports. Other addresses cannot be reached.
type Net map[string]*Server

// Dial connects to the server at address, host:port, whatever the port.
func (n Net) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", address, err)
	}
	srv, known := n[host]
	if !known {
		return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ENETUNREACH}
	}
	return (&net.Dialer{}).DialContext(ctx, network, srv.Addr())
}
