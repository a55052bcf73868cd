//go:build !unix

package announce

import "os"

// runs reports whether a process with that id exists.
func runs(pid int) bool {
	p, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	_ = p.Release()
	return true
}
