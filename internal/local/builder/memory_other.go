//go:build !linux

package builder

// machineMemory returns 0: it is only known on Linux.
func machineMemory() int64 { return 0 }
