package worker

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// switchingWriter is the writer of a WebSocket handshake, as the edge has it: on a 101 it becomes one
// end of a pipe.
type switchingWriter struct {
	http.ResponseWriter
	toClient io.Writer
	answered chan int
	status   int
}

func (w *switchingWriter) WriteHeader(status int) {
	w.status = status
	w.answered <- status
	close(w.answered)
}

func (w *switchingWriter) Write(p []byte) (int, error) { return w.toClient.Write(p) }
func (w *switchingWriter) FlushError() error           { return nil }

// webSocketHost accepts handshakes for /socket, sends the protocol it was asked for, and then returns
// every octet. It closes the connection when it receives a full stop.
func webSocketHost(t *testing.T) string {
	t.Helper()
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/socket" || r.Header.Get("Upgrade") != "websocket" || r.Header.Get("Connection") != "Upgrade" {
			http.Error(w, "no socket here", http.StatusUpgradeRequired)
			return
		}
		c, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		fmt.Fprintf(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
			"Sec-WebSocket-Accept: yes\r\nSec-WebSocket-Protocol: %s\r\n\r\nhello ", r.Header.Get("Sec-WebSocket-Protocol"))
		for {
			b, err := buffered.ReadByte()
			if err != nil {
				return
			}
			if _, err := c.Write([]byte{b}); err != nil || b == '.' {
				return
			}
		}
	}))
	t.Cleanup(host.Close)
	return host.URL
}

// handshake sends a WebSocket handshake to a pool. It returns the answer's status and header, and the
// client's connection; ended is closed when the pool has returned.
func handshake(t *testing.T, pool *Pool, target string) (int, http.Header, net.Conn, <-chan struct{}) {
	t.Helper()
	client, server := net.Pipe()
	client.SetDeadline(time.Now().Add(testPatience))
	w := &switchingWriter{ResponseWriter: httptest.NewRecorder(), toClient: server, answered: make(chan int, 1)}
	r := httptest.NewRequest("GET", target, nil)
	r.Header = http.Header{"Upgrade": {"websocket"}, "Sec-Websocket-Protocol": {"chat"}, "Sec-Websocket-Key": {"eA=="}}
	r.Body, r.ContentLength = io.NopCloser(server), -1
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer server.Close()
		pool.ServeHTTP(w, r)
	}()
	t.Cleanup(func() { client.Close(); <-ended })
	return <-w.answered, w.Header(), client, ended
}

func TestTunnel_RewriteToWebSocketHost(t *testing.T) {
	t.Parallel()
	host := webSocketHost(t)
	s := newSite(t, Spec{Handler: "faults.handler", Min: 1})
	status, header, c, ended := handshake(t, s.Pool, "/rewrite?to="+host+"/socket")
	if status != 101 || header.Get("Sec-Websocket-Accept") != "yes" || header.Get("Sec-Websocket-Protocol") != "chat" || header.Get("Upgrade") != "" {
		t.Fatalf("status %d, %v", status, header)
	}
	text := strings.Repeat("0123456789", 20_000)
	go func() { _, _ = io.WriteString(c, text+".") }()
	got, err := io.ReadAll(bufio.NewReader(c))
	if want := "hello " + text + "."; string(got) != want || err != nil {
		t.Errorf("%d octets, %v; want %d", len(got), err, len(want))
	}
	<-ended // the host has closed its side
}

// A client that goes ends the connection to the host, and with it the request.
func TestTunnel_ClientGoes(t *testing.T) {
	t.Parallel()
	host := webSocketHost(t)
	s := newSite(t, Spec{Handler: "faults.handler", Min: 1})
	status, _, c, ended := handshake(t, s.Pool, "/rewrite?to="+host+"/socket")
	if _, err := io.ReadFull(c, make([]byte, len("hello "))); status != 101 || err != nil {
		t.Fatal(status, err)
	}
	c.Close()
	<-ended
	if a := s.getRaw(t, "/rewrite?to="+host); a.body != "no socket here\n" {
		t.Errorf("afterwards: %q", a.body)
	}
}

// A host that refuses a handshake is heard, and a request that is none never gets a 101.
func TestTunnel_Refused(t *testing.T) {
	t.Parallel()
	host := webSocketHost(t)
	s := newSite(t, Spec{Handler: "faults.handler", Min: 1})
	if status, _, _, _ := handshake(t, s.Pool, "/rewrite?to="+host+"/else"); status != http.StatusUpgradeRequired {
		t.Errorf("a refused handshake: %d", status)
	}
	if a := s.getRaw(t, "/rewrite?to="+host+"/socket"); a.StatusCode != http.StatusUpgradeRequired {
		t.Errorf("no handshake: %d", a.StatusCode)
	}
}
