package worker

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
)

func frame(kind byte, number uint32, payload string) []byte {
	b := make([]byte, frameHeaderSize, frameHeaderSize+len(payload))
	frameHeader{kind, number, uint32(len(payload))}.put(b)
	return append(b, payload...)
}

func TestMessageReader(t *testing.T) {
	t.Parallel()
	const head = "200\n\nx-a\n1"
	for name, test := range map[string]struct {
		stream [][]byte
		body   string
		err    error // nil: any
		fails  bool
	}{
		"whole":                    {[][]byte{frame(frameHead, 7, head), frame(frameData, 7, "ab"), frame(frameData, 7, ""), frame(frameData, 7, "c"), frame(frameEnd, 7, "")}, "abc", nil, false},
		"no body":                  {[][]byte{frame(frameHead, 7, head), frame(frameEnd, 7, "")}, "", nil, false},
		"broken":                   {[][]byte{frame(frameHead, 7, head), frame(frameData, 7, "ab"), frame(frameBroken, 7, "")}, "ab", errBroken, true},
		"broken before it began":   {[][]byte{frame(frameBroken, 7, "")}, "", errBroken, true},
		"connection lost":          {[][]byte{frame(frameHead, 7, head), frame(frameData, 7, "ab")}, "ab", io.ErrUnexpectedEOF, true},
		"lost within a piece":      {[][]byte{frame(frameHead, 7, head), frame(frameData, 7, "abcd")[:frameHeaderSize+2]}, "ab", io.ErrUnexpectedEOF, true},
		"lost within a header":     {[][]byte{frame(frameHead, 7, head), frame(frameEnd, 7, "")[:4]}, "", io.ErrUnexpectedEOF, true},
		"data of another exchange": {[][]byte{frame(frameHead, 7, head), frame(frameData, 6, "foreign"), frame(frameEnd, 7, "")}, "", nil, true},
		"end of another exchange":  {[][]byte{frame(frameHead, 7, head), frame(frameData, 7, "ab"), frame(frameEnd, 8, "")}, "ab", nil, true},
		"head of another exchange": {[][]byte{frame(frameHead, 6, head), frame(frameEnd, 6, "")}, "", nil, true},
		"second head":              {[][]byte{frame(frameHead, 7, head), frame(frameHead, 7, head)}, "", nil, true},
		"data before the head":     {[][]byte{frame(frameData, 7, "ab")}, "", nil, true},
		"unknown kind":             {[][]byte{frame(frameHead, 7, head), frame(99, 7, "")}, "", nil, true},
		"trailers":                 {[][]byte{frame(frameHead, 7, head), frame(frameData, 7, "ab"), frame(frameEnd, 7, "x-sum\n2")}, "ab", nil, false},
		"lost within the trailers": {[][]byte{frame(frameHead, 7, head), frame(frameData, 7, "ab"), frame(frameEnd, 7, "x-sum\n2")[:frameHeaderSize+3]}, "ab", io.ErrUnexpectedEOF, true},
		"trailer without a value":  {[][]byte{frame(frameHead, 7, head), frame(frameEnd, 7, "x")}, "", errHead, true},
		"nothing":                  {nil, "", io.ErrUnexpectedEOF, true},
	} {
		t.Run(name, func(t *testing.T) {
			body, err := readMessage(bytes.Join(test.stream, nil), 7)
			if string(body) != test.body || (err != nil) != test.fails || test.err != nil && !errors.Is(err, test.err) {
				t.Errorf("got %q and %v; want %q and %v", body, err, test.body, test.err)
			}
		})
	}
}

func readMessage(stream []byte, number uint32) ([]byte, error) {
	m := messageReader{r: bufio.NewReaderSize(bytes.NewReader(stream), hopBuffer), number: number}
	if _, err := m.readHead(); err != nil {
		return nil, err
	}
	return io.ReadAll(&m)
}

