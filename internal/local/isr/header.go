package isr

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// headerMagic opens every object file; the digit is the version of the layout.
const headerMagic = "ANCHISR1"

// headerFixed is the length of the header before the key: magic, modified (Unix ms), body length,
// MD5, key length.
const headerFixed = 8 + 8 + 8 + 16 + 4

// MaxKey is the longest object key in bytes. S3 stops at 1024; composable-cache keys hold
// serialized arguments and are longer than that in real apps.
const MaxKey = 16 << 10

var errBadHeader = errors.New("not an object file of this version")

// header precedes the body in an object file, so that the file needs no index to be understood.
type header struct {
	modifiedMS int64
	size       int64
	md5        [16]byte
	key        string
}

func (h header) encodedLength() int64 { return headerFixed + int64(len(h.key)) }

func (h header) encodeHeader() []byte {
	b := make([]byte, 0, h.encodedLength())
	b = append(b, headerMagic...)
	b = binary.BigEndian.AppendUint64(b, uint64(h.modifiedMS))
	b = binary.BigEndian.AppendUint64(b, uint64(h.size))
	b = append(b, h.md5[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(h.key)))
	return append(b, h.key...)
}

func readHeader(r io.Reader) (header, error) {
	var fixed [headerFixed]byte
	if _, err := io.ReadFull(r, fixed[:]); err != nil {
		return header{}, fmt.Errorf("read the header: %w", err)
	}
	if string(fixed[:8]) != headerMagic {
		return header{}, errBadHeader
	}
	h := header{
		modifiedMS: int64(binary.BigEndian.Uint64(fixed[8:])),
		size:       int64(binary.BigEndian.Uint64(fixed[16:])),
		md5:        [16]byte(fixed[24:40]),
	}
	keyLen := binary.BigEndian.Uint32(fixed[40:])
	if keyLen > MaxKey || h.size < 0 {
		return header{}, errBadHeader
	}
	key := make([]byte, keyLen)
	if _, err := io.ReadFull(r, key); err != nil {
		return header{}, fmt.Errorf("read the key: %w", err)
	}
	h.key = string(key)
	return h, nil
}
