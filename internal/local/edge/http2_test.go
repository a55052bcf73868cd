package edge

import (
	"bytes"
	"crypto/tls"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// frames opens an HTTP/2 connection for frames that a client library would not send.
func (s *secured) frames(t *testing.T) (*tls.Conn, *http2.Framer) {
	t.Helper()
	c, err := tls.Dial("tcp", s.tls, &tls.Config{ServerName: "a.test", RootCAs: s.roots, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(time.Minute)) // ends a test that would hang
	io.WriteString(c, http2.ClientPreface)
	framer := http2.NewFramer(c, c)
	framer.WriteSettings()
	return c, framer
}

// headBlock returns a request for path; its end is the end of the stream, unless there is a body.
func headBlock(method, path string) []byte {
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, field := range [][2]string{{":method", method}, {":scheme", "https"}, {":path", path}, {":authority", "a.test"}} {
		encoder.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]})
	}
	return block.Bytes()
}

// A client that opens streams and resets them at once gets no more of the functions' time than one
// that does not (CVE-2023-39325).
func TestHTTP2_StreamsResetAtOnce(t *testing.T) {
	var running, most atomic.Int64
	release := make(chan struct{})
	s := startTLS(t, Config{}, "a.test")
	s.publish(nil, "a.test", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/fine" {
			return
		}
		now := running.Add(1)
		defer running.Add(-1)
		for seen := most.Load(); now > seen && !most.CompareAndSwap(seen, now); seen = most.Load() {
		}
		<-release
	})
	c, framer := s.frames(t)
	go func() { // until the edge has had enough
		for stream := uint32(1); stream < 20_000; stream += 2 {
			head := http2.HeadersFrameParam{StreamID: stream, BlockFragment: headBlock("GET", "/"), EndHeaders: true, EndStream: true}
			if framer.WriteHeaders(head) != nil || framer.WriteRSTStream(stream, http2.ErrCodeCancel) != nil {
				return
			}
		}
	}()
	_, err := io.Copy(io.Discard, c)
	close(release)
	if isTimeout(err) {
		t.Error("the connection stays open")
	}
	if n := most.Load(); n > maxStreams {
		t.Errorf("%d requests of one connection ran at a time, want at most %d", n, maxStreams)
	}
	if res, _ := fetch(t, s.client(t, true), "https://a.test/fine"); res.StatusCode != 200 {
		t.Errorf("afterwards: %d", res.StatusCode)
	}
}

// A head that does not end closes its connection after the idle time.
func TestHTTP2_HeadsThatDoNotEnd(t *testing.T) {
	s := startTLS(t, Config{IdleTimeout: fast.Grace}, "a.test")
	s.publish(nil, "a.test", says("hi").ServeHTTP)
	c, framer := s.frames(t)
	framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: headBlock("GET", "/")})
	if _, err := io.Copy(io.Discard, c); isTimeout(err) {
		t.Error("the connection stays open")
	}
}

// A function does not wait for ever for a body that stops coming.
func TestHTTP2_StalledBodies(t *testing.T) {
	s := startTLS(t, Config{Upload: fast}, "a.test")
	read := make(chan error, 1)
	s.publish(nil, "a.test", func(w http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		read <- err
	})
	_, framer := s.frames(t)
	framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: headBlock("POST", "/"), EndHeaders: true})
	framer.WriteData(1, false, []byte("half"))
	select {
	case err := <-read:
		if err == nil {
			t.Error("half a body was read as a whole one")
		}
	case <-time.After(time.Minute):
		t.Error("the function still waits for a body that does not come")
	}
}
