package artifact

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"syscall"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// diskError describes what failed, and what to do when the disk is full.
func diskError(err error, format string, args ...any) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	what := fmt.Sprintf(format, args...)
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return anchor.Failed("disk_full", "not enough disk space to %s", what).Because(err).
			Hintf("Free space on the server's disk, or remove deployments that are no longer needed, and try again.")
	}
	if errors.Is(err, fs.ErrPermission) {
		return anchor.Failed("disk_denied", "no permission to %s", what).Because(err).
			Hintf("Grant the user that runs the server write access to the data folder.")
	}
	return anchor.Failed("disk", "could not %s", what).Because(err).
		Hintf("Check the disk that holds the server's data folder, and try again.")
}

const (
	openFolder    = 0o755 // inside of a tree, which is closed as a whole
	passedFolder  = 0o711 // can be passed, not listed
	groupFolder   = 0o750
	privateFolder = 0o700
)

// makeFolder makes a folder with a mode, whatever the umask, and its missing parents.
func (s *Store) makeFolder(name string, mode fs.FileMode) error {
	err := s.root.MkdirAll(name, mode)
	if err == nil {
		err = s.root.Chmod(name, mode)
	}
	if err != nil {
		return diskError(err, "make the folder %s", s.joinPath(name))
	}
	return nil
}

// writeFile writes data to name in one step: after a crash the file exists whole or not at all.
// Durable on return.
func (s *Store) writeFile(name string, data []byte) (err error) {
	temp := tempPath()
	defer func() {
		if err != nil {
			err = s.giveUp(err, temp)
		}
	}()
	file, err := s.root.OpenFile(temp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return diskError(err, "write %s", s.joinPath(name))
	}
	_, err = file.Write(data)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return diskError(err, "write %s", s.joinPath(name))
	}
	if err := s.root.Rename(temp, name); err != nil {
		return diskError(err, "write %s", s.joinPath(name))
	}
	return s.syncFolder(path.Dir(name))
}

// giveUp removes a temporary file, which may be missing, and returns why.
func (s *Store) giveUp(why error, temp string) error {
	if err := s.root.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(why, diskError(err, "remove %s", s.joinPath(temp)))
	}
	return why
}

// syncFolder makes durable which files are in a folder.
func (s *Store) syncFolder(name string) error {
	folder, err := s.root.Open(name)
	if err != nil {
		return diskError(err, "open %s", s.joinPath(name))
	}
	if err := errors.Join(folder.Sync(), folder.Close()); err != nil {
		return diskError(err, "make %s durable", s.joinPath(name))
	}
	return nil
}
