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
//	magic, length of the head (4 octets, big-endian), head, SHA-256 of the head, body, encoded bodies
//
// and the head, of strings and numbers with their lengths before them, has the SHA-256 of each body.
// A file that is cut off or changed is found by these sums.

// diskMagic begins each file. Change its number when the format changes, or what may be stored.
const diskMagic = "anchor-answer 2\n"

// longestHead bounds what is read of a file before its sum is known.
const longestHead = 1 << 20

var errDamaged = errors.New("the file is damaged")

// fileHead describes the response in a file.
type fileHead struct {
	namespace string
	key       Key
	entry     *Entry // without a body
	body      storedBody
	encoded   []storedBody
}

// storedBody describes a body in a file.
type storedBody struct {
	coding string
	size   int64
	sum    [sha256.Size]byte
}

func describe(coding string, body []byte) storedBody {
	return storedBody{coding, int64(len(body)), sha256.Sum256(body)}
}

// encodeFile returns the octets of a file in parts. The bodies are those of the entry: a copy would be
// garbage of the size of a body, which leaves holes between those that are stored.
func encodeFile(namespace string, key Key, e *Entry) [][]byte {
	f := fileHead{namespace: namespace, key: key, entry: e, body: describe("", e.Body)}
	parts := [][]byte{nil, e.Body}
	for _, one := range e.encodedBodies() {
		f.encoded = append(f.encoded, describe(one.coding, one.body))
		parts = append(parts, one.body)
	}
	start := len(diskMagic) + 4
	head := f.appendTo(append(make([]byte, 0, 1024), diskMagic+"\x00\x00\x00\x00"...))
	binary.BigEndian.PutUint32(head[len(diskMagic):], uint32(len(head)-start))
	sum := sha256.Sum256(head[start:])
	parts[0] = append(head, sum[:]...)
	return parts
}

// appendTo appends the head. decodeHead reads it.
func (f *fileHead) appendTo(b []byte) []byte {
	e := f.entry
	b = appendText(b, f.namespace, string(f.key[:]), e.resource.Scheme, e.resource.Host, e.resource.Target)
	b = f.body.appendTo(b)
	for _, n := range []int64{
		int64(e.Status), number(e.tagged), number(e.traced), number(e.keyed), e.received.UnixNano(), int64(e.initialAge),
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
	b = binary.AppendUvarint(b, uint64(len(f.encoded)))
	for _, one := range f.encoded {
		b = one.appendTo(b)
	}
	return b
}

func (s storedBody) appendTo(b []byte) []byte {
	return binary.AppendVarint(appendText(b, s.coding, string(s.sum[:])), s.size)
}

func number(flag bool) int64 {
	if flag {
		return 1
	}
	return 0
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

func (r *headReader) body() (s storedBody) {
	s.coding = r.text()
	copy(s.sum[:], r.text())
	s.size = r.number()
	return s
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
	e := &Entry{facts: &facts{resource: Resource{Scheme: r.text(), Host: r.text(), Target: r.text()}}}
	f.body, e.Status = r.body(), int(r.number())
	e.tagged, e.traced, e.keyed = r.number() == 1, r.number() == 1, r.number() == 1
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
	for range r.count() {
		f.encoded = append(f.encoded, r.body())
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
	if f.entry.Body, err = f.body.read(file); err != nil {
		return f, fmt.Errorf("read %s: %w", path, err)
	}
	for _, one := range f.encoded {
		body, err := one.read(file)
		if err != nil {
			return f, fmt.Errorf("read %s: %w", path, err)
		}
		f.entry.encoded = append(f.entry.encoded, encodedBody{one.coding, body})
	}
	if n, err := file.Read(make([]byte, 1)); n > 0 || !errors.Is(err, io.EOF) {
		return f, fmt.Errorf("read %s: %w", path, errDamaged)
	}
	return f, nil
}

// read reads the body from the front of file.
func (s storedBody) read(file *os.File) ([]byte, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if s.size < 0 || s.size > info.Size() {
		return nil, errDamaged
	}
	body := make([]byte, s.size)
	if _, err := io.ReadFull(file, body); err != nil {
		return nil, damagedOr(err)
	}
	if sha256.Sum256(body) != s.sum {
		return nil, errDamaged
	}
	return body, nil
}

func damagedOr(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errDamaged
	}
	return err
}
