package durable

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// SyncTree makes everything below root survive a power cut. On Linux it is one syncfs(2) of root's file
// system, far cheaper than an fsync per file for a tree of thousands.
func SyncTree(root string) error {
	d, err := os.Open(root)
	if err != nil {
		return explain("open the folder", root, err)
	}
	return explain("sync the tree", root, errors.Join(unix.Syncfs(int(d.Fd())), d.Close()))
}
