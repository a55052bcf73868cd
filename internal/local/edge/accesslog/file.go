package accesslog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
)

// file is a log file that is renamed when it is full. Another program may rename or remove it at any
// time, as logrotate does: the next write then creates it again.
type file struct {
	path     string
	maxBytes int64
	keep     int

	opened *os.File
	size   int64
}

// open opens the file and continues it. If its last line is incomplete because an earlier process
// was killed, it is ended.
func (f *file) open() error {
	// The lines name visitors by their address: other users must not read them.
	out, err := os.OpenFile(f.path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o640)
	if err != nil {
		return err
	}
	info, err := out.Stat()
	if err != nil {
		return errors.Join(err, out.Close())
	}
	f.opened, f.size = out, info.Size()
	last := make([]byte, 1)
	if !info.Mode().IsRegular() || f.size == 0 {
		return nil
	}
	if _, err := out.ReadAt(last, f.size-1); err == nil && last[0] != '\n' {
		n, err := out.Write([]byte("\n"))
		f.size += int64(n)
		return err
	}
	return nil
}

func (f *file) close() error {
	if f.opened == nil {
		return nil
	}
	err := f.opened.Close()
	f.opened = nil
	return err
}

// write appends whole lines.
func (f *file) write(lines []byte) error {
	if err := f.prepare(int64(len(lines))); err != nil {
		return err
	}
	n, err := f.opened.Write(lines)
	f.size += int64(n)
	if err != nil && n > 0 { // a part of a line must not run into the next one
		err = errors.Join(err, f.opened.Truncate(f.size-int64(n)))
		f.size -= int64(n)
	}
	return err
}

// prepare makes path lead to an open file with room for more octets.
func (f *file) prepare(more int64) error {
	if f.opened != nil && f.isMoved() {
		if err := f.close(); err != nil {
			return err
		}
	}
	if f.opened == nil {
		if err := f.open(); err != nil {
			return err
		}
	}
	if f.size == 0 || f.size+more <= f.maxBytes {
		return nil
	}
	info, err := f.opened.Stat()
	if err != nil || !info.Mode().IsRegular() { // a pipe or /dev/null
		return err
	}
	if err := errors.Join(f.close(), f.rotate()); err != nil {
		return err
	}
	return f.open()
}

// isMoved reports whether path does not lead to the open file any more.
func (f *file) isMoved() bool {
	at, err := os.Stat(f.path)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	open, err := f.opened.Stat()
	return err == nil && !os.SameFile(at, open)
}

// rotate renames path to path.1, path.1 to path.2 and so on, and removes the oldest.
func (f *file) rotate() error {
	for n := f.keep; n > 0; n-- {
		from := f.path
		if n > 1 {
			from = f.numbered(n - 1)
		}
		if err := os.Rename(from, f.numbered(n)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("rotate the access log: %w", err)
		}
	}
	return nil
}

func (f *file) numbered(n int) string { return f.path + "." + strconv.Itoa(n) }
