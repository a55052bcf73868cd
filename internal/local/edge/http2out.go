package edge

import (
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"slices"
	"sync"
	"time"
)

// http2Out is what is sent to the client, and what both directions have to know of each other.
type http2Out struct {
	// wire is held by who writes to the session: by net/http from the first octet of a frame to the
	// last one.
	wire sync.Mutex

	mu     sync.Mutex
	held   []byte // of a frame of net/http that needs to be seen as a whole
	left   int    // octets of the payload of net/http's frame to come
	inside bool   // a header block of net/http continues in CONTINUATION
	holds  bool   // net/http holds wire
	inCall bool   // net/http is in Write
	begun  bool   // net/http has sent its SETTINGS, which are the first frame

	streams map[uint32]ended // those of net/http that are open
	known   uint32           // the last stream that net/http has answered
	last    uint32           // the last stream that was answered here
	leaving bool             // net/http has sent GOAWAY: new requests are not answered
	verdict uint32           // the error code instead of a FRAME_SIZE_ERROR
	failed  bool             // the GOAWAY has an error code

	// The client's window of the connection. theirs is what net/http believes it to be, grant is the part
	// of it that net/http has not been told of yet, and own is for hits.
	theirs, own, grant int64

	byLibrary  time.Time // net/http's read deadline
	due        time.Time // the read deadline
	woken      bool      // it is in the past because of a grant
	quietSince time.Time // when the last stream was closed

	pending      []byte // answers that wait for the wire
	pendingSites []*Site
	sending      int  // goroutines that write answers
	closing      bool // the last of them closes the connection
	flushing     bool
	dead         bool // closed
}

// ended is which sides have ended a stream.
type ended byte

const (
	endedByClient ended = 1 << iota
	endedByServer
)

// pendingMost is how many octets of answers may wait for the wire.
const pendingMost = 256 << 10

func (o *http2Out) init() {
	o.theirs, o.streams = firstWindow, map[uint32]ended{}
}

// Write passes net/http's frames on.
func (c *http2Conn) Write(p []byte) (int, error) {
	o := &c.out
	o.mu.Lock()
	if o.dead {
		o.mu.Unlock()
		return 0, net.ErrClosed
	}
	o.inCall = true
	holds := o.holds
	o.mu.Unlock()
	if !holds {
		o.wire.Lock()
	}
	o.mu.Lock()
	o.holds = true
	octets := o.follow(p)
	if o.balance() {
		_ = c.Conn.SetReadDeadline(longAgo) // Read continues with the grant
	}
	o.mu.Unlock()
	var err error
	if len(octets) > 0 {
		_, err = c.Conn.Write(octets)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.inCall = false
	if err != nil {
		c.release()
		return 0, err
	}
	if o.dead || o.left == 0 && !o.inside && len(o.held) == 0 {
		c.release()
	}
	return len(p), nil
}

// longAgo is a deadline that ends a Read.
var longAgo = time.Unix(1, 0)

// release returns the wire, and begins to send the answers that wait for it. It runs under mu.
func (c *http2Conn) release() {
	o := &c.out
	o.holds = false
	o.wire.Unlock()
	if len(o.pending) > 0 && o.begun && !o.flushing {
		c.startFlush()
	}
}

// follow notes what net/http sends, and returns what to send for it. It runs under mu.
func (o *http2Out) follow(p []byte) []byte {
	if len(o.held) > 0 {
		p = slices.Concat(o.held, p)
		o.held = nil
	}
	for at := 0; at < len(p); {
		if n := min(o.left, len(p)-at); n > 0 {
			o.left -= n
			at += n
			continue
		}
		rest := p[at:]
		var f frameHead
		if len(rest) >= frameHeadSize {
			f = parseFrameHead(rest)
		}
		if len(rest) < frameHeadSize || f.kind == frameGoAway && len(rest) < frameHeadSize+f.length {
			o.held = append([]byte(nil), rest...)
			return p[:at]
		}
		if f.kind == frameGoAway && f.length >= goAwaySize {
			frames := o.goAway(rest[:frameHeadSize+f.length])
			p = slices.Concat(p[:at], frames, rest[frameHeadSize+f.length:])
			at += len(frames)
			continue
		}
		o.note(f)
		o.left = f.length
		at += frameHeadSize
	}
	return p
}

// note takes the head of a frame from net/http.
func (o *http2Out) note(f frameHead) {
	switch f.kind {
	case frameSettings:
		o.begun = true
	case frameReset:
		o.remove(f.stream)
	case frameData:
		o.theirs -= int64(f.length)
	case frameHeaders, frameContinuation:
		o.known = max(o.known, f.stream)
		o.inside = !f.has(flagEndHeaders)
	}
	if (f.kind == frameData || f.kind == frameHeaders) && f.has(flagEndStream) {
		o.end(f.stream, endedByServer)
	}
}

// goAway returns a GOAWAY of net/http with the last stream that was answered on either side. Of those
// before it, the ones that net/http will not answer are refused, so that the client sends them again.
func (o *http2Out) goAway(frame []byte) []byte {
	o.leaving = true
	frame = append([]byte(nil), frame...)
	theirs := binary.BigEndian.Uint32(frame[frameHeadSize:]) & maskReserved
	last := max(theirs, o.last)
	binary.BigEndian.PutUint32(frame[frameHeadSize:], last)
	code := frame[frameHeadSize+4:]
	if o.verdict != 0 && binary.BigEndian.Uint32(code) == codeFrameSize {
		binary.BigEndian.PutUint32(code, o.verdict)
	}
	o.failed = binary.BigEndian.Uint32(code) != 0
	for id := range o.streams {
		if id <= theirs {
			continue
		}
		o.remove(id)
		if id <= last {
			frame = appendNumberFrame(frame, frameHead{kind: frameReset, stream: id}, codeRefusedStream)
		}
	}
	return frame
}

func (o *http2Out) setVerdict(code uint32) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.verdict = code
}

