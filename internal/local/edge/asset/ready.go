package asset

import (
	"bytes"
	"net/http"
	"slices"
	"sync/atomic"

	"golang.org/x/net/http2/hpack"
)

// Ready is what Serve sends for a GET, as octets, which are shared and must not be changed.
type Ready struct {
	Header
	Body      []byte
	Unchanged bool // a 304, without a body; else a 200
}

// Header is header fields as octets.
type Header struct {
	Fields []byte // in HTTP/1.1: each with CRLF
	Block  []byte // in HTTP/2: HPACK without the dynamic table (RFC 7541), so it suits every connection
}

// With returns the fields of both, those of h first.
func (h Header) With(more Header) Header {
	return Header{Fields: slices.Concat(h.Fields, more.Fields), Block: slices.Concat(h.Block, more.Block)}
}

// Decoration adds to the header fields that Serve sets for a file. Its address is its identity: it
// must add the same fields to equal headers.
type Decoration struct{ Add func(http.Header) }

// Ready returns the answer to a client with these Accept-Encoding and If-None-Match fields, "" for
// one that is absent, and no other precondition. It returns false if the file is not in memory and
// does not fit there, if it cannot be read, or if the precondition is more than the tag of one
// variant.
func (a Asset) Ready(acceptEncoding, ifNoneMatch string, d *Decoration) (Ready, bool) {
	v := &a.entry.identity
	if acceptEncoding != "" {
		v = a.entry.chooseVariant([]string{acceptEncoding})
	}
	switch ifNoneMatch {
	case "":
	case v.etag[0]:
		return Ready{Header: v.unchanged.serializeFields(d, func(h http.Header) { a.describeVariant(h, v) }, "Content-Type"), Unchanged: true}, true
	default:
		return Ready{}, false
	}
	body, err := a.loadBody(v)
	if err != nil || body == nil {
		return Ready{}, false
	}
	return Ready{Header: v.whole.serializeFields(d, func(h http.Header) { a.describeBody(h, v) }), Body: body}, true
}

// head keeps the header fields of one kind of answer, as the last Decoration left them. A file has
// one in the site that it belongs to. Sites that share a hashed file may take turns.
type head struct{ last atomic.Pointer[decorated] }

type decorated struct {
	by     *Decoration
	header Header
}

// serializeFields leaves out the named fields, which describe a body.
func (k *head) serializeFields(d *Decoration, describe func(http.Header), without ...string) Header {
	if last := k.last.Load(); last != nil && last.by == d {
		return last.header
	}
	h := http.Header{}
	describe(h)
	d.Add(h)
	for _, name := range without {
		delete(h, name)
	}
	next := &decorated{d, SerializeBoth(h)}
	k.last.Store(next)
	return next.header
}

// Serialize returns header fields as octets, each with CRLF.
func Serialize(h http.Header) []byte {
	var b bytes.Buffer
	_ = h.Write(&b)               // a Buffer accepts everything
	return bytes.Clone(b.Bytes()) // which is as long as it needs to be: it is kept
}

// SerializeBoth returns header fields as octets of both protocols.
func SerializeBoth(h http.Header) Header {
	fields := Serialize(h)
	return Header{Fields: fields, Block: compress(fields)}
}

// compress returns header fields that Serialize made in HPACK. It uses the static table only.
func compress(fields []byte) []byte {
	var b bytes.Buffer
	enc := hpack.NewEncoder(&b)
	enc.SetMaxDynamicTableSizeLimit(0)
	_ = enc.WriteField(hpack.HeaderField{Name: "a"}) // which announces the size of the table before it
	b.Reset()
	for line := range bytes.SplitSeq(fields, []byte("\r\n")) {
		if name, value, ok := bytes.Cut(line, []byte(": ")); ok {
			_ = enc.WriteField(hpack.HeaderField{Name: string(bytes.ToLower(name)), Value: string(value)})
		}
	}
	return bytes.Clone(b.Bytes())
}
