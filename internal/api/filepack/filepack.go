// Package filepack is the body that carries many small files in one request:
//
//	"anchorpack1\n"  count (uint32)  { digest (32 bytes)  size (uint64)  content }…
//
// Numbers are big-endian. The count stands first so that a pack cut off between
// two files is seen to be short.
package filepack

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

const magic = "anchorpack1\n"

// The limits of one pack. Larger files travel alone.
const (
	MaxFiles    = 1000
	MaxFileSize = 1 << 20  // bytes
	MaxSize     = 64 << 20 // bytes, of the whole pack
	headerSize  = len(magic) + 4
	entryHeader = 32 + 8
)

// Entry heads one file of a pack. Digest is lower-case hex SHA-256.
type Entry struct {
	Digest string
	Size   int64 // bytes
}

// Size gives the length in bytes of the pack that holds entries.
func Size(entries []Entry) int64 {
	n := int64(headerSize)
	for _, e := range entries {
		n += entryHeader + e.Size
	}
	return n
}

// Write writes a pack; open gives each entry's content, of exactly its size.
func Write(w io.Writer, entries []Entry, open func(Entry) (io.ReadCloser, error)) error {
	head := binary.BigEndian.AppendUint32([]byte(magic), uint32(len(entries)))
	if _, err := w.Write(head); err != nil {
		return err
	}
	for _, e := range entries {
		if err := writeEntry(w, e, open); err != nil {
			return err
		}
	}
	return nil
}

func writeEntry(w io.Writer, e Entry, open func(Entry) (io.ReadCloser, error)) error {
	digest, err := hex.DecodeString(e.Digest)
	if err != nil || len(digest) != 32 {
		return fmt.Errorf("pack a file: %q is no SHA-256 digest", e.Digest)
	}
	if _, err := w.Write(binary.BigEndian.AppendUint64(digest, uint64(e.Size))); err != nil {
		return err
	}
	content, err := open(e)
	if err != nil {
		return err
	}
	defer content.Close()
	if n, err := io.CopyN(w, content, e.Size); err != nil {
		return fmt.Errorf("pack %s: %d of %d bytes: %w", e.Digest, n, e.Size, err)
	}
	return nil
}

// Read calls file for each file of a pack, in order, with its content. What file
// leaves unread is skipped. A malformed pack is an Invalid error; the files before
// the fault have been handed over.
func Read(r io.Reader, file func(Entry, io.Reader) error) error {
	count, err := readHeader(r)
	if err != nil {
		return err
	}
	for i := range count {
		if err := readEntry(r, i, file); err != nil {
			return err
		}
	}
	if n, err := io.ReadFull(r, make([]byte, 1)); n > 0 || err != io.EOF {
		return broken("there is more after the last of %d files", count).Because(notEOF(err))
	}
	return nil
}

func readHeader(r io.Reader) (int, error) {
	head := make([]byte, headerSize)
	if _, err := io.ReadFull(r, head); err != nil {
		return 0, cut("the header", err)
	}
	if string(head[:len(magic)]) != magic {
		return 0, broken("it does not begin with %q", magic)
	}
	count := binary.BigEndian.Uint32(head[len(magic):])
	if count > MaxFiles {
		return 0, anchor.TooLarge("pack_too_large", "the pack holds too many files: %d; the limit is %d", count, MaxFiles).
			Hintf("Send the files in several packs.")
	}
	return int(count), nil
}

func readEntry(r io.Reader, i int, file func(Entry, io.Reader) error) error {
	head := make([]byte, entryHeader)
	if _, err := io.ReadFull(r, head); err != nil {
		return cut(fmt.Sprintf("the header of file %d", i+1), err)
	}
	size := binary.BigEndian.Uint64(head[32:])
	if size > MaxFileSize {
		return anchor.TooLarge("pack_file_too_large", "file %d of the pack is too large: its size in bytes is %d; the limit is %d", i+1, size, MaxFileSize).
			Hintf("Send it by itself with PUT …/files/{digest}.")
	}
	content := &io.LimitedReader{R: r, N: int64(size)}
	if err := file(Entry{Digest: hex.EncodeToString(head[:32]), Size: int64(size)}, content); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, content); err != nil {
		return cut(fmt.Sprintf("file %d", i+1), err)
	}
	if content.N > 0 {
		return cut(fmt.Sprintf("file %d", i+1), io.ErrUnexpectedEOF)
	}
	return nil
}

func cut(where string, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return broken("it ends inside %s", where)
	}
	return fmt.Errorf("read %s of the pack: %w", where, err)
}

func notEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func broken(format string, args ...any) *anchor.Error {
	return anchor.Invalid("bad_pack", "the pack of files is broken: "+format, args...).
		Hintf("Send it again; what arrived whole is kept.")
}