// openStream notes a stream of net/http's.
func (o *http2Out) openStream(id uint32, whole bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.leaving {
		return
	}
	o.streams[id] = 0
	if whole {
		o.streams[id] = endedByClient
	}
}

func (o *http2Out) isOpen(id uint32) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, ok := o.streams[id]
	return ok
}

// isKnown reports whether DATA of a closed stream is net/http's: it has seen that the stream was
// opened, or one after it, or it ignores all new ones.
func (o *http2Out) isKnown(id uint32) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return id <= o.known || o.leaving
}

func (o *http2Out) endStream(id uint32, by ended) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.end(id, by)
}

func (o *http2Out) closeStream(id uint32) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.remove(id)
}

// end runs under mu, and so does remove.
func (o *http2Out) end(id uint32, by ended) {
	state, ok := o.streams[id]
	if !ok {
		return
	}
	if state |= by; state == endedByClient|endedByServer {
		o.remove(id)
		return
	}
	o.streams[id] = state
}

func (o *http2Out) remove(id uint32) {
	delete(o.streams, id)
	if len(o.streams) == 0 {
		o.quietSince = time.Now()
	}
}

// appendWindow shares an increment of the connection's window: hits get up to a half of all, net/http
// the rest. It appends the frame for net/http.
func (o *http2Out) appendWindow(b []byte, increment uint32) []byte {
	f := frameHead{kind: frameWindowUpdate}
	o.mu.Lock()
	defer o.mu.Unlock()
	n := int64(increment)
	if n == 0 || o.theirs+o.own+n > mostWindow { // net/http makes an error of these
		if n > 0 {
			b = appendNumberFrame(b, f, mostWindow)
			n = mostWindow
		}
		return appendNumberFrame(b, f, uint32(n))
	}
	own := min(max((o.theirs+o.own+n)/2-o.own, 0), n)
	o.own += own
	if n -= own; n == 0 {
		return b
	}
	o.theirs += n
	return appendNumberFrame(b, f, uint32(n))
}

// balance moves a part of the window to net/http when that runs out of it, and reports whether Read
// has to be woken for it: a client may wait until all of its window is used before it opens it again. It runs
// under mu.
func (o *http2Out) balance() bool {
	if o.own == 0 || o.theirs >= max(o.own/2, maxFrameSize) {
		return false
	}
	n := o.own
	if n > firstWindow {
		n /= 2
	}
	o.own -= n
	o.theirs += n
	o.grant += n
	if o.woken {
		return false
	}
	o.woken = true
	return true
}

// appendGrant appends the frame by which net/http learns of its new part of the window.
func (o *http2Out) appendGrant(b []byte) []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.grant == 0 {
		return b
	}
	b = appendNumberFrame(b, frameHead{kind: frameWindowUpdate}, uint32(o.grant))
	o.grant = 0
	return b
}

// beforeRead restores the deadline after a grant, and reports whether there is another one to pass
// on first.
func (o *http2Out) beforeRead(session net.Conn, atFrame bool) (again bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.woken {
		o.woken = false
		_ = session.SetReadDeadline(o.due)
	}
	return atFrame && o.grant > 0
}

// reserve takes a place for an answer to a stream, with a body of n octets. It returns false if the
// request is net/http's.
func (o *http2Out) reserve(id uint32, n int64, batch int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.leaving || n > o.own || len(o.streams) >= maxStreams || len(o.pending)+batch > pendingMost {
		return false
	}
	o.own -= n
	o.last = id
	return true
}

// Close lets the answers under way reach the client first, and so does a GOAWAY with an error.
func (c *http2Conn) Close() error {
	if !c.beginClose() {
		return nil
	}
	return c.closeSession()
}

// beginClose reports whether the session can be closed now. If not, the last goroutine that writes answers closes it.
func (c *http2Conn) beginClose() bool {
	o := &c.out
	o.mu.Lock()
	defer o.mu.Unlock()
	o.dead = true
	if o.holds && !o.inCall { // the rest of the frame does not come
		o.pending = nil
		o.holds = false
		o.wire.Unlock()
	}
	if !o.flushing {
		c.leaveSites(o.pendingSites)
		o.pending, o.pendingSites = nil, nil
	}
	o.closing = o.sending > 0 && !c.hits.edge.cutting.Load()
	return !o.closing
}

// closeSession closes the session. After an error nobody has read on: with octets left unread, the system would reset
// the connection and drop what the client has not received yet, as GOAWAY (RFC 9113, section 5.4.1).
func (c *http2Conn) closeSession() error {
	c.out.mu.Lock()
	failed := c.out.failed
	c.out.mu.Unlock()
	if session, ok := c.Conn.(*tls.Conn); failed && ok && !c.hits.edge.cutting.Load() && session.CloseWrite() == nil {
		_ = session.SetReadDeadline(time.Now().Add(linger))
		_, _ = io.CopyN(io.Discard, session.NetConn(), maxLeftover)
	}
	return c.Conn.Close()
}

// sent ends the writing of answers.
func (c *http2Conn) sent() {
	o := &c.out
	c.hits.edge.hitsInFlight.Add(-1)
	o.mu.Lock()
	o.sending--
	last := o.sending == 0 && o.closing
	o.mu.Unlock()
	if last {
		_ = c.closeSession()
	}
}
