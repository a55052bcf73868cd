package edge

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/anchor-deploy/anchor/internal/local/edge/asset"
)

// The answers of functions are compressed here, and not inside Node.js on the one thread that
// renders pages. The worker keeps OpenNext's wrappers from compressing
// (worker/bootstrap/compression.mjs), so that the app sees the client's Accept-Encoding.

// Qualities for bodies that are compressed while the client waits.
const (
	liveBrotli = 4
	liveGzip   = 5
)

// liveWindow bounds the memory of one zstd stream in bytes, here and in the client (RFC 9659 allows
// 8 MB). liveBrotliWindow does so for brotli, as a power of two: with its default a long stream takes
// 13 MiB and is not shorter.
const (
	liveWindow       = 512 << 10
	liveBrotliWindow = 18
)

// encoder is one of the libraries' writers.
type encoder interface {
	io.WriteCloser
	Flush() error
	Reset(io.Writer)
}

var encoders = map[string]*sync.Pool{
	asset.Brotli: {New: func() any {
		return brotli.NewWriterOptions(nil, brotli.WriterOptions{Quality: liveBrotli, LGWin: liveBrotliWindow})
	}},
	asset.Gzip: {New: func() any {
		w, _ := gzip.NewWriterLevel(nil, liveGzip) // fails only for a level out of range
		return w
	}},
	asset.Zstd: {New: func() any {
		w, _ := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true), // fail out of range only
			zstd.WithWindowSize(liveWindow))
		return w
	}},
}

// compressor encodes a function's answer if the client, the type and the size allow it. Flushes
// pass through, so that a stream stays a stream.
type compressor struct {
	to     *response
	coding string   // what the client prefers: "br", "zstd", "gzip" or ""
	tags   []string // If-None-Match
	head   bool

	begun   bool
	encoder encoder // nil: the body is sent as it is
}

func newCompressor(res *response, r *http.Request) *compressor {
	return &compressor{
		to: res, coding: asset.Coding(r.Header["Accept-Encoding"]), tags: r.Header["If-None-Match"],
		head: r.Method == http.MethodHead,
	}
}

func (c *compressor) Header() http.Header { return c.to.Header() }

// Unwrap lets http.ResponseController reach the connection's deadlines.
func (c *compressor) Unwrap() http.ResponseWriter { return c.to }

func (c *compressor) WriteHeader(status int) {
	if status >= http.StatusOK && !c.begun {
		c.begun = true
		c.beginAnswer(status, c.to.Header())
	}
	c.to.WriteHeader(status)
}

// beginAnswer decides whether to encode. An answer that can be sent in several codings names
// Accept-Encoding in Vary, coded or not (RFC 9110, section 12.5.5). The header of an answer to HEAD
// is that of the answer to GET (section 9.3.2).
func (c *compressor) beginAnswer(status int, h http.Header) {
	if strings.EqualFold(h.Get("Content-Encoding"), "identity") {
		delete(h, "Content-Encoding") // no registered coding; OpenNext sends it
	}
	if status == http.StatusNotModified {
		c.confirmVariant(h)
		return
	}
	if !isEncodable(status, h) {
		return
	}
	addVary(h, "Accept-Encoding")
	if c.coding == "" || !c.head && !liveCoders.take() {
		return
	}
	h.Set("Content-Encoding", c.coding)
	for _, name := range ofIdentity {
		delete(h, name)
	}
	weakenTag(h)
	if c.head {
		return
	}
	c.encoder = encoders[c.coding].Get().(encoder)
	c.encoder.Reset(outlet{c.to, liveCoders})
}

// ofIdentity are fields that apply only to the octets as the function wrote them (RFC 9110, section
// 8; RFC 9530).
var ofIdentity = []string{"Content-Length", "Accept-Ranges", "Content-Digest", "Repr-Digest", "Digest", "Content-Md5"}

// weakenTag makes the tag weak: the octets differ from those that it was made for.
func weakenTag(h http.Header) {
	if tag := h.Get("Etag"); strings.HasPrefix(tag, `"`) {
		h.Set("Etag", "W/"+tag)
	}
}

