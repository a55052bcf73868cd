package edge

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const webSocket = "websocket"

var (
	noUpgrade = &refusal{status: http.StatusNotImplemented, title: "WebSocket not supported",
		detail: "This address does not lead to a WebSocket service. Functions answer one request with one response: " +
			"use server-sent events, or a rewrite to a WebSocket service on another host.", close: true}
	badHandshake = &refusal{status: http.StatusBadRequest, title: "Bad WebSocket handshake",
		detail: "A WebSocket handshake is a GET request in HTTP/1.1 without a body, with Connection: Upgrade and one " +
			"Sec-WebSocket-Key.", close: true}
	tooManyTunnels = &refusal{status: http.StatusServiceUnavailable, title: "Too many WebSocket connections",
		detail: "This site has as many WebSocket connections as it may. Try again in a moment.", retryAfter: "10", close: true}
)

// asksForWebSocket reports whether a request offers to switch to the WebSocket protocol. Any other
// Upgrade offer (h2c of curl, for one) is ignored, as RFC 9110, section 7.8 allows.
func asksForWebSocket(r *http.Request) bool { return hasToken(r.Header["Upgrade"], webSocket) }

// hasToken reports whether a list-valued field has a token, without regard to case.
func hasToken(lines []string, token string) bool {
	for _, line := range lines {
		for one := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(textproto.TrimString(one), token) {
				return true
			}
		}
	}
	return false
}

// isHandshake checks what RFC 6455, section 4.2.1 requires of the fields that the edge consumes. The
// host behind the tunnel checks the version and everything else.
func isHandshake(r *http.Request) bool {
	return r.Method == http.MethodGet && r.ProtoMajor == 1 && r.ProtoAtLeast(1, 1) && r.ContentLength == 0 &&
		hasToken(r.Header["Connection"], "upgrade") && len(r.Header["Sec-Websocket-Key"]) == 1
}

// serveWebSocket passes a handshake to a function. A function that is not behind a rewrite to another
// host answers it as a plain GET, and then the client gets a 501.
func (e *Edge) serveWebSocket(site *Site, t target, w http.ResponseWriter, r *http.Request) {
	conn := connOf(r)
	if conn == nil || !isHandshake(r) {
		writeRefusal(w, r, badHandshake)
		return
	}
	id := requestID(r)
	res := newResponse(w)
	res.extra = http.Header{headerRequestID: {id}}
	in := e.sanitizedRequest(r, id)
	in.Header["Upgrade"] = []string{webSocket}
	tun := &tunnel{res: res, edge: e, client: conn, request: in, answered: make(chan struct{})}
	in.Body, in.ContentLength = tun, -1
	if !e.tunnels.enter(tun, site.owner()) {
		writeRefusal(w, r, tooManyTunnels)
		return
	}
	res.tunnel = tun
	defer e.tunnels.leave(tun, site.owner())
	defer tun.end()
	e.run(site, t, res, in)
}

// owner is whose tunnels are counted together.
func (s *Site) owner() string {
	if s.Project != "" {
		return s.Project
	}
	return s.ID
}

// tunnel is a handshake and, once the function has answered 101, the connection of its client, which
// then carries octets of another protocol in both directions (RFC 9110, section 7.8). For the
// function it is the writer of the answer, and the request's body: Read waits for the answer, then
// returns what the client sends after a 101, and nothing if the answer is another one.
type tunnel struct {
	res     *response
	edge    *Edge
	client  *http1Conn
	request *http.Request

	answered chan struct{} // closed when the function has answered, or has returned
	once     sync.Once
	refused  bool // the function has taken the handshake for a plain request

	mu     sync.Mutex
	conn   net.Conn      // set once the protocol is switched
	from   *bufio.Reader // of conn
	closed bool
	moved  atomic.Int64 // when octets moved last, in nanoseconds since epoch
}

func (t *tunnel) Header() http.Header { return t.res.Header() }

// Unwrap lets http.ResponseController reach the connection.
func (t *tunnel) Unwrap() http.ResponseWriter { return t.res }

// WriteHeader switches protocols if status is 101.
func (t *tunnel) WriteHeader(status int) {
	switch {
	case status == http.StatusSwitchingProtocols:
		t.switchProtocol()
	case status < http.StatusOK:
		return
	case status < http.StatusMultipleChoices && t.res.status == 0:
		t.refused = true
		clear(t.res.Header())
		writeRefusal(t.res, t.request, noUpgrade)
	default:
		t.res.WriteHeader(status)
	}
	t.once.Do(func() { close(t.answered) })
}

