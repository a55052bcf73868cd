package asset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// SmallestToCompress is the size in octets below which coding saves nothing: about one network
// packet.
const SmallestToCompress = 1 << 10

// brotliQuality and gzipLevel are the knees of their curves: one step more costs a deployment more
// time than it saves a visitor.
const (
	brotliQuality = 5
	gzipLevel     = 6
)

// zstdWindow is the largest window that every client has to support (RFC 9659, section 3).
const zstdWindow = 8 << 20

type encoder struct {
	suffix string
	open   func(io.Writer) (coder, error)
	idle   *sync.Pool // of coders: each has buffers and tables of up to some megabytes
}

// coder compresses what is written to it until Close. After Reset it writes to another file what a new
// one would write.
type coder interface {
	io.WriteCloser
	Reset(to io.Writer)
}

var (
	brotliEncoder = encoder{brotliSuffix, func(w io.Writer) (coder, error) {
		return brotli.NewWriterLevel(w, brotliQuality), nil
	}, &sync.Pool{}}
	gzipEncoder = encoder{gzipSuffix, func(w io.Writer) (coder, error) {
		return gzip.NewWriterLevel(w, gzipLevel)
	}, &sync.Pool{}}
	zstdEncoder = encoder{zstdSuffix, func(w io.Writer) (coder, error) {
		return zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(zstdWindow))
	}, &sync.Pool{}}
)

// encode writes what it reads from from in the encoder's coding.
func (e encoder) encode(to io.Writer, from io.Reader) error {
	w, used := e.idle.Get().(coder)
	if used {
		w.Reset(to)
	} else {
		var err error
		if w, err = e.open(to); err != nil {
			return err
		}
	}
	defer func() {
		w.Reset(io.Discard) // it must not keep the file
		e.idle.Put(w)
	}()
	if _, err := io.Copy(w, from); err != nil {
		return err
	}
	return w.Close()
}

// ensureVariant returns the size of a variant, and writes it unless an earlier deployment did. 0 means
// that the variant is not smaller than the file. An empty file records that, so that it is not
// tried again (no encoder writes an empty stream).
func (b builder) ensureVariant(ctx context.Context, f File, enc encoder) (int64, error) {
	name := variantFile(b.variants, f.Digest, enc.suffix)
	switch info, err := os.Stat(name); {
	case err == nil:
		return info.Size(), nil
	case !errors.Is(err, fs.ErrNotExist):
		return 0, fmt.Errorf("compress %s: %w", f.Path, err)
	}
	size, err := b.compressFile(ctx, f, enc, name)
	if err != nil {
		return 0, fmt.Errorf("compress %s: %w", f.Path, err)
	}
	return size, nil
}

// compressFile writes a temporary file beside name, which keepVariants renames: a variant is whole or
// absent. Two builds of the same digest write the same bytes, so it does not matter which rename
// is last.
func (b builder) compressFile(ctx context.Context, f File, enc encoder, name string) (size int64, err error) {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return 0, err
	}
	tmp, err := os.CreateTemp(filepath.Dir(name), ".variant-*")
	if err != nil {
		return 0, err
	}
	defer func() {
		tmp.Close()
		if err != nil {
			os.Remove(tmp.Name())
		}
	}()
	if size, err = b.encodeFile(ctx, f, enc, tmp); err != nil {
		return 0, err
	}
	if size >= f.Size {
		if err := tmp.Truncate(0); err != nil {
			return 0, err
		}
		size = 0
	}
	b.made.add(tmp.Name(), name)
	return size, nil
}

// newVariants are the variants that a build has written under temporary names.
type newVariants struct {
	mu    sync.Mutex
	names map[string]string // by temporary name
}

func (v *newVariants) add(temp, name string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.names[temp] = name
}

// keepVariants makes the new variants durable, all at once, and gives them their names.
func (b builder) keepVariants() error {
	if len(b.made.names) == 0 {
		return nil
	}
	if err := syncFiles(b.variants, b.made.names); err != nil {
		return fmt.Errorf("make the compressed files durable: %w", err)
	}
	for temp, name := range b.made.names {
		if err := os.Rename(temp, name); err != nil {
			return fmt.Errorf("keep a compressed file: %w", err)
		}
		delete(b.made.names, temp)
	}
	return nil
}

// dropVariants removes what a build that failed has written.
func (b builder) dropVariants() {
	for temp := range b.made.names {
		os.Remove(temp)
	}
}

func (b builder) encodeFile(ctx context.Context, f File, enc encoder, to *os.File) (int64, error) {
	from, err := b.root.Open(filepath.FromSlash(f.Path))
	if err != nil {
		return 0, err
	}
	defer from.Close()
	if err := enc.encode(to, cancelable{ctx, from}); err != nil {
		return 0, err
	}
	return to.Seek(0, io.SeekCurrent)
}

// cancelable ends a copy soon after its context is done.
type cancelable struct {
	ctx context.Context
	io.Reader
}

func (c cancelable) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.Reader.Read(p)
}
