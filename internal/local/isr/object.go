package isr

import (
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/anchor-deploy/anchor/internal/atomicfile"
)

// ErrKey is wrapped by errors about a key that cannot be stored.
var ErrKey = errors.New("bad object key")

// Info describes an object. ETag is quoted, ready for HTTP. Modified has milliseconds; it is when the
// making of a written entry began, so that a tag revalidated since then concerns it.
type Info struct {
	Modified time.Time
	Size     int64
	ETag     string
}

// Object is an open object. Read or seek its body, then Close it. A Put or Delete of the same key
// does not change what is read.
type Object struct {
	Info
	io.ReadSeeker
	file *os.File
}

// Close implements io.Closer.
func (o *Object) Close() error { return o.file.Close() }

// Get opens the object of a key: the one that the app wrote, else the seeded one, else ErrNotFound.
func (s *Store) Get(ctx context.Context, ns, key string) (*Object, error) {
	o, err := openWritten(s.objectPath(ns, key), key)
	if errors.Is(err, fs.ErrNotExist) {
		o, err = s.openSeed(ctx, ns, key)
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, fmt.Errorf("read cache entry %q: %w", key, err)
	}
	return o, err
}

// Put stores body, read to its end, under key. It replaces the entry in one step when all of body
// was read without error; on any error the old entry stays. Concurrent Puts of a key leave one of
// them, whole.
//
// The entry was made from data read since made. A time in the future, or the zero time, stands for now.
func (s *Store) Put(ctx context.Context, ns, key string, made time.Time, body io.Reader) (Info, error) {
	if key == "" || len(key) > MaxKey {
		return Info{}, fmt.Errorf("write cache entry: %w: it has %d bytes, 1 to %d are allowed", ErrKey, len(key), MaxKey)
	}
	f, err := s.createObject(ns, key)
	if err != nil {
		return Info{}, fmt.Errorf("write cache entry %q: %w", key, err)
	}
	defer f.Discard()
	if now := time.Now(); made.IsZero() || made.After(now) {
		made = now
	}
	h, err := fillObject(f, key, made, readerWithContext{ctx, body})
	if err != nil {
		return Info{}, fmt.Errorf("write cache entry %q: %w", key, err)
	}
	if err := s.replaceObject(ns, key, f, h.encodedLength()+h.size); err != nil {
		return Info{}, fmt.Errorf("write cache entry %q: %w", key, err)
	}
	return h.infoOf(), nil
}

// replaceObject renames the object's file to its place, if there is room for its size.
func (s *Store) replaceObject(ns, key string, f *atomicfile.File, size int64) error {
	before, err := fileSize(s.objectPath(ns, key))
	if err == nil {
		err = s.reserveBytes(ns, before, size)
	}
	if err != nil {
		return err
	}
	if err := f.Replace(); err != nil {
		s.releaseBytes(ns, size-before)
		return err
	}
	return nil
}

// Delete removes the object of a key, seeded or written. A key that does not exist is not an error.
func (s *Store) Delete(ctx context.Context, ns, key string) error {
	defer func() {
		if s.Deleted != nil {
			s.Deleted(ns, key)
		}
	}()
	// The seed is deleted first: after a kill between the two steps, the written entry is still
	// there, not an older one.
	if err := s.deleteSeed(ctx, ns, key); err != nil {
		return fmt.Errorf("delete cache entry %q: %w", key, err)
	}
	before, err := fileSize(s.objectPath(ns, key))
	if err == nil {
		err = os.Remove(s.objectPath(ns, key))
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("delete cache entry %q: %w", key, err)
	}
	s.releaseBytes(ns, before)
	return nil
}

func (s *Store) objectPath(ns, key string) string {
	return filepath.Join(s.objectDir(ns), fileName(key))
}

func (s *Store) createObject(ns, key string) (*atomicfile.File, error) {
	if err := os.MkdirAll(s.objectDir(ns), 0o700); err != nil {
		return nil, err
	}
	return atomicfile.CreateIn(s.tmpDir(), s.objectPath(ns, key), 0o600)
}

// fillObject writes the header twice: first to reserve its room, then with its content when the
// body has been measured.
func fillObject(f *atomicfile.File, key string, made time.Time, body io.Reader) (header, error) {
	h := header{key: key, modifiedMS: made.UnixMilli()}
	if _, err := f.Write(h.encodeHeader()); err != nil {
		return h, err
	}
	sum := md5.New()
	size, err := io.Copy(io.MultiWriter(f, sum), body)
	if err != nil {
		return h, err
	}
	h.size, h.md5 = size, [16]byte(sum.Sum(nil))
	_, err = f.WriteAt(h.encodeHeader(), 0)
	return h, err
}

// openWritten opens the file of an entry that the app wrote. A damaged file is reported in the log
// and counts as absent: the app renders the page again and its Put repairs it.
func openWritten(path, key string) (*Object, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	h, err := readHeader(f)
	if err == nil {
		err = h.checkFile(f, key)
	}
	if err != nil {
		slog.Warn("ignoring a damaged file of the incremental cache", "file", path, "key", key, "error", err)
		return nil, errors.Join(ErrNotFound, f.Close())
	}
	return &Object{Info: h.infoOf(), ReadSeeker: io.NewSectionReader(f, h.encodedLength(), h.size), file: f}, nil
}

func (h header) checkFile(f *os.File, key string) error {
	stat, err := f.Stat()
	switch {
	case err != nil:
		return err
	case h.key != key:
		return fmt.Errorf("it holds the key %q", h.key)
	case stat.Size() != h.encodedLength()+h.size:
		return fmt.Errorf("it has %d bytes, not %d", stat.Size(), h.encodedLength()+h.size)
	}
	return nil
}

func (h header) infoOf() Info {
	return Info{Modified: time.UnixMilli(h.modifiedMS), Size: h.size, ETag: fmt.Sprintf(`"%x"`, h.md5)}
}

// readerWithContext ends a copy when its context is done.
type readerWithContext struct {
	ctx context.Context
	io.Reader
}

func (r readerWithContext) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}
