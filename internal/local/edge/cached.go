package edge

import (
	"bytes"
	"maps"
	"net/http"
	"strconv"
	"time"

	"github.com/anchor-deploy/anchor/internal/local/edge/asset"
	"github.com/anchor-deploy/anchor/internal/local/edge/cache"
)

// notCached answers a request that must not reach a function.
var notCached = &refusal{status: http.StatusGatewayTimeout, title: "Not in the cache",
	detail: "This request asks for a stored answer only (only-if-cached), and there is none."}

// send answers with a stored response: whole, a part of it, or as a 304.
func (x *exchange) send(entry *cache.Entry, status cache.Status) {
	now := x.edge.now()
	status.TTL, status.HasTTL = entry.TTL(now), true
	x.res.caching = status.String()
	part := entry.Status == http.StatusOK && len(x.r.Header["Range"]) > 0
	coding := ""
	if !part { // a part is one of the body as it is, whose tag is a strong one
		coding = asset.Coding(x.r.Header["Accept-Encoding"])
	}
	form := x.site.formFor(x.found, entry, coding)
	h := x.res.Header()
	maps.Copy(h, fieldsOf(entry, form))
	h["Age"] = []string{strconv.FormatInt(int64(entry.Age(now)/time.Second), 10)}
	switch {
	case entry.Status == http.StatusOK && cache.NotModified(x.r.Header, h):
		ofWhole(h)
		x.res.WriteHeader(http.StatusNotModified)
		return
	case part:
		x.sendPart(entry)
		return
	}
	x.res.WriteHeader(entry.Status)
	if x.r.Method == http.MethodGet {
		_, _ = x.res.Write(form.Body) // the client may have disconnected
	}
}

// ofWhole removes the fields that a 304 does not have.
func ofWhole(h http.Header) {
	for _, name := range []string{"Content-Type", "Content-Encoding", "Content-Length"} {
		delete(h, name)
	}
}

// formFor returns a stored answer in a content coding, if it has one.
func (s *Site) formFor(found *cache.Request, entry *cache.Entry, coding string) *cache.Form {
	if form := entry.Ready(coding); form != nil {
		return form
	}
	form := s.form(entry, "")
	if !form.Codable || coding == "" {
		return form
	}
	form = s.form(entry, coding)
	if entry.Encoded(coding) == nil {
		found.Encoded(entry)
	}
	return form
}

// form returns a stored answer in a content coding, described as the compressor describes it.
func (s *Site) form(entry *cache.Entry, coding string) *cache.Form {
	return entry.Prepare(coding, func() *cache.Form {
		form := &cache.Form{Coding: coding, Body: entry.Body}
		form.Codable = isEncodable(entry.Status, entry.Header) && len(entry.Body) >= asset.SmallestToCompress
		if coding != "" {
			if form.Body = entry.Encoded(coding); form.Body == nil {
				form.Body = encodeWhole(coding, entry.Body)
			}
		}
		h := fieldsOf(entry, form)
		form.Tag = h.Get("Etag")
		form.Whole, form.Unchanged = s.octets(entry.Status, h)
		return form
	})
}

// fieldsOf returns the header of a stored answer in a form. The form has it as octets only, which take a
// third of the memory.
func fieldsOf(entry *cache.Entry, form *cache.Form) http.Header {
	h := entry.Header.Clone()
	if form.Codable {
		addVary(h, "Accept-Encoding")
	}
	if form.Coding != "" {
		h["Content-Encoding"] = []string{form.Coding}
		for _, name := range ofIdentity {
			delete(h, name)
		}
		weakenTag(h)
	}
	if entry.Status != http.StatusNoContent {
		h["Content-Length"] = []string{strconv.Itoa(len(form.Body))}
	}
	return h
}

// octets returns the header as it is sent with an answer, and with a 304 for it. Both share their memory.
func (s *Site) octets(status int, h http.Header) (whole, unchanged asset.Header) {
	sent := h.Clone()
	r := response{site: s.Header, status: status}
	r.decorateHeader(sent)
	r.endEarly(sent)
	all := sent.Clone()
	ofWhole(sent)
	for name := range sent {
		delete(all, name)
	}
	unchanged = asset.SerializeBoth(sent)
	whole = unchanged.With(asset.SerializeBoth(all))
	fields, block := len(unchanged.Fields), len(unchanged.Block)
	return whole, asset.Header{Fields: whole.Fields[:fields:fields], Block: whole.Block[:block:block]}
}

// sendPart answers a request with Range (RFC 9110, section 14).
func (x *exchange) sendPart(entry *cache.Entry) {
	r := x.r.WithContext(x.r.Context())
	r.Header = http.Header{"Range": x.r.Header["Range"]}
	if condition, ok := x.r.Header["If-Range"]; ok {
		r.Header["If-Range"] = condition
	}
	h := x.res.Header()
	delete(h, "Content-Length")
	if _, ok := h["Content-Type"]; !ok {
		h["Content-Type"] = nil // or ServeContent would guess one
	}
	modified, err := http.ParseTime(entry.Header.Get("Last-Modified"))
	if err != nil {
		modified = time.Time{}
	}
	http.ServeContent(x.res, r, "", modified, bytes.NewReader(entry.Body))
}

// encodeWhole encodes a body that is kept.
func encodeWhole(coding string, body []byte) []byte {
	var coded bytes.Buffer
	enc := encoders[coding].Get().(encoder)
	enc.Reset(&coded)
	_, _ = enc.Write(body) // a Buffer accepts everything
	_ = enc.Close()
	enc.Reset(nil)
	encoders[coding].Put(enc)
	return coded.Bytes()
}
