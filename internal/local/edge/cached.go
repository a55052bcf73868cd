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
	h := x.res.Header()
	maps.Copy(h, entry.Header)
	h["Age"] = []string{strconv.FormatInt(int64(entry.Age(now)/time.Second), 10)}
	part := entry.Status == http.StatusOK && len(x.r.Header["Range"]) > 0
	body := x.body(entry, h, part)
	switch {
	case entry.Status == http.StatusOK && cache.NotModified(x.r.Header, h):
		delete(h, "Content-Type")
		delete(h, "Content-Encoding")
		x.res.WriteHeader(http.StatusNotModified)
		return
	case part:
		x.sendPart(entry, body)
		return
	}
	if entry.Status != http.StatusNoContent {
		h["Content-Length"] = []string{strconv.Itoa(len(body))}
	}
	x.res.WriteHeader(entry.Status)
	if x.r.Method == http.MethodGet {
		_, _ = x.res.Write(body) // the client may have disconnected
	}
}

// body returns the body in the coding that the client prefers, and describes it in the header as
// the compressor does. Parts are sent of the body as it is: its tag is a strong one.
func (x *exchange) body(entry *cache.Entry, h http.Header, part bool) []byte {
	if !encodable(entry.Status, h) || len(entry.Body) < asset.SmallestToCompress {
		return entry.Body
	}
	addVary(h, "Accept-Encoding")
	coding := asset.Coding(x.r.Header["Accept-Encoding"])
	if coding == "" || part {
		return entry.Body
	}
	h["Content-Encoding"] = []string{coding}
	for _, name := range ofIdentity {
		delete(h, name)
	}
	weaken(h)
	return entry.Coded(coding, func(body []byte) []byte { return encodeWhole(coding, body) })
}

// sendPart answers a request with Range (RFC 9110, section 14).
func (x *exchange) sendPart(entry *cache.Entry, body []byte) {
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
	http.ServeContent(x.res, r, "", modified, bytes.NewReader(body))
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