// FuzzMessageReader compares the reader with a model that is too simple to be wrong.
func FuzzMessageReader(f *testing.F) {
	f.Add(bytes.Join([][]byte{frame(frameHead, 7, "200\n"), frame(frameData, 7, "ab"), frame(frameEnd, 7, "")}, nil))
	f.Add(bytes.Join([][]byte{frame(frameHead, 7, "200\n"), frame(frameData, 7, "ab"), frame(frameData, 8, "foreign")}, nil))
	f.Add(bytes.Join([][]byte{frame(frameHead, 7, "200\n"), frame(frameEnd, 7, "x-sum\n2\nset-cookie\na=1")}, nil))
	f.Add(bytes.Join([][]byte{frame(frameHead, 7, "200\n"), frame(frameData, 7, ""), frame(frameBroken, 7, "")}, nil))
	f.Fuzz(func(t *testing.T, stream []byte) {
		body, err := readMessage(stream, 7)
		want, whole := modelMessage(stream, 7)
		if !bytes.Equal(body, want) || whole != (err == nil) {
			t.Errorf("got %q and %v; want %q, whole %v", body, err, want, whole)
		}
	})
}

func modelMessage(stream []byte, number uint32) (body []byte, whole bool) {
	for first := true; len(stream) >= frameHeaderSize; first = false {
		kind, length := stream[0], binary.BigEndian.Uint32(stream[5:])
		if binary.BigEndian.Uint32(stream[1:]) != number {
			return body, false
		}
		stream = stream[frameHeaderSize:]
		there := stream[:min(uint64(len(stream)), uint64(length))]
		switch {
		case first && kind == frameHead && length <= maxHead && len(there) == int(length):
		case !first && kind == frameData && length <= maxFrameData:
			body = append(body, there...)
		case !first && kind == frameEnd && length <= maxHead && len(there) == int(length):
			_, err := parseTrailer(there)
			return body, length == 0 || err == nil
		default:
			return body, false
		}
		if len(there) < int(length) {
			return body, false
		}
		stream = stream[length:]
	}
	return body, false
}

func FuzzParseAnswerHead(f *testing.F) {
	f.Add("200\n5\ncontent-type\ntext/plain\nset-cookie\na=1\nset-cookie\nb=2")
	f.Add("204\n")
	f.Add("200\n\nconnection\nx-a, x-b\nx-a\n1")
	f.Fuzz(func(t *testing.T, payload string) {
		h, err := parseAnswerHead([]byte(payload))
		if err != nil {
			return
		}
		if h.status < 200 || h.status > 999 || h.length < -1 {
			t.Errorf("%q: status %d, length %d", payload, h.status, h.length)
		}
		var written strings.Builder
		if err := h.header.Write(&written); err != nil {
			t.Fatal(err)
		}
		fields := 0
		for _, values := range h.header {
			fields += len(values)
		}
		if lines := strings.Count(written.String(), "\n"); lines != fields {
			t.Errorf("%q: %d fields are %d lines: %q", payload, fields, lines, written.String())
		}
	})
}

