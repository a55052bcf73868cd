//go:build linux || darwin

package edge

import (
	"math"
	"syscall"
)

// openFiles returns how many file descriptors this process may have. The Go runtime raises the soft
// limit to the hard one when the process starts.
func openFiles() int64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 1024
	}
	return int64(min(limit.Cur, math.MaxInt32))
}
