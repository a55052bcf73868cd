package api_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api"
	"github.com/anchor-deploy/anchor/internal/api/apitest"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

// lockedBuffer is a log that several goroutines write.
type lockedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

// While a guesser's answers wait, a valid token from the same address is answered.
func TestAttempts_ValidTokenDoesNotWait(t *testing.T) {
	var log lockedBuffer
	waits, release := make(chan time.Duration, 100), make(chan struct{})
	base := serveWith(t, api.Options{
		Log:   slog.New(slog.NewTextHandler(&log, nil)),
		Sleep: func(_ context.Context, d time.Duration) { waits <- d; <-release },
	})
	for range 10 {
		call(t, base, "GET", "/projects", "anchor_wrong", "", nil).isProblem(t, 401, "bad_token")
	}
	var guessers sync.WaitGroup
	codes := make(chan int, 20)
	for range 20 {
		guessers.Go(func() { codes <- call(t, base, "GET", "/projects", "anchor_wrong", "", nil).status })
	}
	for range 16 {
		if d := <-waits; d <= 0 {
			t.Errorf("an answer waits %s", d)
		}
	}
	if got := call(t, base, "GET", "/projects", apitest.ReadToken, "", nil); got.status != 200 {
		t.Errorf("the valid token gets %d", got.status)
	}
	close(release)
	guessers.Wait()
	close(codes)
	count := map[int]int{}
	for code := range codes {
		count[code]++
	}
	if count[401] < 16 || count[401]+count[429] != 20 {
		t.Errorf("the guessers got %v", count)
	}
	if text := log.String(); !strings.Contains(text, "a wrong token") || !strings.Contains(text, "client=127.0.0.1") || strings.Count(text, "\n") > 10 {
		t.Errorf("the log says %s", text)
	}
}

func serveWith(t *testing.T, o api.Options) string {
	t.Helper()
	return apitest.Serve(t, apitest.New(t, apitest.Options{}).Services(), o, nil)
}

func TestGuard_AnswersOwnNamesOnly(t *testing.T) {
	base := serveWith(t, api.Options{Hosts: []string{"anchor.example:3080", "api.example"}})
	open := serveWith(t, api.Options{})
	for host, known := range map[string]bool{
		"127.0.0.1:3080": true, "localhost": true, "LocalHost:80": true, "[::1]:3080": true, "[::1]": true, "10.0.0.7": true,
		"anchor.example": true, "ANCHOR.example.:443": true, "api.example:1": true,
		"evil.example": false, "evil.example:3080": false, "localhost.evil.example": false, "127.0.0.1.evil.example": false,
		"shop.localhost": false, "xn--e1afmkfd.example": false, "0x7f.1": false, "anchor.example.evil": false,
	} {
		for path, public := range map[string]bool{"/health": true, "/projects": false, "/nowhere": true, "/openapi.json": true} {
			for at, refused := range map[string]bool{base: !known, open: false} {
				req, err := http.NewRequestWithContext(t.Context(), "GET", at+path, nil)
				if err != nil {
					t.Fatal(err)
				}
				req.Host = host
				req.Header.Set("Authorization", "Bearer "+apitest.AdminToken)
				res, err := http.DefaultClient.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				var p wire.Problem
				_ = json.NewDecoder(res.Body).Decode(&p)
				res.Body.Close()
				if (res.StatusCode == http.StatusMisdirectedRequest) != refused {
					t.Errorf("%s%s (public %t): %d", host, path, public, res.StatusCode)
				}
				if refused && (p.Code != "wrong_host" || !strings.Contains(p.Hint, "--api-host ")) {
					t.Errorf("%s is refused with %+v", host, p)
				}
			}
		}
	}
}

// endless are logs that never fit in memory.
type endless struct {
	api.Logs
	line    string
	broken  int      // after so many lines; 0: never
	yielded chan int // is told how many were taken
}

func (e endless) Last(_ context.Context, _ anchor.ProjectID, _ anchor.LogFilter, limit int) iter.Seq2[anchor.LogLine, error] {
	return func(yield func(anchor.LogLine, error) bool) {
		for n := range limit {
			if n == e.broken-1 {
				yield(anchor.LogLine{}, fmt.Errorf("disk on fire"))
				return
			}
			if !yield(anchor.LogLine{Time: int64(n), Text: e.line}, nil) {
				e.yielded <- n
				return
			}
		}
		e.yielded <- limit
	}
}

