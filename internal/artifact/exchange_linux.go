package artifact

import "golang.org/x/sys/unix"

// exchangePaths swaps two files or folders in one step (renameat2(2)).
func exchangePaths(a, b string) error {
	return unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE)
}
