//go:build linux && (amd64 || arm64) && !race

package edge

import (
	"syscall"
	"unsafe"
)

const canReadSocket = true

// The calls of this file do not wait (MSG_DONTWAIT), so the scheduler need not know of them: syscall.Syscall
// would release the processor to other goroutines and take it back. The race detector takes what syscall.Read and
// syscall.Write order for ordered, so its builds have those.

// receiveNow reads what a socket has, and returns EAGAIN if it has nothing.
func receiveNow(fd uintptr, p []byte) (int, error) {
	n, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, fd,
		uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), syscall.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// sendNow sends as much of parts as the socket takes at once, and returns how much that is. An error
// is left to the write that follows.
func sendNow(fd uintptr, parts *[6][]byte) int {
	var vectors [len(parts)]syscall.Iovec
	used := 0
	for _, part := range parts {
		if len(part) > 0 {
			vectors[used] = syscall.Iovec{Base: &part[0], Len: uint64(len(part))}
			used++
		}
	}
	header := syscall.Msghdr{Iov: &vectors[0], Iovlen: uint64(used)}
	n, _, errno := syscall.RawSyscall(syscall.SYS_SENDMSG, fd, uintptr(unsafe.Pointer(&header)), syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL)
	if errno != 0 {
		return 0
	}
	return int(n)
}