// switchProtocol takes the connection from net/http. When that fails the client has gone.
func (t *tunnel) switchProtocol() {
	h := t.res.Header()
	t.res.decorateHeader(h)
	for _, name := range append([]string{"Content-Length"}, hopByHop...) {
		delete(h, name)
	}
	conn, buffered, err := http.NewResponseController(t.res.ResponseWriter).Hijack()
	if err != nil {
		return
	}
	t.client.framing.expect = expectNothing // what follows is not HTTP
	t.touch()
	t.res.status = http.StatusSwitchingProtocols
	t.mu.Lock()
	t.conn, t.from = conn, buffered.Reader
	if t.closed {
		_ = conn.Close()
	}
	t.mu.Unlock()
	var head bytes.Buffer
	head.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n")
	_ = h.Write(&head) // a Buffer accepts everything
	head.WriteString("\r\n")
	_, _ = conn.Write(head.Bytes()) // an error shows again when octets follow
}

func (t *tunnel) switched() net.Conn {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.conn
}

func (t *tunnel) Write(p []byte) (int, error) {
	if conn := t.switched(); conn != nil {
		t.touch()
		return conn.Write(p)
	}
	t.finishHeader()
	if t.refused {
		return len(p), nil
	}
	return t.res.Write(p)
}

// finishHeader takes a function that sets no status for one that answers 200.
func (t *tunnel) finishHeader() {
	if t.res.status == 0 {
		t.WriteHeader(http.StatusOK)
	}
}

// FlushError is what http.ResponseController calls.
func (t *tunnel) FlushError() error {
	if t.switched() != nil || t.refused {
		return nil
	}
	return t.res.FlushError()
}

// Flush is for functions that ask for an http.Flusher.
func (t *tunnel) Flush() { _ = t.FlushError() }

// Read waits for the answer first. It returns os.ErrDeadlineExceeded when nothing has moved in either
// direction for Config.TunnelIdle.
func (t *tunnel) Read(p []byte) (int, error) {
	select {
	case <-t.answered:
	case <-t.request.Context().Done():
		return 0, context.Cause(t.request.Context())
	}
	conn := t.switched()
	if conn == nil {
		return 0, io.EOF
	}
	for {
		last := t.moved.Load()
		if err := conn.SetReadDeadline(epoch.Add(time.Duration(last) + t.edge.cfg.TunnelIdle)); err != nil {
			return 0, err
		}
		n, err := t.from.Read(p)
		if n > 0 {
			t.touch()
			return n, nil
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) || t.moved.Load() == last {
			return 0, err
		}
	}
}

// Close is the body's. The function's end closes the tunnel.
func (t *tunnel) Close() error { return nil }

// epoch makes times comparable without regard to changes of the wall clock.
var epoch = time.Now()

func (t *tunnel) touch() { t.moved.Store(int64(time.Since(epoch))) }

// end closes the client's connection, if it has become a tunnel, and releases a reader.
func (t *tunnel) end() {
	t.cutConn()
	t.once.Do(func() { close(t.answered) })
}

// cutConn closes the connection, also one that is about to be switched.
func (t *tunnel) cutConn() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	if t.conn != nil {
		_ = t.conn.Close() // the client may have closed it
	}
}

// tunnels are the handshakes under way and the tunnels of all sites. net/http neither closes nor waits
// for connections that it no longer owns.
type tunnels struct {
	most int64 // of one owner

	mu      sync.Mutex
	leaving bool
	open    map[*tunnel]struct{}
	owners  map[string]int64
}

// enter reports whether the owner may have another tunnel.
func (s *tunnels) enter(t *tunnel, owner string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leaving || s.owners[owner] >= s.most {
		return false
	}
	if s.open == nil {
		s.open, s.owners = map[*tunnel]struct{}{}, map[string]int64{}
	}
	s.open[t] = struct{}{}
	s.owners[owner]++
	return true
}

func (s *tunnels) leave(t *tunnel, owner string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, t)
	if s.owners[owner]--; s.owners[owner] == 0 {
		delete(s.owners, owner)
	}
}

// closeAll closes all tunnels: none of them would end by itself.
func (s *tunnels) closeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leaving = true
	for t := range s.open {
		t.cutConn()
	}
}

func (s *tunnels) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
}

// await waits until the functions of all tunnels have returned.
func (s *tunnels) await(ctx context.Context) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for s.count() > 0 {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
	return nil
}
