package edge

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"

	"github.com/anchor-deploy/anchor/internal/edge/asset"
)

// Functions are asked for identity and compressed here: OpenNext's streaming wrapper would do it inside of Node.js at
// brotli's highest quality, on the one thread that renders pages.

// Qualities for bodies that are compressed while the client waits.
const (
	liveBrotli = 4
	liveGzip   = 5
)

// encoder is one of the two libraries' writers.
type encoder interface {
	io.WriteCloser
	Flush() error
	Reset(io.Writer)
}

var encoders = map[string]*sync.Pool{
	asset.Brotli: {New: func() any { return brotli.NewWriterLevel(nil, liveBrotli) }},
	asset.Gzip: {New: func() any {
		w, _ := gzip.NewWriterLevel(nil, liveGzip) // fails for a level out of range only
		return w
	}},
}

// compressor encodes a function's answer if the client, the type and the size allow it. Flushes pass through, so that
// a stream stays one.
type compressor struct {
	to     *response
	coding string // what the client prefers: "br", "gzip" or ""
	head   bool

	begun   bool
	encoder encoder // nil: the body goes as it is
}

// compressed gives the request to call a function with, and the writer for its answer.
func compressed(res *response, r *http.Request) (*compressor, *http.Request) {
	c := &compressor{to: res, coding: asset.Coding(r.Header["Accept-Encoding"]), head: r.Method == http.MethodHead}
	r.Header["Accept-Encoding"] = identityOnly
	return c, r
}

var identityOnly = []string{"identity"}

func (c *compressor) Header() http.Header { return c.to.Header() }

// Unwrap lets http.ResponseController reach the connection's deadlines.
func (c *compressor) Unwrap() http.ResponseWriter { return c.to }

func (c *compressor) WriteHeader(status int) {
	if status >= http.StatusOK && !c.begun {
		c.begun = true
		c.begin(status, c.to.Header())
	}
	c.to.WriteHeader(status)
}

// begin decides. Whoever may get the answer in several codings is told by Vary, coded or not (RFC 9110, section 12.5.5).
func (c *compressor) begin(status int, h http.Header) {
	if h.Get("Content-Encoding") == "identity" {
		delete(h, "Content-Encoding") // no registered coding; OpenNext sends it
	}
	if !encodable(status, h) {
		return
	}
	h.Add("Vary", "Accept-Encoding")
	if c.coding == "" || c.head {
		return
	}
	h.Set("Content-Encoding", c.coding)
	delete(h, "Content-Length")
	delete(h, "Accept-Ranges")
	if tag := h.Get("Etag"); tag != "" && !strings.HasPrefix(tag, "W/") {
		h.Set("Etag", "W/"+tag) // the octets differ from those the tag was made for
	}
	c.encoder = encoders[c.coding].Get().(encoder)
	c.encoder.Reset(onlyWriter{c.to})
}

func encodable(status int, h http.Header) bool {
	switch status {
	case http.StatusNoContent, http.StatusNotModified, http.StatusPartialContent:
		return false
	}
	if h.Get("Content-Encoding") != "" || strings.Contains(h.Get("Cache-Control"), "no-transform") {
		return false
	}
	if n, err := strconv.ParseInt(h.Get("Content-Length"), 10, 64); err == nil && n < asset.SmallestToCompress {
		return false
	}
	// Events are short and each is flushed: coding them makes them longer.
	return asset.Compressible(h.Get("Content-Type")) && !strings.HasPrefix(h.Get("Content-Type"), "text/event-stream")
}

func (c *compressor) Write(p []byte) (int, error) {
	if !c.begun {
		c.WriteHeader(http.StatusOK)
	}
	if c.encoder == nil {
		return c.to.Write(p)
	}
	return c.encoder.Write(p)
}

// FlushError is what http.ResponseController calls.
func (c *compressor) FlushError() error {
	if !c.begun {
		c.WriteHeader(http.StatusOK)
	}
	if c.encoder != nil {
		if err := c.encoder.Flush(); err != nil {
			return err
		}
	}
	return c.to.FlushError()
}

// Flush is for functions that ask for an http.Flusher.
func (c *compressor) Flush() { _ = c.FlushError() }

// close ends the body. A function that panics never comes here: a body that is cut off must not look whole.
func (c *compressor) close() {
	if !c.begun {
		c.WriteHeader(http.StatusOK)
	}
	if c.encoder == nil {
		return
	}
	_ = c.encoder.Close() // nobody is left to tell of a client that went
	c.encoder.Reset(nil)
	encoders[c.coding].Put(c.encoder)
	c.encoder = nil
}
