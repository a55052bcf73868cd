// Package filepack is the body that carries many small files in one request: a tar archive (POSIX ustar) in which each
// file has the lower-case hex SHA-256 of its content as its name. `tar t` lists it.
package filepack

import (
	"archive/tar"
	"bufio"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact"
)

// The limits of one pack. Larger files travel alone.
const (
	MaxFiles    = 1000
	MaxFileSize = 1 << 20  // bytes
	MaxSize     = 64 << 20 // bytes, of the whole pack

	block   = 512       // bytes; tar pads contents to it, and headers have this size
	trailer = 2 * block // zeros that end an archive
)

// Entry is one file of a pack. Digest is lower-case hex SHA-256.
type Entry struct {
	Digest string
	Size   int64 // bytes
}

// Size returns the length in bytes of the pack that holds entries.
func Size(entries []Entry) int64 {
	n := int64(trailer)
	for _, e := range entries {
		n += block + e.Size + paddingOf(e.Size)
	}
	return n
}

func paddingOf(size int64) int64 { return -size & (block - 1) }

// bufferSize is how much of a pack is written and read at a time: its headers, contents and padding would be three
// system calls for each file on both sides.
const bufferSize = 64 << 10

var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// Write writes a pack. open returns the content of an entry, which must have exactly the entry's size.
func Write(w io.Writer, entries []Entry, open func(Entry) (io.ReadCloser, error)) error {
	buffered := bufio.NewWriterSize(w, bufferSize)
	archive := tar.NewWriter(buffered)
	for _, e := range entries {
		if err := writeEntry(archive, e, open); err != nil {
			return err
		}
	}
	if err := archive.Close(); err != nil {
		return err
	}
	return buffered.Flush()
}

func writeEntry(archive *tar.Writer, e Entry, open func(Entry) (io.ReadCloser, error)) error {
	if _, err := artifact.ParseDigest(e.Digest); err != nil {
		return fmt.Errorf("pack a file: %w", err)
	}
	header := &tar.Header{Typeflag: tar.TypeReg, Name: e.Digest, Size: e.Size, Mode: 0o644, Format: tar.FormatUSTAR}
	if err := archive.WriteHeader(header); err != nil {
		return err
	}
	content, err := open(e)
	if err != nil {
		return err
	}
	defer content.Close()
	if n, err := copySized(archive, content, e.Size); err != nil {
		return fmt.Errorf("pack %s: %d of %d bytes: %w", e.Digest, n, e.Size, err)
	}
	return nil
}

// copySized is io.CopyN with a buffer that is used again.
func copySized(w io.Writer, content io.Reader, size int64) (int64, error) {
	buffer := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(buffer)
	n, err := io.CopyBuffer(w, io.LimitReader(content, size), buffer[:])
	if err == nil && n < size {
		err = io.EOF
	}
	return n, err
}

// Read calls file for each file of a pack, in order, with its content. What file leaves unread is skipped. A malformed
// pack, or one that was cut off, is an Invalid error; the files before the fault have been passed to file.
func Read(r io.Reader, file func(Entry, io.Reader) error) error {
	counted := &countingReader{r: bufio.NewReaderSize(r, bufferSize)}
	archive := tar.NewReader(counted)
	end := int64(0) // of the last file with its padding, from the beginning of the pack
	for i := 0; ; i++ {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return readEnd(counted, end)
		}
		if err != nil {
			return readFault(fmt.Sprintf("the header of file %d", i+1), err)
		}
		if err := checkEntry(header, i); err != nil {
			return err
		}
		content := &contentReader{r: archive, where: fmt.Sprintf("file %d", i+1)}
		if err := file(Entry{Digest: header.Name, Size: header.Size}, content); err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, content); err != nil {
			return err
		}
		end = counted.n + paddingOf(header.Size)
	}
}

func checkEntry(header *tar.Header, i int) error {
	if i == MaxFiles {
		return tooManyFiles()
	}
	if header.Typeflag != tar.TypeReg {
		return brokenPack("entry %d (%q) is not a regular file", i+1, header.Name)
	}
	if _, err := artifact.ParseDigest(header.Name); err != nil {
		return brokenPack("the name of file %d is %q, not a SHA-256 in lower-case hex", i+1, header.Name)
	}
	if header.Size > MaxFileSize {
		return fileTooLarge(i, header.Size)
	}
	return nil
}

// readEnd checks that the archive is complete. Its files take the first bytes. archive/tar accepts the end of the
// input as the end of the archive. tar programs fill the last record with more zeros.
func readEnd(r *countingReader, files int64) error {
	if r.n != files+trailer {
		return brokenPack("it ends before the end of the archive")
	}
	rest := make([]byte, block)
	for {
		n, err := r.Read(rest)
		for _, b := range rest[:n] {
			if b != 0 {
				return brokenPack("there is more after the end of the archive")
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the end of the pack: %w", err)
		}
	}
}

// contentReader reads the content of one file, and names the place in errors.
type contentReader struct {
	r     io.Reader
	where string
}

func (c *contentReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = readFault(c.where, err)
	}
	return n, err
}

// countingReader counts what was read. It hides Seek, by which archive/tar would skip contents.
type countingReader struct {
	r io.Reader
	n int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

func tooManyFiles() error {
	return anchor.TooLarge("pack_too_large", "the pack holds more than %d files", MaxFiles).
		Hintf("Send the files in several packs.")
}

func fileTooLarge(i int, size int64) error {
	return anchor.TooLarge("pack_file_too_large", "file %d of the pack is too large: its size in bytes is %d; the limit is %d", i+1, size, MaxFileSize).
		Hintf("Send it separately with PUT …/files/{digest}.")
}

func readFault(where string, err error) error {
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return brokenPack("it ends inside %s", where)
	case errors.Is(err, tar.ErrHeader), errors.Is(err, tar.ErrFieldTooLong):
		return brokenPack("%s is not that of a tar archive", where).Because(err)
	}
	return fmt.Errorf("read %s of the pack: %w", where, err)
}

func brokenPack(format string, args ...any) *anchor.Error {
	return anchor.Invalid("bad_pack", "the pack of files is broken: "+format, args...).
		Hintf("Send the missing files again; complete files were stored.")
}
