package atomicfile

import (
	"fmt"
	"syscall"
)

// Space returns the size of the disk that holds dir, and how much of it this user can still write, in
// bytes (statvfs(3)).
func Space(dir string) (free, size uint64, err error) {
	var disk syscall.Statfs_t
	if err := syscall.Statfs(dir, &disk); err != nil {
		return 0, 0, fmt.Errorf("read the free space of %s: %w", dir, err)
	}
	block := uint64(disk.Bsize)
	return disk.Bavail * block, disk.Blocks * block, nil
}
