package worker

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	maxIdle   = 256 // connections kept open to one process
	hopBuffer = 32 << 10
)

// past is a deadline that ends what waits on a connection.
var past = time.Unix(1, 0)

// hop carries requests to one process over connections with one exchange at a time. The connections
// stay open: neither side times them out, so none is closed under a request.
type hop struct {
	socket string

	mu     sync.Mutex
	idle   []*hopConn
	closed bool
}

func newHop(socket string) *hop { return &hop{socket: socket} }

// exchangeMessages sends a request and returns the head of its answer and the body, which the caller
// closes. The end of ctx closes the connection, which the app takes for the client's departure.
// body is read on another goroutine, perhaps until after the answer has ended; an error of its Read
// ends the exchange.
func (h *hop) exchangeMessages(ctx context.Context, head *requestHead, body io.Reader) (answerHead, *hopBody, error) {
	c, err := h.takeConn(ctx)
	if err != nil {
		return answerHead{}, nil, err
	}
	x := &hopBody{hop: h, conn: c}
	x.release = context.AfterFunc(ctx, func() { c.SetDeadline(past) })
	answer, err := x.beginExchange(head, body)
	if err != nil {
		x.Close()
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return answerHead{}, nil, err
	}
	return answer, x, nil
}

func (h *hop) takeConn(ctx context.Context) (*hopConn, error) {
	h.mu.Lock()
	if n := len(h.idle); n > 0 {
		c := h.idle[n-1]
		h.idle = h.idle[:n-1]
		h.mu.Unlock()
		return c, nil
	}
	h.mu.Unlock()
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", h.socket)
	if err != nil {
		return nil, err
	}
	return &hopConn{Conn: conn, r: bufio.NewReaderSize(conn, hopBuffer)}, nil
}

func (h *hop) putIdle(c *hopConn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || len(h.idle) >= maxIdle {
		c.Close()
		return
	}
	h.idle = append(h.idle, c)
}

// close closes the idle connections, and the busy ones when they become idle.
func (h *hop) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for _, c := range h.idle {
		c.Close()
	}
	h.idle = nil
}

// hopConn is one connection, with one exchange at a time.
type hopConn struct {
	net.Conn
	r      *bufio.Reader
	number uint32 // of the latest exchange
	out    []byte // holds the head of a request while it is written
}

// hopBody is the body of an answer. Read returns io.EOF only when the process has marked the answer
// as complete.
type hopBody struct {
	messageReader
	hop     *hop
	conn    *hopConn
	release func() bool // stops watching the request's context; false when that has ended the connection
	sending atomic.Bool // the request has not been sent completely
	done    bool
}

func (x *hopBody) beginExchange(head *requestHead, body io.Reader) (answerHead, error) {
	c := x.conn
	c.number++
	x.r, x.number = c.r, c.number
	kind := byte(frameHead)
	if head.invoke {
		kind = frameInvoke
	}
	b, err := head.appendPayload(append(c.out[:0], make([]byte, frameHeaderSize)...))
	if err != nil {
		return answerHead{}, err
	}
	frameHeader{kind, c.number, uint32(len(b) - frameHeaderSize)}.put(b)
	c.out = b
	if _, err := c.Write(b); err != nil {
		return answerHead{}, err
	}
	if head.length != 0 {
		x.sending.Store(true)
		go x.sendBody(body)
	}
	payload, err := x.readHead()
	if err != nil {
		return answerHead{}, err
	}
	return parseAnswerHead(payload)
}

// sendBody forwards the request's body. Nothing waits for it: the answer may end first, and then the
// connection is closed.
func (x *hopBody) sendBody(body io.Reader) {
	buf := copyBuffers.Get().(*[hopBuffer]byte)
	defer copyBuffers.Put(buf)
	for {
		n, err := body.Read(buf[frameHeaderSize:])
		if n > 0 {
			frameHeader{frameData, x.number, uint32(n)}.put(buf[:])
			if _, werr := x.conn.Write(buf[:frameHeaderSize+n]); werr != nil {
				return
			}
		}
		if errors.Is(err, io.EOF) {
			frameHeader{frameEnd, x.number, 0}.put(buf[:])
			if _, werr := x.conn.Write(buf[:frameHeaderSize]); werr == nil {
				x.sending.Store(false)
			}
			return
		}
		if err != nil {
			x.conn.SetDeadline(past) // an answer to part of a request must not reach the client
			return
		}
	}
}

func (x *hopBody) Read(p []byte) (int, error) {
	switch {
	case x.done && x.ended:
		return 0, io.EOF
	case x.done:
		return 0, io.ErrClosedPipe
	}
	n, err := x.messageReader.Read(p)
	if err != nil {
		x.Close()
	}
	return n, err
}

// Close returns the connection to the pool when the exchange is complete in both directions;
// otherwise the connection is not used again.
func (x *hopBody) Close() error {
	if x.done {
		return nil
	}
	x.done = true
	if x.release() && x.ended && !x.sending.Load() {
		x.hop.putIdle(x.conn)
		return nil
	}
	return x.conn.Close()
}
