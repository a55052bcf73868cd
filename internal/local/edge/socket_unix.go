//go:build unix

package edge

import "syscall"

// readsSockets reports whether readSocket works here.
const readsSockets = true

func readSocket(fd uintptr, p []byte) (int, error) { return syscall.Read(int(fd), p) }
