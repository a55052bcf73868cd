package worker

import (
	"bufio"
	"context"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	maxIdle     = 256     // connections kept open to one process
	maxHeader   = 1 << 20 // bytes of a response's header
	hopBuffer   = 32 << 10
	statusFinal = 200
)

// hop carries requests to one process. Connections stay open: neither side times them out, so none is closed under a
// request.
//
// A request without a body, which most are, is written and its answer read on the caller's goroutine. http.Transport
// hands each to two goroutines of the connection and back, which takes longer than the work itself; it carries those
// with a body, which may have to be written while the answer is read.
type hop struct {
	socket    string
	transport *http.Transport

	mu     sync.Mutex
	idle   []*hopConn
	closed bool
}

func newHop(socket string) *hop {
	dialer := &net.Dialer{}
	return &hop{socket: socket, transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", socket)
		},
		DisableCompression:     true,
		MaxIdleConnsPerHost:    maxIdle,
		MaxResponseHeaderBytes: maxHeader,
		WriteBufferSize:        hopBuffer,
		ReadBufferSize:         hopBuffer,
	}}
}

// RoundTrip implements http.RoundTripper. The end of the request's context closes the connection, which the app takes
// for the client's departure.
func (h *hop) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		return h.transport.RoundTrip(r)
	}
	c, err := h.take(r.Context())
	if err != nil {
		return nil, err
	}
	c.release = context.AfterFunc(r.Context(), func() { c.SetDeadline(time.Unix(1, 0)) })
	resp, err := c.exchange(r)
	if err != nil {
		c.release()
		c.Close()
		if r.Context().Err() != nil {
			err = context.Cause(r.Context())
		}
		return nil, err
	}
	resp.Body = &hopBody{ReadCloser: resp.Body, hop: h, conn: c, last: resp.Close}
	return resp, nil
}

func (h *hop) take(ctx context.Context) (*hopConn, error) {
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
	c := &hopConn{Conn: conn, limit: io.LimitedReader{R: conn}, w: bufio.NewWriterSize(conn, hopBuffer)}
	c.r = bufio.NewReaderSize(&c.limit, hopBuffer)
	return c, nil
}

func (h *hop) give(c *hopConn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || len(h.idle) >= maxIdle {
		c.Close()
		return
	}
	h.idle = append(h.idle, c)
}

// close ends the idle connections, and those in use when they become idle.
func (h *hop) close() {
	h.transport.CloseIdleConnections()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for _, c := range h.idle {
		c.Close()
	}
	h.idle = nil
}

// hopConn is one connection, with one request at a time.
type hopConn struct {
	net.Conn
	limit   io.LimitedReader // bounds the header
	r       *bufio.Reader
	w       *bufio.Writer
	release func() bool // ends the watch over the request's context; false when that has ended the connection
}

func (c *hopConn) exchange(r *http.Request) (*http.Response, error) {
	if err := r.Write(c.w); err != nil {
		return nil, err
	}
	if err := c.w.Flush(); err != nil {
		return nil, err
	}
	c.limit.N = maxHeader
	for {
		resp, err := http.ReadResponse(c.r, r)
		switch {
		case err != nil && c.limit.N <= 0:
			return nil, errors.New("the response's header is too long")
		case err != nil:
			return nil, err
		case resp.StatusCode >= statusFinal:
			c.limit.N = math.MaxInt64
			return resp, nil
		}
	}
}

// hopBody gives the connection back once it has been read to its end.
type hopBody struct {
	io.ReadCloser
	hop  *hop
	conn *hopConn
	last bool // the process closes the connection after this response
	done bool
}

func (b *hopBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		b.finish(true)
	} else if err != nil {
		b.finish(false)
	}
	return n, err
}

func (b *hopBody) Close() error {
	b.finish(b.ReadCloser == http.NoBody)
	return nil
}

func (b *hopBody) finish(whole bool) {
	if b.done {
		return
	}
	b.done = true
	if b.conn.release() && whole && !b.last && b.conn.r.Buffered() == 0 {
		b.hop.give(b.conn)
		return
	}
	b.conn.Close()
}
