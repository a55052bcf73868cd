package asset

import (
	"bytes"
	"net/http"
	"sync/atomic"
)

// Ready is what Serve sends for a GET, as octets: header fields each with CRLF, and the body. Both
// are shared and must not be changed.
type Ready struct {
	Fields, Body []byte
	Unchanged    bool // a 304, without a body; else a 200
}

// Ready returns the answer to a client with these Accept-Encoding and If-None-Match fields, "" for
// one that is absent, and no other precondition. It returns false if the file is not in memory and
// does not fit there, if it cannot be read, or if the precondition is more than the tag of one
// variant.
func (a Asset) Ready(acceptEncoding, ifNoneMatch string) (Ready, bool) {
	v := &a.entry.identity
	if acceptEncoding != "" {
		v = a.entry.choose([]string{acceptEncoding})
	}
	switch ifNoneMatch {
	case "":
	case v.etag[0]:
		return Ready{Fields: a.unchangedFields(v), Unchanged: true}, true
	default:
		return Ready{}, false
	}
	body, err := a.load(v)
	if err != nil || body == nil {
		return Ready{}, false
	}
	return Ready{Fields: a.fields(v), Body: body}, true
}

// unchangedFields returns the header of a 304 for a variant. It is written once.
func (a Asset) unchangedFields(v *variant) []byte {
	return written(&v.unchangedFields, func(h http.Header) { a.describe(h, v) })
}

// fields returns the header of a 200 with a variant. It is written once.
func (a Asset) fields(v *variant) []byte {
	return written(&v.fields, func(h http.Header) { a.describeBody(h, v) })
}

// written returns what place has, or what describe sets, which it then stores there.
func written(place *atomic.Pointer[[]byte], describe func(http.Header)) []byte {
	if fields := place.Load(); fields != nil {
		return *fields
	}
	h := http.Header{}
	describe(h)
	fields := Serialize(h)
	place.Store(&fields)
	return fields
}

// Serialize returns header fields as octets, each with CRLF.
func Serialize(h http.Header) []byte {
	var b bytes.Buffer
	_ = h.Write(&b) // a Buffer accepts everything
	return b.Bytes()
}