func serveLogs(t *testing.T, e endless, o api.Options) string {
	t.Helper()
	a := apitest.New(t, apitest.Options{})
	services := a.Services()
	if _, err := services.Projects.Create(t.Context(), "shop", "main"); err != nil {
		t.Fatal(err)
	}
	e.Logs = services.Logs
	services.Logs = e
	o.Log = slog.New(slog.DiscardHandler)
	return apitest.Serve(t, services, o, nil)
}

// open asks for what the test reads itself, if at all.
func open(t *testing.T, url string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+apitest.ReadToken)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	return res
}

// The first lines arrive while the last are not read yet, and a reader who takes none of them
// is cut off.
func TestLogs_StalledReaderIsCut(t *testing.T) {
	e := endless{line: strings.Repeat("x", 64<<10), yielded: make(chan int, 1)}
	base := serveLogs(t, e, api.Options{Stall: 50 * time.Millisecond})
	conn, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET /projects/shop/logs?limit=10000 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n", apitest.ReadToken)
	r := bufio.NewReader(conn)
	if status, err := r.ReadString('\n'); err != nil || !strings.Contains(status, "200") {
		t.Fatalf("%q, %v", status, err)
	}
	if n := <-e.yielded; n == 10000 {
		t.Error("all 10000 lines, 640 MB, were taken for a client that reads none")
	}
	res, err := io.Copy(io.Discard, r)
	if err == nil && res > 400<<20 {
		t.Errorf("the rest came all the same: %d bytes", res)
	}
}

func TestLogs_AreOneDocument(t *testing.T) {
	for limit, want := range map[int]int{0: 0, 1: 1, 1000: 1000} {
		e := endless{line: "<&>\u2028", yielded: make(chan int, 1)}
		base := serveLogs(t, e, api.Options{})
		got := call(t, base, "GET", fmt.Sprintf("/projects/shop/logs?limit=%d", limit), apitest.ReadToken, "", nil)
		var lines wire.Items[anchor.LogLine]
		if err := json.Unmarshal([]byte(got.body), &lines); err != nil || got.status != 200 || lines.Items == nil || len(lines.Items) != want {
			t.Fatalf("limit %d: %d, %v: %.200s", limit, got.status, err, got.body)
		}
	}
}

func TestLogs_ReadErrorReachesClient(t *testing.T) {
	e := endless{line: "x", broken: 1, yielded: make(chan int, 1)}
	call(t, serveLogs(t, e, api.Options{}), "GET", "/projects/shop/logs", apitest.ReadToken, "", nil).isProblem(t, 500, "internal")

	e = endless{line: strings.Repeat("x", 1000), broken: 150, yielded: make(chan int, 1)}
	res := open(t, serveLogs(t, e, api.Options{})+"/projects/shop/logs")
	if text, err := io.ReadAll(res.Body); err == nil {
		t.Errorf("an answer that broke off after 149 lines ends well, with %d bytes", len(text))
	}
}

// A follower who takes nothing is cut off, too.
func TestEvents_StalledFollowerIsCut(t *testing.T) {
	e := endless{line: strings.Repeat("x", 64<<10), yielded: make(chan int, 1)}
	base := serveLogs(t, e, api.Options{Stall: 50 * time.Millisecond})
	open(t, base+"/projects/shop/logs?limit=10000&follow=true")
	if n := <-e.yielded; n == 10000 {
		t.Error("all lines were taken for a client that reads none")
	}
}

// At the cap a new connection takes the place of an idle one; one that is being answered stays.
func TestConnections_IdleOneMakesRoom(t *testing.T) {
	began, finish := make(chan struct{}), make(chan struct{})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			began <- struct{}{}
			<-finish
		}
	}))
	connections := &api.Connections{Max: 2}
	idle := make(chan struct{}, 10)
	server.Config.ConnState = func(conn net.Conn, state http.ConnState) {
		if connections.Track(conn, state); state == http.StateIdle {
			idle <- struct{}{}
		}
	}
	server.Start()
	defer server.Close()
	dial := func(path string) (net.Conn, *bufio.Reader) {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		if path != "" {
			fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path)
		}
		return conn, bufio.NewReader(conn)
	}
	answered := func(r *bufio.Reader) {
		t.Helper()
		if res, err := http.ReadResponse(r, nil); err != nil || res.StatusCode != 200 {
			t.Fatalf("%v, %v", res, err)
		}
	}
	_, slow := dial("/slow")
	<-began
	_, silent := dial("")
	for range 3 { // each but the first takes the place of the one before
		_, quick := dial("/quick")
		answered(quick)
		<-idle
	}
	if _, err := silent.ReadByte(); err == nil {
		t.Error("the silent connection is still served")
	}
	close(finish)
	answered(slow)
}
