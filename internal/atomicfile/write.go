package atomicfile

import (
	"bytes"
	"io"
	"io/fs"
	"path/filepath"
)

// WriteFile replaces path by data. When it returns nil the content survives a power cut; when it
// returns an error path holds what it held before (or, if only the folder's fsync failed, the new
// content).
func WriteFile(path string, data []byte, perm fs.FileMode) error {
	_, err := WriteFrom(path, bytes.NewReader(data), perm)
	return err
}

// WriteFrom is WriteFile for content that is read from src to its end. It returns the bytes
// written. An error of src ends the write and leaves path as it was.
func WriteFrom(path string, src io.Reader, perm fs.FileMode) (int64, error) {
	f, err := CreateIn(filepath.Dir(path), path, perm)
	if err != nil {
		return 0, err
	}
	defer f.Discard()
	n, err := io.Copy(f, src)
	if err != nil {
		return n, explain("write", path, err)
	}
	return n, f.Commit()
}
