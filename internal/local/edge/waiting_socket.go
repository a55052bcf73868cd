//go:build linux || darwin

package edge

import (
	"errors"
	"io"
	"syscall"
)

const canReadSocket = true

// readSocket waits until there are octets, and returns them in a buffer of firstOctets.
func readSocket(socket syscall.RawConn) (octets *[]byte, err error) {
	var failed error
	err = socket.Read(func(fd uintptr) bool {
		octets = firstOctets.Get().(*[]byte)
		buffer := (*octets)[:cap(*octets)]
		n, err := syscall.Read(int(fd), buffer)
		for errors.Is(err, syscall.EINTR) {
			n, err = syscall.Read(int(fd), buffer)
		}
		if n > 0 {
			*octets = buffer[:n]
			return true
		}
		firstOctets.Put(octets)
		octets = nil
		if errors.Is(err, syscall.EAGAIN) {
			return false
		}
		if failed = err; err == nil {
			failed = io.EOF
		}
		return true
	})
	if err == nil {
		err = failed
	}
	return octets, err
}
