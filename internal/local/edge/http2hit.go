package edge

import (
	"net"
	"sync"
	"time"
)

// Fields of HPACK's static table (RFC 7541, appendix A).
const (
	block200 = 0x80 | 8
	block304 = 0x80 | 11
)

// answer answers the request of the last header block if it is a hit, and reports whether it was. The
// answer waits in the batch.
func (c *http2Conn) answer() bool {
	in, e := &c.in, c.hits.edge
	if in.smallTable {
		return false
	}
	r, ok := in.plainRequest()
	if !ok {
		return false
	}
	h, ok := e.findHit(&c.hits, &r)
	if !ok || int64(len(h.file.Body)) > in.window {
		return false
	}
	if in.tally.began.IsZero() {
		in.tally.began = time.Now()
	}
	if in.batch == nil {
		in.batch = *batches.Get().(*[]byte)
	}
	whole := len(in.batch)
	in.appendHit(&h)
	if !c.out.reserve(in.head.stream, int64(len(h.file.Body)), len(in.batch)) {
		in.batch = in.batch[:whole]
		return false
	}
	e.inFlight.Add(1)
	h.site.enter()
	in.sites = append(in.sites, h.site)
	in.tally.add(&c.hits, &h, &r)
	return true
}

// appendHit appends HEADERS and DATA.
func (in *http2In) appendHit(h *hit) {
	head := frameHead{kind: frameHeaders, flags: flagEndHeaders, stream: in.head.stream}
	body := h.file.Body
	if len(body) == 0 {
		head.flags |= flagEndStream
	}
	start := len(in.batch)
	b := appendFrameHead(in.batch, head)
	if h.file.Unchanged {
		b = append(b, block304)
	} else {
		b = append(b, block200)
	}
	b = append(b, h.file.Block...)
	b = appendFieldLines(b, h.hsts)
	b = appendFieldLines(b, h.alt)
	if h.tail == nil {
		b = append(b, dateAt(in.tally.began).block...)
	} else {
		b = appendFieldLines(b, h.tail)
	}
	head.length = len(b) - start - frameHeadSize
	appendFrameHead(b[:start], head)
	for len(body) > 0 {
		part := body[:min(len(body), maxFrameSize)]
		body = body[len(part):]
		data := frameHead{kind: frameData, stream: head.stream}
		if len(body) == 0 {
			data.flags = flagEndStream
		}
		b = appendFrame(b, data, part)
	}
	in.batch = b
}

// flushHits sends the batch: from here, if net/http has no stream open. Else another goroutine sends
// it, so that a client that does not read its answers can still send a body.
func (c *http2Conn) flushHits() error {
	in, o := &c.in, &c.out
	if len(in.batch) == 0 {
		return nil
	}
	batch, sites := in.batch, in.sites
	o.mu.Lock()
	if o.dead {
		o.mu.Unlock()
		c.leaveSites(sites)
		in.batch, in.sites = nil, nil
		return net.ErrClosed
	}
	var err error
	if o.begun && len(o.streams) == 0 && !o.flushing && o.wire.TryLock() {
		o.sending++
		o.mu.Unlock()
		c.hits.edge.hitsInFlight.Add(1)
		_, err = c.Conn.Write(batch)
		o.wire.Unlock()
		c.leaveSites(sites)
		c.sent()
	} else {
		o.pending = append(o.pending, batch...)
		o.pendingSites = append(o.pendingSites, sites...)
		if o.begun && !o.flushing {
			c.startFlush()
		}
		o.mu.Unlock()
	}
	if !in.tally.began.IsZero() {
		in.lastRequest = in.tally.end()
		in.tally.flush(in.lastRequest)
		in.tally.began = time.Time{}
	}
	clear(sites)
	batch = batch[:0]
	batches.Put(&batch)
	in.batch, in.sites = nil, sites[:0]
	return err
}

// batches are buffers for answers: few of the connections send some at a time.
var batches = sync.Pool{New: func() any { return new([]byte) }}

// leaveSites ends the requests of a batch.
func (c *http2Conn) leaveSites(sites []*Site) {
	for _, site := range sites {
		site.leave()
	}
	c.hits.edge.inFlight.Add(-int64(len(sites)))
}

// startFlush runs under mu.
func (c *http2Conn) startFlush() {
	c.out.flushing = true
	c.out.sending++
	c.hits.edge.hitsInFlight.Add(1)
	go c.flushPending()
}

// flushPending sends the answers that wait for the wire.
func (c *http2Conn) flushPending() {
	o := &c.out
	defer c.sent()
	for {
		o.wire.Lock()
		o.mu.Lock()
		octets, sites := o.pending, o.pendingSites
		o.pending, o.pendingSites = nil, nil
		if len(octets) == 0 {
			o.flushing = false
			o.mu.Unlock()
			o.wire.Unlock()
			c.leaveSites(sites)
			return
		}
		o.mu.Unlock()
		_, err := c.Conn.Write(octets)
		o.wire.Unlock()
		c.leaveSites(sites)
		if err != nil {
			c.abandon()
			return
		}
	}
}

// abandon ends a connection to which an answer could not be written.
func (c *http2Conn) abandon() {
	o := &c.out
	o.mu.Lock()
	c.leaveSites(o.pendingSites)
	o.pending, o.pendingSites, o.flushing, o.dead = nil, nil, false, true
	o.mu.Unlock()
	_ = c.Conn.Close()
}
