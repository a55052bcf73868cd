package filepack

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
)

// The format that clients up to 0.1 send:
//
//	"anchorpack1\n"  count (uint32)  { digest (32 bytes)  size (uint64)  content }…
//
// Numbers are big-endian. The count stands first so that a pack cut off between two files is seen to be short.
const (
	v1Magic  = "anchorpack1\n"
	v1Header = len(v1Magic) + 4
	v1Entry  = 32 + 8
)

// ReadV1 is Read for the format of clients up to 0.1. Remove it after the next version.
func ReadV1(r io.Reader, file func(Entry, io.Reader) error) error {
	count, err := readV1Header(r)
	if err != nil {
		return err
	}
	for i := range count {
		if err := readV1Entry(r, i, file); err != nil {
			return err
		}
	}
	n, err := io.ReadFull(r, make([]byte, 1))
	if n > 0 {
		return brokenPack("there is more after the last of %d files", count)
	}
	if !errors.Is(err, io.EOF) {
		return readFault("the end", err)
	}
	return nil
}

func readV1Header(r io.Reader) (int, error) {
	head := make([]byte, v1Header)
	if _, err := io.ReadFull(r, head); err != nil {
		return 0, readFault("the header", err)
	}
	if string(head[:len(v1Magic)]) != v1Magic {
		return 0, brokenPack("it does not begin with %q", v1Magic)
	}
	count := binary.BigEndian.Uint32(head[len(v1Magic):])
	if count > MaxFiles {
		return 0, tooManyFiles()
	}
	return int(count), nil
}

func readV1Entry(r io.Reader, i int, file func(Entry, io.Reader) error) error {
	head, where := make([]byte, v1Entry), fmt.Sprintf("file %d", i+1)
	if _, err := io.ReadFull(r, head); err != nil {
		return readFault("the header of "+where, err)
	}
	size := binary.BigEndian.Uint64(head[32:])
	if size > MaxFileSize {
		return fileTooLarge(i, int64(min(size, 1<<62)))
	}
	content := &io.LimitedReader{R: r, N: int64(size)}
	if err := file(Entry{Digest: hex.EncodeToString(head[:32]), Size: int64(size)}, content); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, content); err != nil {
		return readFault(where, err)
	}
	if content.N > 0 {
		return readFault(where, io.ErrUnexpectedEOF)
	}
	return nil
}
