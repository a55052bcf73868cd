package edge

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"
)

// A shutdown closes connections that wait for a first request, and does not wait for them as net/http does.
func TestEdge_Shutdown_ClosesWaiting(t *testing.T) {
	e := start(t, Config{})
	c, from := e.dial(t)
	defer c.Close()
	for waiting := 0; waiting < 1; runtime.Gosched() {
		e.newcomers.mu.Lock()
		waiting = len(e.newcomers.conns)
		e.newcomers.mu.Unlock()
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := e.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if _, err := from.ReadByte(); err != io.EOF {
		t.Errorf("the connection is open: %v", err)
	}
}

// A client that has closed its side sees the connection end after the last answer, whether its end arrived
// with a request, after many, or while the connection waited.
func TestWaiting_ClientEnds(t *testing.T) {
	e := start(t, Config{IdleTimeout: time.Hour})
	e.publish(map[string]*Site{"a.test": {Assets: assets(t, "", map[string]string{"small.txt": "hello"})}})
	for name, c := range map[string]struct {
		answers int  // before the last request
		waiting bool // the client closes its side when it has the last answer
	}{"with the first": {0, false}, "with the hundredth": {99, false}, "while waiting": {0, true}, "while waiting again": {99, true}} {
		t.Run(name, func(t *testing.T) {
			conn, from := e.dial(t)
			defer conn.Close()
			ask := func() {
				if _, err := io.WriteString(conn, plainHit); err != nil {
					t.Fatal(err)
				}
			}
			receive := func() {
				res, err := http.ReadResponse(from, nil)
				if err != nil {
					t.Fatal(err)
				}
				if body, err := io.ReadAll(res.Body); err != nil || string(body) != "hello" {
					t.Fatalf("%q, %v", body, err)
				}
			}
			end := func() {
				if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
					t.Fatal(err)
				}
			}
			for range c.answers {
				ask()
				receive()
			}
			ask()
			if !c.waiting {
				end()
			}
			receive()
			if c.waiting {
				end()
			}
			if _, err := from.ReadByte(); err != io.EOF {
				t.Errorf("the connection is open: %v", err)
			}
		})
	}
}

// askWithoutReading sends requests for a file that a socket does not take whole, and returns the edge, what it answers, and the
// file's text.
func askWithoutReading(t *testing.T, requests int) (e *running, from *bufio.Reader, text string) {
	t.Helper()
	text = strings.Repeat("0123456789abcdef", 60<<10/16)
	e = start(t, Config{})
	e.publish(map[string]*Site{"a.test": {Assets: assets(t, "", map[string]string{"small.txt": text})}})
	conn, from := e.dial(t)
	t.Cleanup(func() { conn.Close() })
	if _, err := io.WriteString(conn, strings.Repeat(plainHit, requests)); err != nil {
		t.Fatal(err)
	}
	return e, from, text
}

// A client that reads nothing while it sends requests gets each answer whole: the socket takes only a part of most.
func TestWaiting_FullSocket(t *testing.T) {
	const requests = 400
	_, from, text := askWithoutReading(t, requests)
	for n := range requests {
		res, err := http.ReadResponse(from, nil)
		if err != nil {
			t.Fatalf("answer %d: %v", n, err)
		}
		if body, err := io.ReadAll(res.Body); err != nil || string(body) != text {
			t.Fatalf("answer %d has %d octets: %v", n, len(body), err)
		}
	}
}

// A connection that is closed while an answer waits for the client ends after this answer.
func TestWaiting_ClosedDuringAnswer(t *testing.T) {
	const requests = 400
	e, from, text := askWithoutReading(t, requests)
	for e.hitsInFlight.Load() == 0 {
		runtime.Gosched()
	}
	e.newcomers.closeAll()
	answers := 0
	for {
		res, err := http.ReadResponse(from, nil)
		if err != nil {
			break // EOF, or a reset: requests were not read
		}
		body, err := io.ReadAll(res.Body)
		if err == nil && string(body) != text {
			t.Fatalf("answer %d has %d octets", answers, len(body))
		}
		answers++
	}
	if answers == 0 || answers == requests {
		t.Errorf("%d answers", answers)
	}
}
