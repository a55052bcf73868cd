// Package logs stores the output of a project's functions: files of JSON lines per project, the
// oldest of which is removed at a size limit, so that a chatty app cannot fill the disk. A search reads the newest lines
// first and decodes only those that can match.
package logs

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// MaxFile is the size in bytes at which a project's file is set aside.
const MaxFile = 16 << 20

// Book is the logs of an installation.
type Book struct {
	dir  string
	kept int // files set aside that each project keeps

	mu    sync.Mutex
	files map[anchor.ProjectID]*file
}

// Open uses dir, which it creates when it does not exist. Each project has up to size bytes there, at least two files of MaxFile.
func Open(dir string, size int64) (*Book, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the log folder: %w", err)
	}
	return &Book{dir: dir, kept: max(1, int(size/MaxFile)-1), files: map[anchor.ProjectID]*file{}}, nil
}

// Append writes one line. It survives the end of the process, not a power cut.
func (b *Book) Append(p anchor.ProjectID, l anchor.LogLine) error {
	f, err := b.fileOf(p)
	if err != nil {
		return err
	}
	text, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("encode a log line: %w", err)
	}
	return f.appendLine(append(text, '\n'))
}

// Remove deletes a project's logs.
func (b *Book) Remove(p anchor.ProjectID) error {
	f, err := b.fileOf(p)
	if err != nil {
		return err
	}
	b.mu.Lock()
	delete(b.files, p)
	b.mu.Unlock()
	return f.removeFile()
}

// Close closes every file.
func (b *Book) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	var errs []error
	for _, f := range b.files {
		errs = append(errs, f.close())
	}
	clear(b.files)
	return errors.Join(errs...)
}

func (b *Book) fileOf(p anchor.ProjectID) (*file, error) {
	if !anchor.ValidID(string(p)) {
		return nil, anchor.Invalid("bad_id", "%q is not a project id", p)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	f := b.files[p]
	if f == nil {
		f = &file{path: filepath.Join(b.dir, string(p)+".jsonl"), kept: b.kept, more: make(chan struct{})}
		b.files[p] = f
	}
	return f, nil
}

// file is one project's log on disk.
type file struct {
	path string
	kept int // files set aside, at most

	mu    sync.Mutex
	out   *os.File
	size  int64
	turns int           // how often the file was set aside
	more  chan struct{} // closed at the next append
}

func (f *file) appendLine(line []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.openFile(); err != nil {
		return err
	}
	n, err := f.out.Write(line)
	f.size += int64(n)
	close(f.more)
	f.more = make(chan struct{})
	if err != nil {
		// When the file is opened again, closeOff completes the part of the line that was written.
		return errors.Join(fmt.Errorf("write the log %s: %w", f.path, err), f.closeFile())
	}
	if f.size >= MaxFile {
		return f.rotateFile()
	}
	return nil
}

func (f *file) openFile() error {
	if f.out != nil {
		return nil
	}
	out, err := os.OpenFile(f.path, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("open the log: %w", err)
	}
	size, err := closeOff(out)
	if err != nil {
		return errors.Join(fmt.Errorf("open the log %s: %w", f.path, err), out.Close())
	}
	f.out, f.size = out, size
	return nil
}

// closeOff ends a line that a crash has torn, so that it does not spoil the next one, and returns
// the file's size.
func closeOff(out *os.File) (size int64, err error) {
	info, err := out.Stat()
	if err != nil || info.Size() == 0 {
		return 0, err
	}
	var last [1]byte
	if _, err := out.ReadAt(last[:], info.Size()-1); err != nil || last[0] == '\n' {
		return info.Size(), err
	}
	n, err := out.Write([]byte{'\n'})
	return info.Size() + int64(n), err
}

// rotateFile sets the full file aside and removes the oldest. A crash between two renames leaves a gap in the numbers.
func (f *file) rotateFile() error {
	err := f.closeFile()
	for n := f.kept; err == nil && n > 0; n-- {
		from := f.asidePath(n - 1)
		if e := os.Rename(from, f.asidePath(n)); !errors.Is(e, fs.ErrNotExist) {
			err = e
		}
	}
	if err != nil {
		return fmt.Errorf("set the log aside: %w", err)
	}
	f.turns++
	return f.removeAside(f.kept + 1) // a larger limit was set before
}

// asidePath returns the path of the n-th newest file set aside; the 0th is the current one.
func (f *file) asidePath(n int) string {
	if n == 0 {
		return f.path
	}
	return fmt.Sprintf("%s.%d", f.path, n)
}

// removeAside removes the files set aside from the n-th on.
func (f *file) removeAside(n int) error {
	paths, err := filepath.Glob(f.path + ".*")
	for _, path := range paths {
		number, e := strconv.Atoi(path[len(f.path)+1:])
		if e != nil || number < n {
			continue
		}
		if e := os.Remove(path); e != nil && !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	return err
}

func (f *file) removeFile() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	err := errors.Join(f.closeFile(), f.removeAside(1))
	if e := os.Remove(f.path); e != nil && !errors.Is(e, fs.ErrNotExist) {
		err = errors.Join(err, e)
	}
	return err
}

func (f *file) close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.closeFile()
}

func (f *file) closeFile() error {
	if f.out == nil {
		return nil
	}
	err := f.out.Close()
	f.out = nil
	return err
}
