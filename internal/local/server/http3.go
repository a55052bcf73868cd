package server

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

// udpBuffer is the receive buffer that QUIC asks the system for, in bytes.
const udpBuffer = 7 << 20

// openHTTP3 opens the UDP port with the number of the port for HTTPS. Browsers use HTTP/2 where it is
// closed, so a port that cannot be opened does not keep the server from starting.
func (a *app) openHTTP3(ctx context.Context) {
	if a.secure == nil || a.HTTPS.NoHTTP3 {
		return
	}
	address := a.secure.Addr().String()
	conn, err := (&net.ListenConfig{}).ListenPacket(ctx, "udp", address)
	if err != nil {
		a.noHTTP3 = udpRefused(address, err)
		a.Log.Warn("HTTP/3 is off", "error", a.noHTTP3)
		return
	}
	a.quic = conn
	a.onClose(conn.Close)
	// quic-go logs buffers that are smaller than it wishes, by itself; anchor doctor reports them.
	_ = os.Setenv("QUIC_GO_DISABLE_RECEIVE_BUFFER_WARNING", "true") // fails for malformed names only
}

func udpRefused(address string, err error) error {
	const hint = "or switch HTTP/3 off with --http3=false."
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return anchor.Invalid("port_taken", "UDP port %s is in use by another program", address).
			Hintf("Stop the other program, which ss -lunp shows, and restart Anchor; " + hint).Because(err)
	case errors.Is(err, syscall.EACCES):
		return anchor.Invalid("port_refused", "this user is not allowed to listen on UDP port %s", address).
			Hintf("Allow the binary to use lower ports (setcap cap_net_bind_service=+ep PATH) and restart Anchor; " + hint).Because(err)
	}
	return anchor.Invalid("bad_address", "cannot listen on UDP port %s", address).
		Hintf("Check that the HOST of --https HOST:PORT is an address of this machine; " + hint).Because(err)
}

// quicResetKey derives a key from that of the records, so that it outlives this process.
func (a *app) quicResetKey() *[32]byte {
	secret, err := os.ReadFile(folder(a.Data).keyPath())
	if err != nil {
		return nil // openKey has read it; without the key clients notice a killed server later
	}
	var key [32]byte
	derived, err := hkdf.Key(sha256.New, secret, nil, "anchor: stateless resets of QUIC", len(key))
	if err != nil {
		return nil
	}
	copy(key[:], derived)
	return &key
}

// http3Warnings says at the start that HTTP/3 could not be offered.
func (a *app) http3Warnings() []string {
	if a.noHTTP3 == nil {
		return nil
	}
	return []string{fmt.Sprintf("sites are served without HTTP/3, because %v; run anchor doctor for a hint", a.noHTTP3)}
}

// describeHTTP3 returns the state of HTTP/3 for anchor status; "" without HTTPS.
func (a *app) describeHTTP3() string {
	switch {
	case a.secure == nil:
		return ""
	case a.HTTPS.NoHTTP3:
		return "off (--http3=false)"
	case a.noHTTP3 != nil:
		return fmt.Sprintf("off: %v", a.noHTTP3)
	}
	return fmt.Sprintf("on, UDP %s, %s", a.quic.LocalAddr(), countNoun(a.edge.HTTP3Conns(), "connection"))
}

// checkHTTP3 is called where HTTP/3 is wanted.
func (a *app) checkHTTP3() wire.Check {
	c := wire.Check{Name: "HTTP/3", OK: a.noHTTP3 == nil, Detail: a.describeHTTP3()}
	if !c.OK {
		c.Hint = anchor.HintOf(a.noHTTP3)
		return c
	}
	if got := receiveBuffer(a.quic); got > 0 && got < udpBuffer {
		c.Detail += fmt.Sprintf("; its receive buffer has %d KiB, and fast uploads take %d (sysctl net.core.rmem_max)", got>>10, udpBuffer>>10)
	}
	return c
}

// receiveBuffer returns the size of a socket's receive buffer in bytes; 0 when it is unknown.
func receiveBuffer(conn net.PacketConn) (size int) {
	udp, ok := conn.(*net.UDPConn)
	if !ok {
		return 0
	}
	raw, err := udp.SyscallConn()
	if err != nil {
		return 0
	}
	_ = raw.Control(func(fd uintptr) { // fails when the socket is closed
		size, _ = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF)
	})
	return size
}
