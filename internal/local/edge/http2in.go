package edge

import (
	"encoding/binary"
	"time"

	"golang.org/x/net/http2/hpack"
)

// http2In is what the client sends. Only the goroutine in which net/http reads uses it.
type http2In struct {
	buf  []byte // of which r:w was not read yet
	r, w int

	ready, store []byte // for net/http, and the array of it
	preface      int    // octets of the preface to come
	pass         int    // octets of a payload to come that are for net/http
	drop         int    // octets of a payload to come that are for nobody
	raw          bool   // net/http gets the rest as it is, because it ends the connection
	deaf         bool   // nobody gets the rest

	settled     bool   // the client has sent SETTINGS
	smallTable  bool   // the client limits the dynamic table: only one encoder can follow that
	window      int64  // of a new stream
	opened      uint32 // the last stream that the client has opened
	lastRequest time.Time
	strays      strays

	decoder  *hpack.Decoder
	limit    uint32 // of a header list (RFC 9113, section 10.5.1)
	fields   []hpack.HeaderField
	size     uint32
	tooLarge bool

	open      bool // a header block continues in CONTINUATION
	head      frameHead
	priority  []byte // of the block; nil for none
	fragments []byte
	frames    int
	encoded   []byte

	batch []byte // the answers to send
	sites []*Site
	tally hitTally
}

const (
	bufferSize = 4 << 10
	// readyMost is how much net/http gets before more frames are translated: a block of a few octets
	// can be of many when it is decoded.
	readyMost = 16 << 10
	// batchMost is how much is sent at a time.
	batchMost = 128 << 10
	// mostFrames is how many frames a header block may have.
	mostFrames = 128
)

func (in *http2In) init(maxHeaderBytes int) {
	in.preface, in.window = prefaceSize, firstWindow
	in.limit = uint32(maxHeaderBytes) + 10*32 // as net/http computes it
	in.decoder = hpack.NewDecoder(firstTableSize, in.keepField)
	in.decoder.SetMaxStringLength(int(in.limit))
}

// take moves octets for net/http to p.
func (in *http2In) take(p []byte) int {
	if len(in.ready) > 0 {
		n := copy(p, in.ready)
		in.ready = in.ready[n:]
		return n
	}
	n := copy(p[:min(len(p), in.pass)], in.buf[in.r:in.w])
	in.r += n
	in.pass -= n
	return n
}

// atFrame reports whether net/http waits for a frame, and not for the rest of one.
func (in *http2In) atFrame() bool { return in.pass == 0 && len(in.ready) == 0 }

func (in *http2In) hasOctets() bool { return len(in.ready) > 0 || in.pass > 0 && in.r < in.w }

// room returns where the session is read to. A buffer that is full has a frame without its end.
func (in *http2In) room() []byte {
	switch {
	case in.r == in.w && len(in.buf) != bufferSize:
		in.buf = make([]byte, bufferSize)
		in.r, in.w = 0, 0
	case in.r == in.w:
		in.r, in.w = 0, 0
	case in.r > 0:
		in.w = copy(in.buf, in.buf[in.r:in.w])
		in.r = 0
	case in.w == len(in.buf):
		larger := make([]byte, frameHeadSize+maxFrameSize)
		copy(larger, in.buf)
		in.buf = larger
	}
	return in.buf[in.w:]
}

// translate answers the frames in the buffer or makes them ready for net/http.
func (c *http2Conn) translate() {
	in := &c.in
	for in.pass == 0 && len(in.ready) < readyMost && len(in.batch) < batchMost {
		b := in.buf[in.r:in.w]
		if n := min(in.drop, len(b)); n > 0 {
			in.drop -= n
			in.r += n
			continue
		}
		switch {
		case in.deaf:
			in.r = in.w
			return
		case in.preface > 0:
			in.preface -= in.passOctets(min(len(b), in.preface))
			if in.preface > 0 {
				return
			}
			continue
		case in.raw:
			in.passOctets(len(b))
			return
		case len(b) < frameHeadSize:
			return
		}
		f := parseFrameHead(b)
		if isWhole := f.length <= maxFrameSize && f.kind != frameData; isWhole && len(b) < frameHeadSize+f.length {
			return
		}
		c.frame(f, b)
	}
}

