// Package testport finds ports for servers that have to know theirs before they
// listen, or listen on it again after a restart. It is for tests and benchmarks.
package testport

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
)

// The ports below those that the kernel gives to outgoing connections
// (net.ipv4.ip_local_port_range begins at 32768; RFC 6335, section 6 has 49152): with
// one that was free for `:0`, any connection of the machine may take it before the
// server does.
const lowest, highest = 10_000, 32_000

// tries bounds the search; a machine on which as many ports are taken is broken.
const tries = 200

// Get gives a port that nobody holds on 127.0.0.1, neither of TCP nor of UDP.
func Get() (int, error) {
	var err error
	for range tries {
		port := lowest + rand.IntN(highest-lowest) //nolint:gosec // no secret
		if err = free(port); err == nil {
			return port, nil
		}
	}
	return 0, fmt.Errorf("find a free port between %d and %d: %w", lowest, highest, err)
}

// Address gives 127.0.0.1 with such a port, as net.Listen takes it, to a test, which
// ends when there is none.
func Address(t testing.TB) string {
	t.Helper()
	port, err := Get()
	if err != nil {
		t.Fatal(err)
	}
	return on(port)
}

func on(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

func free(port int) error {
	stream, err := net.Listen("tcp", on(port)) //nolint:noctx // closed at once
	if err != nil {
		return err
	}
	defer stream.Close()
	packets, err := net.ListenPacket("udp", on(port)) //nolint:noctx // closed at once
	if err != nil {
		return err
	}
	return packets.Close()
}