// confirmVariant sets on a 304 the validator and the Vary of the 200 that it confirms (RFC 9110, section
// 15.4.5). That 200 was coded if the client's tag is the function's, weakened. For other tags the
// type decides, and without a type a superfluous Vary does no harm.
func (c *compressor) confirmVariant(h http.Header) {
	tag, mediaType := h.Get("Etag"), h.Get("Content-Type")
	strong := strings.HasPrefix(tag, `"`)
	switch {
	case strong && containsTag(c.tags, "W/"+tag):
		weakenTag(h)
	case strong && c.coding != "" && containsTag(c.tags, tag):
		return // this client would have received a coded body, if there were one
	case mediaType != "" && !isCompressible(mediaType):
		return
	}
	addVary(h, "Accept-Encoding")
}

// containsTag reports whether lines contain a tag exactly as written.
func containsTag(lines []string, tag string) bool {
	weak := strings.HasPrefix(tag, "W/")
	for _, line := range lines {
		for before, rest, found := strings.Cut(line, tag); found; before, rest, found = strings.Cut(rest, tag) {
			if weak || !strings.HasSuffix(before, "W/") {
				return true
			}
		}
	}
	return false
}

// addVary adds a request field to Vary unless it is there.
func addVary(h http.Header, field string) {
	for _, line := range h["Vary"] {
		for said := range strings.SplitSeq(line, ",") {
			if said = strings.TrimSpace(said); said == "*" || strings.EqualFold(said, field) {
				return
			}
		}
	}
	h.Add("Vary", field)
}

func isEncodable(status int, h http.Header) bool {
	switch status {
	case http.StatusNoContent, http.StatusResetContent, http.StatusPartialContent:
		return false
	}
	if h.Get("Content-Encoding") != "" || forbidsTransform(h) {
		return false
	}
	if n, err := strconv.ParseInt(h.Get("Content-Length"), 10, 64); err == nil && n < asset.SmallestToCompress {
		return false
	}
	return isCompressible(h.Get("Content-Type"))
}

// isCompressible excludes event streams: events are short and each is flushed, so coding would make
// them longer.
func isCompressible(mediaType string) bool {
	return asset.Compressible(mediaType) && !asset.Is(mediaType, "text/event-stream")
}

// forbidsTransform reports whether Cache-Control has no-transform. Directives are compared without
// regard to case (RFC 9111, section 5.2).
func forbidsTransform(h http.Header) bool {
	for _, line := range h["Cache-Control"] {
		for directive := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(directive), "no-transform") {
				return true
			}
		}
	}
	return false
}

func (c *compressor) Write(p []byte) (n int, err error) {
	if !c.begun {
		c.WriteHeader(http.StatusOK)
	}
	if c.encoder == nil {
		return c.to.Write(p)
	}
	err = liveCoders.compute(func() error { n, err = c.encoder.Write(p); return err })
	return n, err
}

// FlushError is what http.ResponseController calls.
func (c *compressor) FlushError() error {
	if !c.begun {
		c.WriteHeader(http.StatusOK)
	}
	if c.encoder != nil {
		if err := liveCoders.compute(c.encoder.Flush); err != nil {
			return err
		}
	}
	return c.to.FlushError()
}

// Flush is for functions that ask for an http.Flusher.
func (c *compressor) Flush() { _ = c.FlushError() }

// close ends the body. It does not run when a function panics: a body that is cut off must not look
// whole.
func (c *compressor) close() {
	if !c.begun {
		c.WriteHeader(http.StatusOK)
	}
	if c.encoder == nil {
		return
	}
	_ = liveCoders.compute(c.encoder.Close) // an error here means that the client has disconnected
	c.release()
}

// release returns the encoder, also when the function has panicked.
func (c *compressor) release() {
	if c.encoder == nil {
		return
	}
	c.encoder.Reset(nil)
	encoders[c.coding].Put(c.encoder)
	c.encoder = nil
	liveCoders.leave()
}