func TestMessageReader_HasArrived(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		arrived []byte
		left    uint32
		want    bool
	}{
		"nothing":              {nil, 0, false},
		"a part of a header":   {frame(frameEnd, 7, "")[:4], 0, false},
		"a header":             {frame(frameData, 7, "ab")[:frameHeaderSize], 0, false},
		"the first octet":      {frame(frameData, 7, "ab")[:frameHeaderSize+1], 0, true},
		"the end":              {frame(frameEnd, 7, ""), 0, true},
		"a break":              {frame(frameBroken, 7, ""), 0, true},
		"nothing of the rest":  {nil, 2, false},
		"a part of the rest":   {[]byte("a"), 2, true},
		"the rest and the end": {append([]byte("ab"), frame(frameEnd, 7, "")...), 2, true},
	} {
		m := messageReader{r: bufio.NewReaderSize(bytes.NewReader(test.arrived), hopBuffer), number: 7, left: test.left}
		_, _ = m.r.Peek(1) // what has arrived is in the buffer
		if got := m.hasArrived(); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

// TestCopyBody: a client gets what has arrived before the next piece is waited for, in one flush.
func TestCopyBody(t *testing.T) {
	t.Parallel()
	ours, theirs := net.Pipe()
	defer theirs.Close()
	x := &hopBody{hop: newHop(""), conn: &hopConn{Conn: ours}, release: func() bool { return true }}
	x.messageReader = messageReader{r: bufio.NewReaderSize(ours, hopBuffer), number: 7}
	w := &flushes{flushed: make(chan string)}
	done := make(chan error, 1)
	go func() { done <- copyBody(w, x, true) }()
	if got := <-w.flushed; got != "" {
		t.Errorf("%q is flushed with the head", got)
	}
	for _, step := range []struct {
		arrives []byte
		flushed string
	}{
		{slices.Concat(frame(frameData, 7, "a"), frame(frameData, 7, "bc")), "abc"},
		{slices.Concat(frame(frameData, 7, "d"), frame(frameData, 7, "ef")[:frameHeaderSize+1]), "de"},
		{[]byte("f"), "f"},
	} {
		if _, err := theirs.Write(step.arrives); err != nil {
			t.Fatal(err)
		}
		if got := <-w.flushed; got != step.flushed {
			t.Errorf("%q is flushed, want %q", got, step.flushed)
		}
	}
	if _, err := theirs.Write(slices.Concat(frame(frameData, 7, "g"), frame(frameEnd, 7, ""))); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil || string(w.written) != "g" {
		t.Errorf("%q is left to the end of the answer, error %v", w.written, err)
	}
}

// flushes is a ResponseWriter that sends what was written since the last flush.
type flushes struct {
	http.ResponseWriter
	written []byte
	flushed chan string
}

func (f *flushes) Write(p []byte) (int, error) {
	f.written = append(f.written, p...)
	return len(p), nil
}

func (f *flushes) FlushError() error {
	f.flushed <- string(f.written)
	f.written = nil
	return nil
}

// TestBootstrap_AcceptsFramesInAnyPieces connects to a process as the pool does.
func TestBootstrap_AcceptsFramesInAnyPieces(t *testing.T) {
	t.Parallel()
	pool, _ := newTestPool(t, Spec{Min: 1})
	warm(t, pool)
	r := rand.New(rand.NewPCG(1, 2))
	conn := dialProcess(t, pool)
	reader := bufio.NewReader(conn)
	for number := uint32(1); number < 40; number++ {
		body := strings.Repeat("x", 1+r.IntN(3000))
		head := &requestHead{method: http.MethodPost, target: "/upload", length: int64(len(body)), header: http.Header{"X-Pad": {strings.Repeat("p", r.IntN(500))}}}
		payload, err := head.appendPayload(nil)
		if err != nil {
			t.Fatal(err)
		}
		half := r.IntN(len(body))
		stream := bytes.Join([][]byte{
			frame(frameHead, number, string(payload)), frame(frameData, number, body[:half]),
			frame(frameData, number, body[half:]), frame(frameEnd, number, ""),
		}, nil)
		for len(stream) > 0 {
			n := min(len(stream), 1+r.IntN(1+r.IntN(1200)))
			if _, err := conn.Write(stream[:n]); err != nil {
				t.Fatal(err)
			}
			stream = stream[n:]
		}
		m := messageReader{r: reader, number: number}
		if _, err := m.readHead(); err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(&m)
		if err != nil {
			t.Fatal(err)
		}
		if got := decode[struct{ Size int }](t, string(answer)); got.Size != len(body) {
			t.Errorf("exchange %d: the app got %d octets of %d", number, got.Size, len(body))
		}
	}
}

// TestBootstrap_RefusesInvalidFrames: the connection ends, and the process serves the others.
func TestBootstrap_RefusesInvalidFrames(t *testing.T) {
	t.Parallel()
	s := newSite(t, Spec{Min: 1})
	warm(t, s.Pool)
	head := "127.0.0.1\n1\nGET\n/quiet"
	for name, stream := range map[string][]byte{
		"unknown kind":             frame(77, 1, ""),
		"answer's kind":            frame(frameBroken, 1, ""),
		"oversize head":            {frameHead, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff},
		"HTTP":                     []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
		"data of another exchange": append(frame(frameHead, 1, head), frame(frameData, 2, "x")...),
		"data without exchange":    frame(frameData, 1, "x"),
		"end without exchange":     frame(frameEnd, 0, ""),
		"exchange within exchange": append(frame(frameHead, 1, head), frame(frameHead, 2, head)...),
	} {
		t.Run(name, func(t *testing.T) {
			conn := dialProcess(t, s.Pool)
			if _, err := conn.Write(stream); err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, conn); err != nil && !errors.Is(err, io.EOF) {
				t.Logf("the connection ended with %v", err) // a reset is an end, too
			}
		})
	}
	if a := s.get(t, "/hello"); a.body != "hello" {
		t.Errorf("another visitor got %q", a.body)
	}
	if restarts := s.Stats().Restarts; restarts != 0 {
		t.Errorf("%d processes ended", restarts)
	}
}

func dialProcess(t *testing.T, pool *Pool) net.Conn {
	t.Helper()
	pool.mu.Lock()
	socket := pool.procs[0].socket
	pool.mu.Unlock()
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}
