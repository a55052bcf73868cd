//go:build !unix

package edge

// openFiles is how many files this process may have open, where the system sets no limit of its own.
func openFiles() int64 { return 1 << 16 }
