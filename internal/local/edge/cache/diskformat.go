package cache

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// A file on disk is
//
//	magic, length of the head (4 octets, big-endian), head, SHA-256 of the head, body
//
// and the head, of strings and numbers with their lengths before them, has the SHA-256 of the body.
// A file that is cut off or changed is found by these sums.

// diskMagic begins each file. Change its number when the format changes, or what may be stored.
const diskMagic = "anchor-answer 1\n"

// longestHead bounds what is read of a file before its sum is known.
const longestHead = 1 << 20

var errDamaged = errors.New("the file is damaged")

// fileHead describes the response in a file.
type fileHead struct {
	namespace string
	key       Key
	entry     *Entry // without a body
	bodySize  int64
	bodySum   [sha256.Size]byte
}

func encodeFile(namespace string, key Key, e *Entry) []byte {
	sum := sha256.Sum256(e.Body)
	head := appendHead(make([]byte, 0, 1024), namespace, key, e, sum)
	headSum := sha256.Sum256(head)
	out := make([]byte, 0, len(diskMagic)+4+len(head)+len(headSum)+len(e.Body))
	out = append(out, diskMagic...)
	out = binary.BigEndian.AppendUint32(out, uint32(len(head)))
	out = append(append(out, head...), headSum[:]...)
	return append(out, e.Body...)
}

func appendHead(b []byte, namespace string, key Key, e *Entry, sum [sha256.Size]byte) []byte {
	b = appendText(b, namespace, string(key[:]), e.resource.Scheme, e.resource.Host, e.resource.Target, string(sum[:]))
	tagged, traced := int64(0), int64(0)
	if e.tagged {
		tagged = 1
	}
	if e.traced {
		traced = 1
	}
	for _, n := range []int64{
		int64(len(e.Body)), int64(e.Status), tagged, traced, e.received.UnixNano(), int64(e.initialAge),
		int64(e.Fresh), int64(e.StaleWhileRevalidate), int64(e.StaleIfError),
	} {
		b = binary.AppendVarint(b, n)
	}
	b = appendList(b, e.vary)
	b = appendList(b, e.values)
	b = appendList(b, e.tags)
	b = binary.AppendUvarint(b, uint64(len(e.Header)))
	for name, values := range e.Header {
		b = appendList(appendText(b, name), values)
	}
	return b
}

func appendText(b []byte, texts ...string) []byte {
	for _, text := range texts {
		b = append(binary.AppendUvarint(b, uint64(len(text))), text...)
	}
	return b
}

func appendList(b []byte, list []string) []byte {
	return appendText(binary.AppendUvarint(b, uint64(len(list))), list...)
}

// headReader reads what appendHead wrote. After an error it returns zero values.
type headReader struct {
	rest []byte
	err  error
}

func (r *headReader) count() int {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 || n > uint64(len(r.rest)) {
		r.rest, r.err = nil, errDamaged
		return 0
	}
	r.rest = r.rest[size:]
	return int(n)
}

func (r *headReader) text() string {
	n := r.count()
	if n > len(r.rest) {
		r.rest, r.err = nil, errDamaged
		return ""
	}
	text := string(r.rest[:n])
	r.rest = r.rest[n:]
	return text
}

func (r *headReader) number() int64 {
	n, size := binary.Varint(r.rest)
	if size <= 0 {
		r.rest, r.err = nil, errDamaged
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

func (r *headReader) list() []string {
	var list []string
	for range r.count() {
		list = append(list, r.text())
	}
	return list
}

// decodeHead parses a head whose sum is right.
func decodeHead(head []byte) (f fileHead, err error) {
	r := &headReader{rest: head}
	f.namespace = r.text()
	copy(f.key[:], r.text())
	e := &Entry{resource: Resource{Scheme: r.text(), Host: r.text(), Target: r.text()}}
	copy(f.bodySum[:], r.text())
	f.bodySize, e.Status = r.number(), int(r.number())
	e.tagged, e.traced = r.number() == 1, r.number() == 1
	e.received, e.initialAge = time.Unix(0, r.number()), time.Duration(r.number())
	e.Fresh, e.StaleWhileRevalidate = time.Duration(r.number()), time.Duration(r.number())
	e.StaleIfError = time.Duration(r.number())
	e.vary, e.values, e.tags = r.list(), r.list(), r.list()
	n := r.count()
	e.Header = make(http.Header, n)
	for range n {
		name := r.text()
		e.Header[name] = r.list()
	}
	if r.err != nil || len(r.rest) > 0 || len(e.vary) != len(e.values) {
		return f, errDamaged
	}
	f.entry = e
	return f, nil
}

// readHead reads the head of a file, and leaves file at the body.
func readHead(file *os.File) (f fileHead, err error) {
	start := make([]byte, len(diskMagic)+4)
	if _, err := io.ReadFull(file, start); err != nil {
		return f, damagedOr(err)
	}
	size := binary.BigEndian.Uint32(start[len(diskMagic):])
	if string(start[:len(diskMagic)]) != diskMagic || size > longestHead {
		return f, errDamaged
	}
	head := make([]byte, size+sha256.Size)
	if _, err := io.ReadFull(file, head); err != nil {
		return f, damagedOr(err)
	}
	sum := sha256.Sum256(head[:size])
	if !bytes.Equal(sum[:], head[size:]) {
		return f, errDamaged
	}
	return decodeHead(head[:size])
}

// readWhole reads the response in a file.
func readWhole(path string) (f fileHead, err error) {
	file, err := os.Open(path)
	if err != nil {
		return f, err
	}
	defer file.Close()
	if f, err = readHead(file); err != nil {
		return f, fmt.Errorf("read %s: %w", path, err)
	}
	body, err := io.ReadAll(io.LimitReader(file, f.bodySize+1))
	if err != nil {
		return f, fmt.Errorf("read %s: %w", path, err)
	}
	if int64(len(body)) != f.bodySize || sha256.Sum256(body) != f.bodySum {
		return f, fmt.Errorf("read %s: %w", path, errDamaged)
	}
	f.entry.Body = body
	return f, nil
}

func damagedOr(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errDamaged
	}
	return err
}
