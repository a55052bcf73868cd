// Package atomicfile writes files that are whole or absent, never half written: a temporary file
// beside the target, fsync, rename, fsync of the folder. It imports no other package of Anchor.
package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// File is a file that is being written and does not have its name yet. End it with Commit, Replace
// or Discard.
type File struct {
	file *os.File
	path string
}

// CreateIn starts a file that will be named path, as a temporary file in the folder tmp, which must
// be on the file system of path. perm is set exactly: the umask does not apply. A separate folder
// for temporary files makes it cheap to remove what a killed process left.
func CreateIn(tmp, path string, perm fs.FileMode) (*File, error) {
	f, err := os.CreateTemp(tmp, ".writing-*")
	if err != nil {
		return nil, explain("create", path, err)
	}
	if err := f.Chmod(perm); err != nil {
		return nil, errors.Join(explain("set the mode of", path, err), f.Close(), os.Remove(f.Name()))
	}
	return &File{file: f, path: path}, nil
}

// Write implements io.Writer.
func (f *File) Write(p []byte) (int, error) {
	n, err := f.file.Write(p)
	return n, explain("write", f.path, err)
}

// WriteAt implements io.WriterAt, for headers that are known only at the end.
func (f *File) WriteAt(p []byte, off int64) (int, error) {
	n, err := f.file.WriteAt(p, off)
	return n, explain("write", f.path, err)
}

// Commit renames the file to its path and replaces a file there. When it returns nil the file
// survives a power cut.
func (f *File) Commit() error {
	if err := f.Replace(); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(f.path))
}

// Replace is Commit without the fsync of the folder: after a power cut path holds the old or the
// new content, whole, but the new one is not promised. It is for content that can be created again.
func (f *File) Replace() error {
	defer f.Discard()
	if err := f.file.Sync(); err != nil {
		return explain("sync", f.path, err)
	}
	if err := f.file.Close(); err != nil {
		return explain("close", f.path, err)
	}
	if err := os.Rename(f.file.Name(), f.path); err != nil {
		return explain("put in place", f.path, err)
	}
	f.file = nil
	return nil
}

// Discard removes the temporary file. After Commit or Replace it does nothing, so it can be
// deferred.
func (f *File) Discard() {
	if f.file == nil {
		return
	}
	_ = f.file.Close()
	_ = os.Remove(f.file.Name())
	f.file = nil
}
