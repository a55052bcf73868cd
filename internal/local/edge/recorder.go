package edge

import (
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/anchor-deploy/anchor/internal/local/edge/cache"
)

// recorder passes a function's answer on to the client, and keeps it for the cache if it may be
// shared. As soon as the header says that it may not, those who wait for it go on.
type recorder struct {
	*exchange
	flight *cache.Flight
	stale  *cache.Entry // the stored response that is validated; nil for none
	to     http.ResponseWriter
	header http.Header
	late   http.Header // what the function sets after the header: trailers

	status   int // 0 until the final header
	declared cache.Declared
	life     cache.Lifetime
	trace    trace
	received time.Time
	keep     bool
	body     []byte
	held     int64 // octets reserved in the store

	silent    bool // the client does not get the body
	confirmed bool // the function confirmed the stale response
	failed    bool // the stale response is sent instead of an error
}

func (x *exchange) newRecorder(flight *cache.Flight, stale *cache.Entry, to http.ResponseWriter) *recorder {
	return &recorder{
		exchange: x, flight: flight, stale: stale, to: to, header: http.Header{},
		declared: x.site.declared(x.target, x.r.URL),
	}
}

// Header implements http.ResponseWriter. The function has no access to what is stored.
func (c *recorder) Header() http.Header {
	if c.status == 0 {
		return c.header
	}
	if c.late == nil {
		c.late = http.Header{}
	}
	return c.late
}

// Unwrap lets http.ResponseController reach the connection.
func (c *recorder) Unwrap() http.ResponseWriter { return c.to }

func (c *recorder) WriteHeader(status int) {
	if c.status != 0 {
		return
	}
	if status < http.StatusOK {
		maps.Copy(c.to.Header(), c.header)
		c.to.WriteHeader(status)
		return
	}
	c.status, c.received = status, c.edge.now()
	c.header = c.header.Clone() // the function may hold the one that it filled
	c.trace = takeTrace(c.header, c.target.bare)
	if c.replaces(status) {
		return
	}
	life, why := judge(status, c.header, c.declared, c.received)
	c.life, c.keep = life, why == ""
	if !c.keep {
		c.refuseToShare(status)
	}
	c.forward(status, why)
}

// replaces reports whether the client gets the stale response in the place of this one.
func (c *recorder) replaces(status int) bool {
	if c.stale == nil {
		return false
	}
	switch {
	case status == http.StatusNotModified:
		c.confirmed = true
	case status >= http.StatusInternalServerError && c.stale.ServesErrors(c.received):
		c.failed = true
	}
	c.silent = c.confirmed || c.failed
	return c.silent
}

// forward sends the header to the client, as a 304 if its preconditions say so.
func (c *recorder) forward(status int, why cache.Reason) {
	forward := cache.ForwardMiss
	if c.stale != nil {
		forward = cache.ForwardStale
	}
	c.res.caching = cache.Status{Forward: forward, Stored: c.keep, Detail: string(why)}.String()
	maps.Copy(c.to.Header(), c.header)
	if status == http.StatusOK && cache.NotModified(c.r.Header, c.header) {
		c.silent, status = true, http.StatusNotModified
	}
	c.to.WriteHeader(status)
}

func (c *recorder) refuseToShare(status int) {
	c.keep = false
	c.release()
	if status < http.StatusInternalServerError {
		c.found.Pass(c.received)
	}
	c.flight.End(cache.NotShared, nil)
}

func (c *recorder) Write(p []byte) (int, error) {
	c.WriteHeader(http.StatusOK)
	if c.keep {
		c.record(p)
	}
	if c.silent {
		return len(p), nil
	}
	return c.to.Write(p)
}

func (c *recorder) record(p []byte) {
	if !c.site.Cache.Store().Reserve(c.held, int64(len(p))) {
		c.refuseToShare(c.status)
		return
	}
	c.held += int64(len(p))
	c.body = append(c.body, p...)
}

func (c *recorder) release() {
	c.site.Cache.Store().Release(c.held)
	c.held, c.body = 0, nil
}

// FlushError is what http.ResponseController calls.
func (c *recorder) FlushError() error {
	c.WriteHeader(http.StatusOK)
	if c.silent {
		return nil
	}
	return http.NewResponseController(c.to).Flush()
}

// Flush is for functions that ask for an http.Flusher.
func (c *recorder) Flush() { _ = c.FlushError() }

// finish stores a complete answer. It returns the response that the client gets; nil if it has one.
func (c *recorder) finish() *cache.Entry {
	c.WriteHeader(http.StatusOK)
	c.forwardTrailers()
	switch {
	case c.confirmed:
		return c.confirm()
	case c.failed:
		c.flight.End(cache.Done, c.stale)
		return c.stale
	case c.keep && c.isWhole():
		c.store()
	}
	return nil
}

// forwardTrailers passes trailers on, which a worker sends with http.TrailerPrefix, as it knows their names only at the end. They are
// not stored, which RFC 9111, section 3.1, leaves open.
func (c *recorder) forwardTrailers() {
	if c.silent {
		return
	}
	for name, values := range c.late {
		if strings.HasPrefix(name, http.TrailerPrefix) {
			c.to.Header()[name] = values
		}
	}
}

// isWhole reports whether the body has the length that the header declares.
func (c *recorder) isWhole() bool {
	length := c.header.Get("Content-Length")
	return length == "" || length == strconv.Itoa(len(c.body))
}

func (c *recorder) store() {
	h := c.header
	dropHopByHop(h) // RFC 9111, section 3.1
	c.setDate(h)
	body := c.body
	if cap(body)-len(body) > len(body)/4 { // append has doubled it
		body = append(make([]byte, 0, len(body)), body...)
	}
	entry, stored := c.found.Put(cache.Response{
		Status: c.status, Header: h, Body: body, Lifetime: c.life, Sequence: c.flight.Sequence(), Received: c.received,
		Tags: c.trace.tags, Traced: c.trace.complete, Keyed: c.trace.keyed,
		// Once: an app that does not keep the page would render it each time.
		Untold: c.trace.rendered && (c.stale == nil || !c.stale.IsUntold()),
	})
	if !stored {
		entry = nil
	}
	c.release()
	c.flight.End(cache.Done, entry)
}

// confirm refreshes the stale response by the header of the 304 (RFC 9111, section 4.3.4).
func (c *recorder) confirm() *cache.Entry {
	h := cache.Updated(c.stale.Header, c.header)
	c.setDate(h)
	life, why := judge(c.stale.Status, h, c.declared, c.received)
	if why != "" {
		// The client gets what was confirmed, and nobody else.
		entry := c.found.Unstored(c.stale, h, c.received)
		c.refuseToShare(c.status)
		return entry
	}
	entry, stored := c.found.Put(cache.Response{
		Status: c.stale.Status, Header: h, Body: c.stale.Body, Lifetime: life, Sequence: c.flight.Sequence(), Received: c.received,
		Tags: c.trace.tags, Traced: c.trace.complete, Keyed: c.trace.keyed,
	})
	if stored {
		c.flight.End(cache.Done, entry)
	} else {
		c.flight.End(cache.Done, nil)
	}
	return entry
}

// setDate adds the Date that a function does not set (RFC 9110, section 6.6.1).
func (c *recorder) setDate(h http.Header) {
	if len(h["Date"]) == 0 {
		h["Date"] = []string{c.received.UTC().Format(http.TimeFormat)}
	}
}

// abandon ends the flight of a function that panicked, or whose answer is not stored.
func (c *recorder) abandon() {
	c.release()
	c.flight.End(cache.Done, nil)
}
