package worker

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// Kinds of frames. A message, which is a request or its answer, consists of one head, any number of
// pieces of data, and one end; a request without a body is its head alone.
const (
	frameHead   = 1
	frameData   = 2
	frameEnd    = 3 // the message is complete; the payload of an answer's has its trailers, if any
	frameBroken = 4 // the message will not be completed
	frameInvoke = 5 // head of a request whose body is a raw event
)

const (
	frameHeaderSize = 9
	maxHead         = 1 << 20 // octets of a message's head
	maxFrameData    = 16 << 20
)

// frameHeader begins each frame on the connection between a pool and a process: kind (1 octet),
// number of the exchange (4) and length of the payload (4), big-endian. bootstrap/frame.mjs has the
// other end.
//
// The bootstrap ends an answer with a frame, and each frame names its exchange. This keeps the
// octets of one answer out of every other one, whatever an app writes.
type frameHeader struct {
	kind   byte
	number uint32
	length uint32
}

func (h frameHeader) put(b []byte) {
	b[0] = h.kind
	binary.BigEndian.PutUint32(b[1:], h.number)
	binary.BigEndian.PutUint32(b[5:], h.length)
}

// errBroken reports an answer that the process began and cannot complete.
var errBroken = errors.New("the app ended its response early")

// messageReader reads the answer of one exchange.
type messageReader struct {
	r      *bufio.Reader
	number uint32
	left   uint32 // octets of the present data frame
	ended  bool
	// trailer has the trailers of an answer that has ended, or is nil.
	trailer http.Header
}

// readHead reads the payload of the frame that begins the answer.
func (m *messageReader) readHead() ([]byte, error) {
	h, err := m.next()
	switch {
	case err != nil:
		return nil, err
	case h.kind == frameBroken:
		return nil, errBroken
	case h.kind != frameHead:
		return nil, fmt.Errorf("the answer begins with a frame of kind %d", h.kind)
	case h.length > maxHead:
		return nil, fmt.Errorf("the answer's head has %d octets, more than %d", h.length, maxHead)
	}
	return m.readPayload(h)
}

func (m *messageReader) readPayload(h frameHeader) ([]byte, error) {
	payload := make([]byte, h.length)
	if _, err := io.ReadFull(m.r, payload); err != nil {
		return nil, cutShort(err)
	}
	return payload, nil
}

// Read reads the body. It returns io.EOF only after the frame that marks the answer as complete.
func (m *messageReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for m.left == 0 {
		if err := m.nextFrame(); err != nil {
			return 0, err
		}
	}
	n, err := m.r.Read(p[:min(len(p), int(m.left))])
	m.left -= uint32(n)
	if err != nil {
		return n, cutShort(err)
	}
	if m.left == 0 && m.endIsNext() {
		return n, m.nextFrame()
	}
	return n, nil
}

// nextFrame reads the next frame of the body: m.left has its length, or the error reports how the
// answer ended.
func (m *messageReader) nextFrame() error {
	if m.ended {
		return io.EOF
	}
	h, err := m.next()
	switch {
	case err != nil:
		return err
	case h.kind == frameData && h.length <= maxFrameData:
		m.left = h.length
		return nil
	case h.kind == frameEnd && h.length <= maxHead:
		if err := m.readTrailer(h); err != nil {
			return err
		}
		m.ended = true
		return io.EOF
	case h.kind == frameBroken:
		return errBroken
	}
	return fmt.Errorf("a frame of kind %d with %d octets within an answer", h.kind, h.length)
}

func (m *messageReader) readTrailer(h frameHeader) error {
	if h.length == 0 {
		return nil
	}
	payload, err := m.readPayload(h)
	if err != nil {
		return err
	}
	m.trailer, err = parseTrailer(payload)
	return err
}

// next reads a frame's header and refuses that of another exchange.
func (m *messageReader) next() (frameHeader, error) {
	b, err := m.r.Peek(frameHeaderSize)
	if err != nil {
		return frameHeader{}, cutShort(err)
	}
	h := frameHeader{b[0], binary.BigEndian.Uint32(b[1:]), binary.BigEndian.Uint32(b[5:])}
	_, _ = m.r.Discard(frameHeaderSize) // all of it is buffered
	if h.number != m.number {
		return h, fmt.Errorf("a frame of exchange %d within exchange %d", h.number, m.number)
	}
	return h, nil
}

// hasArrived reports whether Read returns something without waiting for the process.
func (m *messageReader) hasArrived() bool {
	buffered := m.r.Buffered()
	switch {
	case m.ended:
		return true
	case m.left > 0:
		return buffered > 0
	case buffered < frameHeaderSize:
		return false
	}
	b, err := m.r.Peek(1)
	return err == nil && (b[0] != frameData || buffered > frameHeaderSize)
}

// endIsNext reports whether the end has arrived together with the data before it, so that one read
// can report both.
func (m *messageReader) endIsNext() bool {
	buffered := m.r.Buffered()
	if buffered < frameHeaderSize {
		return false
	}
	b, err := m.r.Peek(frameHeaderSize)
	return err == nil && b[0] == frameEnd && uint64(buffered-frameHeaderSize) >= uint64(binary.BigEndian.Uint32(b[5:]))
}

func cutShort(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
