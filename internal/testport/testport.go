// Package testport finds ports for servers that have to know their port before they listen, or
// listen on it again after a restart. It is for tests and benchmarks.
package testport

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
)

// The ports below those that the kernel assigns to outgoing connections
// (net.ipv4.ip_local_port_range begins at 32768; RFC 6335, section 6 has 49152). A port that was
// free for `:0` may be taken by any connection of the machine before the server listens.
const lowest, highest = 10_000, 32_000

// tries bounds the search; a machine on which this many ports are taken is broken.
const tries = 200

// Get returns a port that is free on 127.0.0.1 for both TCP and UDP.
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

// Address returns 127.0.0.1 with such a port, in the form for net.Listen. The test fails when there
// is none.
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
