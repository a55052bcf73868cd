package server

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// lockData locks the data folder for this process. The lock is released when the process ends,
// however it ends (flock(2)).
func lockData(dir string) (release func(), err error) {
	// 0711: workers run as other users and have to reach their bundles.
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return nil, anchor.Invalid("bad_data", "cannot create the data folder %s", dir).
			Hintf("Choose another folder with --data.").Because(err)
	}
	path := filepath.Join(dir, "lock")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, anchor.Invalid("bad_data", "cannot use the data folder %s", dir).
			Hintf("Choose another folder with --data, or change the owner of this one.").Because(err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		holder, _ := os.ReadFile(path)
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, anchor.Invalid("data_in_use", "the data folder %s is in use by another server (process %s)",
				dir, strings.TrimSpace(string(holder))).
				Hintf("Only one server can use it at a time. Stop the other one, or choose another folder with --data.")
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	err = f.Truncate(0)
	if err == nil {
		_, err = fmt.Fprintf(f, "%d\n", os.Getpid())
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("write %s: %w", path, err)
	}
	return func() { f.Close() }, nil
}
