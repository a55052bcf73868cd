package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
)

// openIdle opens connections, from many addresses, and sends one request on each.
func openIdle(ctx context.Context, address string, n int) (idle []net.Conn, err error) {
	for i := range n {
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 2, byte(i%200+1))}}
		c, err := dialer.DialContext(ctx, "tcp", address)
		if err != nil {
			return idle, err
		}
		idle = append(idle, c)
		if _, err := fmt.Fprintf(c, "GET /robots.txt HTTP/1.1\r\nHost: %s\r\n\r\n", shopHost); err != nil {
			return idle, err
		}
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			return idle, err
		}
		if err := res.Body.Close(); err != nil {
			return idle, err
		}
		if res.StatusCode != http.StatusOK {
			return idle, fmt.Errorf("connection %d: status %d", i, res.StatusCode)
		}
	}
	return idle, nil
}
