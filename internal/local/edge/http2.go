package edge

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"time"
)

// http2Conn is what net/http reads HTTP/2 from: a TLS session whose hits are answered inside Read, as
// http1Conn does for HTTP/1.1. It follows the frames of both directions (RFC 9113, section 6).
//
// The requests that are not hits reach net/http with their header blocks encoded again, because both
// cannot follow the dynamic table of HPACK. What net/http sends goes out as it is, except for
// GOAWAY. An answer of the edge's own uses no dynamic table and stands between two of net/http's frames.
//
// A hit is answered at once and as a whole, or it is net/http's. So no stream of the edge's own is ever
// open, and net/http counts and limits all that are.
type http2Conn struct {
	net.Conn // the session
	hits     hitConn
	in       http2In
	out      http2Out
}

func newHTTP2Conn(session *tls.Conn, e *Edge, serverName string) *http2Conn {
	c := &http2Conn{Conn: session, hits: hitConn{
		edge: e, protocol: "HTTP/2.0", addr: session.RemoteAddr(), secure: true, serverName: serverName,
	}}
	c.in.init(e.cfg.MaxHeaderBytes)
	c.out.init()
	return c
}

// session returns the state of the TLS session.
func (c *http2Conn) session() *tls.ConnectionState {
	state := c.Conn.(*tls.Conn).ConnectionState()
	return &state
}

// Read answers hits. It returns all other frames, for net/http.
func (c *http2Conn) Read(p []byte) (int, error) {
	in := &c.in
	for len(p) > 0 {
		if n := in.take(p); n > 0 {
			return n, nil
		}
		if in.atFrame() {
			in.ready = c.out.appendGrant(in.store[:0])
			c.translate()
			if in.store = in.ready[:0]; cap(in.store) > bufferSize {
				in.store = nil
			}
			if err := c.flushHits(); err != nil {
				return 0, err
			}
			if in.hasOctets() {
				continue
			}
		}
		n, err := c.receive(p)
		if n > 0 || err != nil {
			return n, err
		}
	}
	return 0, nil
}

// receive reads from the session: the payload that net/http waits for into p, all else into the
// buffer.
func (c *http2Conn) receive(p []byte) (int, error) {
	in := &c.in
	if c.out.beforeRead(c.Conn, in.atFrame()) {
		return 0, nil
	}
	to := p[:min(len(p), in.pass)]
	direct := in.pass >= smallRead && len(to) >= smallRead
	if !direct {
		to = in.room()
	}
	n, err := c.Conn.Read(to)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = c.timeOut(err)
	}
	if direct {
		in.pass -= n
		return n, err
	}
	in.w += n
	if n > 0 {
		err = nil // it comes again
	}
	return 0, err
}

// smallRead is the length from which octets are read to where net/http wants them.
const smallRead = 512

// timeOut returns nil if the session is to be read again.
func (c *http2Conn) timeOut(err error) error {
	now, idle := time.Now(), c.hits.edge.cfg.IdleTimeout
	o := &c.out
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.woken: // by a grant
		return nil
	case !o.byLibrary.IsZero():
		if now.Before(o.byLibrary) {
			return nil
		}
		return err
	}
	o.due = now.Add(idle)
	if len(o.streams) == 0 {
		o.due = latest(c.in.lastRequest, o.quietSince).Add(idle)
	}
	if o.due.Before(now) {
		if !c.in.atFrame() {
			return err
		}
		// net/http answers it with a GOAWAY of its own, and closes the connection soon after.
		c.in.ready = appendFrame(c.in.ready, frameHead{kind: frameGoAway}, make([]byte, 8))
		o.due = time.Time{}
	}
	return errors.Join(c.Conn.SetReadDeadline(o.due))
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// SetReadDeadline is for the time until net/http has read the client's preface. Then it sets none,
// and the edge limits how long a connection may be idle: net/http would not see the requests that were
// hits.
func (c *http2Conn) SetReadDeadline(t time.Time) error {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	c.out.byLibrary, c.out.due = t, t
	if t.IsZero() {
		c.out.quietSince = time.Now()
		c.out.due = c.out.quietSince.Add(c.hits.edge.cfg.IdleTimeout)
	}
	return c.Conn.SetReadDeadline(c.out.due)
}

// SetDeadline sets both deadlines.
func (c *http2Conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// Frame types of RFC 9113, section 6.
const (
	frameData         = 0x0
	frameHeaders      = 0x1
	framePriority     = 0x2
	frameReset        = 0x3
	frameSettings     = 0x4
	framePing         = 0x6
	frameGoAway       = 0x7
	frameWindowUpdate = 0x8
	frameContinuation = 0x9
)

const (
	flagEndStream   = 0x01
	flagAck         = 0x01
	flagEndHeaders  = 0x04
	flagPadded      = 0x08
	flagHasPriority = 0x20
)

// Error codes of RFC 9113, section 7.
const (
	codeProtocol        = 0x1
	codeStreamClosed    = 0x5
	codeFrameSize       = 0x6
	codeRefusedStream   = 0x7
	codeCompression     = 0x9
	codeEnhanceYourCalm = 0xb
)

const (
	frameHeadSize  = 9
	prefaceSize    = 24
	maxFrameSize   = 16 << 10 // of both sides: what every peer accepts
	firstWindow    = 65535    // of a connection and of a stream
	mostWindow     = 1<<31 - 1
	maskReserved   = 1<<31 - 1
	prioritySize   = 5
	settingSize    = 6
	goAwaySize     = 8
	settingTable   = 0x1 // SETTINGS_HEADER_TABLE_SIZE
	settingWindow  = 0x4 // SETTINGS_INITIAL_WINDOW_SIZE
	firstTableSize = 4096
)

// frameHead is what stands before the payload of a frame (RFC 9113, section 4.1).
type frameHead struct {
	length      int
	kind, flags byte
	stream      uint32
}

func parseFrameHead(b []byte) frameHead {
	return frameHead{
		length: int(b[0])<<16 | int(b[1])<<8 | int(b[2]), kind: b[3], flags: b[4],
		stream: binary.BigEndian.Uint32(b[5:]) & maskReserved,
	}
}

func (f frameHead) has(flag byte) bool { return f.flags&flag != 0 }

func appendFrameHead(b []byte, f frameHead) []byte {
	b = append(b, byte(f.length>>16), byte(f.length>>8), byte(f.length), f.kind, f.flags)
	return binary.BigEndian.AppendUint32(b, f.stream)
}

func appendFrame(b []byte, f frameHead, payload []byte) []byte {
	f.length = len(payload)
	return append(appendFrameHead(b, f), payload...)
}

func appendNumberFrame(b []byte, f frameHead, number uint32) []byte {
	f.length = 4
	return binary.BigEndian.AppendUint32(appendFrameHead(b, f), number)
}