// frame takes a frame at the front of b. If it is not DATA or too long for net/http, all of it is
// there.
func (c *http2Conn) frame(f frameHead, b []byte) {
	in := &c.in
	if in.open && (f.kind != frameContinuation || f.stream != in.head.stream) {
		c.fail(codeProtocol)
		return
	}
	if f.length > maxFrameSize || !in.settled && f.kind != frameSettings {
		in.raw = true
		return
	}
	if f.kind == frameData {
		c.data(f, b)
		return
	}
	payload := b[frameHeadSize : frameHeadSize+f.length]
	switch f.kind {
	case frameHeaders:
		c.headers(f, payload)
	case frameContinuation:
		c.continuation(f, payload)
	case frameSettings:
		in.settings(f, payload)
		in.passWhole(f, payload)
	case frameWindowUpdate:
		if f.stream == 0 && f.length == 4 {
			in.ready = c.out.appendWindow(in.ready, binary.BigEndian.Uint32(payload)&maskReserved)
		} else if f.length != 4 || binary.BigEndian.Uint32(payload)&maskReserved == 0 || !c.isClosed(f.stream) {
			in.passWhole(f, payload)
		}
	case framePriority:
		if f.length != prioritySize || binary.BigEndian.Uint32(payload)&maskReserved == f.stream || !c.isClosed(f.stream) {
			in.passWhole(f, payload)
		}
	case frameReset:
		if f.length != 4 || !c.isClosed(f.stream) {
			c.out.closeStream(f.stream)
			in.passWhole(f, payload)
		} else if !in.strays.allow() {
			c.fail(codeEnhanceYourCalm)
			return
		}
	default:
		in.passWhole(f, payload)
	}
	if !in.deaf {
		in.r += frameHeadSize + f.length
	}
}

// isClosed reports whether a stream was answered here, or is one that net/http has done with: it
// would take one that it does not know for one that was never opened.
func (c *http2Conn) isClosed(stream uint32) bool {
	return stream != 0 && stream <= c.in.opened && !c.out.isOpen(stream)
}

// passWhole passes a frame to net/http.
func (in *http2In) passWhole(f frameHead, payload []byte) {
	in.ready = appendFrame(in.ready, f, payload)
}

// passOctets passes n octets of the buffer.
func (in *http2In) passOctets(n int) int {
	in.ready = append(in.ready, in.buf[in.r:in.r+n]...)
	in.r += n
	return n
}

// fail makes net/http end the connection with an error code.
func (c *http2Conn) fail(code uint32) {
	c.out.setVerdict(code)
	c.in.ready = appendFrameHead(c.in.ready, frameHead{kind: framePing}) // which is a FRAME_SIZE_ERROR without its octets
	c.in.deaf = true
}

// data passes the frame on as it comes, unless net/http does not know its stream: then the client is
// told that the stream is closed, and gets back what the frame took of the connection's window.
func (c *http2Conn) data(f frameHead, b []byte) {
	in := &c.in
	if c.isClosed(f.stream) && !c.out.isKnown(f.stream) {
		if !in.strays.allow() {
			c.fail(codeEnhanceYourCalm)
			return
		}
		in.drop = f.length
		in.batch = appendNumberFrame(in.batch, frameHead{kind: frameReset, stream: f.stream}, codeStreamClosed)
		if f.length > 0 {
			in.batch = appendNumberFrame(in.batch, frameHead{kind: frameWindowUpdate}, uint32(f.length))
		}
	} else {
		in.ready = append(in.ready, b[:frameHeadSize]...)
		in.pass = f.length
		if f.has(flagEndStream) {
			c.out.endStream(f.stream, endedByClient)
		}
	}
	in.r += frameHeadSize
}

// settings notes the settings that concern an answer. net/http judges them.
func (in *http2In) settings(f frameHead, payload []byte) {
	in.settled = true
	if f.has(flagAck) {
		return
	}
	for ; len(payload) >= settingSize; payload = payload[settingSize:] {
		value := binary.BigEndian.Uint32(payload[2:])
		switch binary.BigEndian.Uint16(payload) {
		case settingTable:
			in.smallTable = in.smallTable || value < firstTableSize
		case settingWindow:
			in.window = int64(value)
		}
	}
}

// strays counts the frames for streams that were answered here. Like nghttp2, it allows a thousand
// at a time and 33 in a second: a client that opens streams and resets them has work done for nothing
// (CVE-2023-44487).
type strays struct {
	spent float64
	since time.Time
}

const (
	straysAtATime = 1000
	straysASecond = 33
)

func (s *strays) allow() bool {
	now := time.Now()
	s.spent = max(s.spent-now.Sub(s.since).Seconds()*straysASecond, 0) + 1
	s.since = now
	return s.spent <= straysAtATime
}
