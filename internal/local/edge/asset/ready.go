package asset

import (
	"bytes"
	"net/http"
)

// Ready is what Serve sends for a GET without preconditions, as octets: header fields each with CRLF, and the body.
// Both are shared and must not be changed.
type Ready struct{ Fields, Body []byte }

// Ready returns the answer to a client with this Accept-Encoding field, "" for none; false if the body is not in
// memory and does not fit there, or cannot be read.
func (a Asset) Ready(acceptEncoding string) (Ready, bool) {
	v := &a.entry.identity
	if acceptEncoding != "" {
		v = a.entry.choose([]string{acceptEncoding})
	}
	body, err := a.load(v)
	if err != nil || body == nil {
		return Ready{}, false
	}
	return Ready{a.fields(v), body}, true
}

// fields are the header of a 200 with a variant. They are written once.
func (a Asset) fields(v *variant) []byte {
	if fields := v.fields.Load(); fields != nil {
		return *fields
	}
	h := http.Header{}
	a.describeBody(h, v)
	var b bytes.Buffer
	_ = h.Write(&b) // a Buffer takes everything
	fields := b.Bytes()
	v.fields.Store(&fields)
	return fields
}
