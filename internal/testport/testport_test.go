package testport

import (
	"net"
	"testing"
)

func TestAddress(t *testing.T) {
	for range 20 {
		address := Address(t)
		stream, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer stream.Close()
		packets, err := net.ListenPacket("udp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer packets.Close()
		if err := free(stream.Addr().(*net.TCPAddr).Port); err == nil {
			t.Errorf("%s is taken and counts as free", address)
		}
	}
}
