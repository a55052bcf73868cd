package edge

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/anchor-deploy/anchor/internal/local/edge/accesslog"
)

// filesAndPages is a site with files in memory and a function that sends back what it gets, and as
// many octets as the query says.
func filesAndPages(t testing.TB) *Site {
	return &Site{ID: "a", Slug: "shop", Assets: assets(t, "", map[string]string{
		"small.txt": "hello", "6k.txt": strings.Repeat("6", 6<<10), "50k.txt": strings.Repeat("5", 50<<10),
	}), Default: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var n int
		_, _ = fmt.Sscan(r.URL.RawQuery, &n)
		_, _ = io.Copy(w, r.Body)
		_, _ = io.Copy(w, io.LimitReader(repeats('z'), int64(n)))
	})}
}

// repeats is a stream of one octet.
type repeats byte

func (r repeats) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(r)
	}
	return len(p), nil
}

func startFilesAndPages(t testing.TB, cfg Config) (*secured, *atomic.Int64) {
	handled := new(atomic.Int64)
	cfg.Wrap = counting(handled)
	s := startTLS(t, cfg, "a.test")
	s.Publish(NewTable(map[string]*Site{"a.test": filesAndPages(t)}))
	return s, handled
}

// openWindow lets the edge answer hits: until the client opens the connection's window, all of it is
// net/http's.
func (p *http2Peer) openWindow(n uint32) {
	p.write(func(f *http2.Framer) { f.WriteWindowUpdate(0, n) })
}

// await reads frames until one satisfies done.
func (p *http2Peer) await(done func(http2.Frame) bool) {
	p.t.Helper()
	for {
		f, err := p.framer.ReadFrame()
		if err != nil {
			p.t.Fatal(err)
		}
		p.mu.Lock()
		p.keep(f)
		p.mu.Unlock()
		if done(f) {
			return
		}
	}
}

// awaitEnd reads until a stream has ended.
func (p *http2Peer) awaitEnd(id uint32) *http2Answer {
	p.t.Helper()
	p.await(func(http2.Frame) bool { a := p.got[id]; return a != nil && (a.ended || a.reset != "") })
	return p.got[id]
}

// TestHTTP2Hit_ClientUsesAllOfItsWindow: a client may open its window only when all of it was used.
// Then net/http needs the part that was kept for hits.
func TestHTTP2Hit_ClientUsesAllOfItsWindow(t *testing.T) {
	for _, more := range []int{1, 1000, 100 << 10, 1 << 20} {
		s, _ := startFilesAndPages(t, Config{})
		p := s.http2Peer(t, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 24})
		p.openWindow(uint32(more))
		window := firstWindow + more
		for round := range 3 {
			hit := p.awaitEnd(p.ask("GET", "/small.txt", true))
			page := p.ask("GET", fmt.Sprintf("/page?%d", 2*window), true)
			p.await(func(http2.Frame) bool { return p.got[page] != nil && p.got[page].body.Len() == window-hit.body.Len() })
			p.openWindow(uint32(window)) // the page continues where it stopped
			p.await(func(http2.Frame) bool { return p.got[page].body.Len() == 2*window-hit.body.Len() })
			p.openWindow(uint32(window))
			if got := p.awaitEnd(page); got.body.Len() != 2*window {
				t.Errorf("window of %d, round %d: %d octets", window, round, got.body.Len())
			}
			p.openWindow(uint32(hit.body.Len()))
		}
	}
}

// TestHTTP2Hit_LongerThanWindow: what does not fit into a window is net/http's, which waits.
func TestHTTP2Hit_LongerThanWindow(t *testing.T) {
	s, handled := startFilesAndPages(t, Config{})
	p := s.http2Peer(t, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 5000})
	p.openWindow(1 << 20)
	file := p.ask("GET", "/6k.txt", true)
	p.await(func(http2.Frame) bool { return p.got[file] != nil && p.got[file].body.Len() == 5000 })
	for range 3 {
		p.awaitEnd(p.ask("GET", "/small.txt", true))
	}
	p.write(func(f *http2.Framer) { f.WriteWindowUpdate(file, 5000) })
	if got := p.awaitEnd(file); got.body.Len() != 6<<10 || handled.Load() != 1 {
		t.Errorf("%d octets, %d requests were net/http's", got.body.Len(), handled.Load())
	}
	// The client opens the windows of new streams, and later shuts them.
	p.write(func(f *http2.Framer) {
		f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 7000})
	})
	p.awaitEnd(p.ask("GET", "/6k.txt", true))
	if handled.Load() != 1 {
		t.Error("a file that fits was net/http's")
	}
	p.write(func(f *http2.Framer) { f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize}) })
	late := p.ask("GET", "/small.txt", true)
	p.awaitEnd(p.ask("GET", "/small.txt", true, "if-none-match", `"2cf24dba5fb0a30e26e83b2ac5b9e29e"`)) // which has no body
	if a := p.got[late]; a != nil && a.body.Len() > 0 {
		t.Errorf("%d octets into a window of 0", a.body.Len())
	}
	p.write(func(f *http2.Framer) { f.WriteWindowUpdate(late, 5) })
	if got := p.awaitEnd(late); got.body.String() != "hello" {
		t.Errorf("%q", got.body.String())
	}
}

// A client that limits the dynamic table has one encoder only.
func TestHTTP2Hit_SmallHeaderTable(t *testing.T) {
	s, handled := startFilesAndPages(t, Config{})
	p := s.http2Peer(t)
	p.openWindow(1 << 20)
	p.awaitEnd(p.ask("GET", "/small.txt", true))
	p.awaitEnd(p.ask("GET", "/page", true))
	p.write(func(f *http2.Framer) {
		f.WriteSettings(http2.Setting{ID: http2.SettingHeaderTableSize, Val: 100})
	})
	before := handled.Load()
	for range 3 {
		if a := p.awaitEnd(p.ask("GET", "/small.txt", true)); a.body.String() != "hello" {
			t.Errorf("%v", a)
		}
	}
	if n := handled.Load() - before; n != 3 {
		t.Errorf("net/http answered %d of 3 requests", n)
	}
}

// TestHTTP2Hit_DataAfterEnd: the stream was answered and is closed. Its frames concern neither
// net/http nor other streams.
func TestHTTP2Hit_DataAfterEnd(t *testing.T) {
	s, handled := startFilesAndPages(t, Config{})
	p := s.http2Peer(t)
	p.openWindow(1 << 20)
	id := p.ask("GET", "/small.txt", true)
	p.write(func(f *http2.Framer) {
		f.WriteWindowUpdate(id, 100)
		f.WritePriority(id, http2.PriorityParam{Weight: 3})
		f.WriteData(id, false, []byte("late"))
	})
	var code http2.ErrCode
	var refund uint32
	p.await(func(f http2.Frame) bool {
		switch f := f.(type) {
		case *http2.RSTStreamFrame:
			code = f.ErrCode
		case *http2.WindowUpdateFrame:
			refund = f.Increment
		}
		return code != 0 && refund == 4
	})
	p.write(func(f *http2.Framer) { f.WriteRSTStream(id, http2.ErrCodeCancel) })
	if a := p.awaitEnd(p.ask("POST", "/page", true)); code != http2.ErrCodeStreamClosed || handled.Load() != 1 || !a.ended {
		t.Errorf("reset with %s, then %v", code, a)
	}
	p.write(func(f *http2.Framer) {
		f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: p.encode("x", "y"), EndHeaders: true})
	})
	p.await(func(f http2.Frame) bool {
		g, ok := f.(*http2.GoAwayFrame)
		return ok && g.ErrCode == http2.ErrCodeProtocol && g.LastStreamID == p.opened[len(p.opened)-1]
	})
}

// Abuse that never reaches net/http has limits of its own.
func TestHTTP2Hit_Abuse(t *testing.T) {
	for name, c := range map[string]struct {
		send func(p *http2Peer)
		want http2.ErrCode
	}{
		"streams reset at once": {func(p *http2Peer) {
			for range 2000 {
				id := p.ask("GET", "/small.txt", true)
				p.write(func(f *http2.Framer) { f.WriteRSTStream(id, http2.ErrCodeCancel) })
			}
		}, http2.ErrCodeEnhanceYourCalm},
		"data of closed streams": {func(p *http2Peer) {
			id := p.ask("GET", "/small.txt", true)
			for range 2000 {
				p.write(func(f *http2.Framer) { f.WriteData(id, false, nil) })
			}
		}, http2.ErrCodeEnhanceYourCalm},
		"heads without end": {func(p *http2Peer) {
			p.write(func(f *http2.Framer) {
				f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: headBlock("GET", "/small.txt")})
				for range 1000 {
					f.WriteContinuation(1, false, nil)
				}
			})
		}, http2.ErrCodeEnhanceYourCalm},
		"large heads": {func(p *http2Peer) {
			p.write(func(f *http2.Framer) {
				f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: headBlock("GET", "/small.txt")})
				for range 10 {
					f.WriteContinuation(1, false, bytes.Repeat([]byte{0x82}, 10_000))
				}
			})
		}, http2.ErrCodeProtocol},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := startFilesAndPages(t, Config{})
			p := s.http2Peer(t)
			p.openWindow(1 << 24)
			var sending sync.WaitGroup
			sending.Go(func() { c.send(p) })
			p.await(func(f http2.Frame) bool {
				g, ok := f.(*http2.GoAwayFrame)
				if ok && g.ErrCode != c.want {
					t.Errorf("%s, want %s", g.ErrCode, c.want)
				}
				return ok
			})
			p.c.Close()
			sending.Wait()
		})
	}
}

// A client that reads only after it has sent everything learns why the connection ended: octets that
// the edge left unread would make the system reset the connection, and drop what was not received yet.
func TestHTTP2Hit_SlowReaderLearnsOfItsError(t *testing.T) {
	for name, c := range map[string]struct {
		offend func(f *http2.Framer)
		want   http2.ErrCode
	}{
		"found here": {func(f *http2.Framer) {
			f.WriteHeaders(http2.HeadersFrameParam{StreamID: 9001, BlockFragment: headBlock("GET", "/small.txt")})
			for range 1000 {
				f.WriteContinuation(9001, false, nil)
			}
		}, http2.ErrCodeEnhanceYourCalm},
		"found by net/http": {func(f *http2.Framer) { f.WriteWindowUpdate(0, 0) }, http2.ErrCodeProtocol},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := startFilesAndPages(t, Config{})
			p := s.http2Peer(t)
			p.openWindow(1 << 24)
			p.awaitEnd(p.ask("GET", "/small.txt", true)) // it need not acknowledge the settings later, when nobody reads that
			for range 800 {                              // more than the client's side of the connection holds
				p.ask("GET", "/small.txt", true)
			}
			var last bytes.Buffer
			f := http2.NewFramer(&last, nil)
			f.AllowIllegalWrites = true
			c.offend(f)
			for range 8 { // what is not read any more
				f.WriteRawFrame(0x20, 0, 0, make([]byte, 10_000))
			}
			if _, err := p.c.Write(last.Bytes()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Second) // net/http closes a second after it has sent GOAWAY
			p.await(func(f http2.Frame) bool {
				g, ok := f.(*http2.GoAwayFrame)
				if ok && g.ErrCode != c.want {
					t.Errorf("%s, want %s", g.ErrCode, c.want)
				}
				return ok
			})
		})
	}
}

// A head that is too large is answered, and the connection continues.
func TestHTTP2Hit_LargeHead(t *testing.T) {
	s, _ := startFilesAndPages(t, Config{})
	p := s.http2Peer(t)
	p.openWindow(1 << 20)
	block := p.encode(p.head("GET", "/small.txt", "cookie", strings.Repeat("~", 30<<10), "x", strings.Repeat("~", 10<<10))...)
	p.opened = append(p.opened, 1)
	p.write(func(f *http2.Framer) {
		f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block[:16000], EndStream: true})
		for block = block[16000:]; len(block) > 16000; block = block[16000:] {
			f.WriteContinuation(1, false, block[:16000])
		}
		f.WriteContinuation(1, true, block)
	})
	if a := p.awaitEnd(1); !strings.Contains(a.header, ":status: 431") {
		t.Errorf("%v", a)
	}
	if a := p.awaitEnd(p.ask("GET", "/small.txt", true)); a.body.String() != "hello" {
		t.Errorf("%v", a)
	}
}

// A connection without requests ends, and net/http's GOAWAY names the last hit.
func TestHTTP2Hit_IdleConnection(t *testing.T) {
	s, handled := startFilesAndPages(t, Config{IdleTimeout: 2 * time.Second})
	p := s.http2Peer(t)
	p.openWindow(1 << 20)
	id := p.ask("GET", "/small.txt", true)
	p.await(func(f http2.Frame) bool {
		g, ok := f.(*http2.GoAwayFrame)
		return ok && g.ErrCode == http2.ErrCodeNo && g.LastStreamID == id
	})
	if _, err := p.framer.ReadFrame(); err == nil || isTimeout(err) {
		t.Errorf("the connection stays open: %v", err)
	}
	if handled.Load() > 0 {
		t.Error("net/http saw the hit")
	}
}

// A hit, and a stream of net/http's, keep a connection open, which net/http does not know of the first.
func TestHTTP2Hit_NotIdle(t *testing.T) {
	now := time.Now()
	for name, c := range map[string]struct {
		last, quiet time.Time
		streams     map[uint32]ended
		idle        bool
	}{
		"a hit":               {last: now, quiet: now.Add(-time.Hour)},
		"an answer":           {last: now.Add(-time.Hour), quiet: now},
		"a request under way": {last: now.Add(-time.Hour), quiet: now.Add(-time.Hour), streams: map[uint32]ended{1: 0}},
		"none":                {last: now.Add(-time.Hour), quiet: now.Add(-time.Hour), idle: true},
	} {
		session, peer := net.Pipe()
		defer peer.Close()
		conn := &http2Conn{Conn: session, hits: hitConn{edge: New(Config{IdleTimeout: time.Minute})}}
		conn.in.lastRequest, conn.out.quietSince, conn.out.streams = c.last, c.quiet, c.streams
		if err := conn.timeOut(os.ErrDeadlineExceeded); err != nil || len(conn.in.ready) > 0 != c.idle {
			t.Errorf("%s: %v, net/http gets %x", name, err, conn.in.ready)
		}
	}
}

// A client that does not read its answers is disconnected.
func TestHTTP2Hit_SlowReader(t *testing.T) {
	for name, body := range map[string]bool{"hits alone": false, "with an upload": true} {
		t.Run(name, func(t *testing.T) {
			s, _ := startFilesAndPages(t, Config{Download: fast})
			p := s.http2Peer(t, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 30})
			p.openWindow(1 << 30)
			if body {
				p.ask("POST", "/page", false)
			}
			for range 1000 {
				p.ask("GET", "/50k.txt", true)
			}
			for p.write(func(*http2.Framer) {}); ; time.Sleep(time.Millisecond) {
				if _, err := p.c.Write(nil); err != nil {
					break
				}
				var failed error
				p.write(func(f *http2.Framer) { failed = f.WritePing(false, [8]byte{}) })
				if failed != nil {
					break
				}
			}
		})
	}
}

// TestHTTP2Hit_GoAway: the last stream of a GOAWAY is the last that either side has taken, and those
// before it that net/http does not answer are refused.
func TestHTTP2Hit_GoAway(t *testing.T) {
	o := &http2Out{last: 7, streams: map[uint32]ended{1: 0, 3: 0, 5: 0, 9: 0}}
	frame := appendFrame(nil, frameHead{kind: frameGoAway}, binary.BigEndian.AppendUint32([]byte{0, 0, 0, 3}, 0))
	ping := appendFrame(nil, frameHead{kind: 0x6}, make([]byte, 8))
	all := append(append(bytes.Clone(ping), frame...), ping...)
	for cut := range all {
		o := &http2Out{last: o.last, streams: map[uint32]ended{1: 0, 3: 0, 5: 0, 9: 0}}
		got := append(bytes.Clone(o.follow(all[:cut])), o.follow(all[cut:])...)
		framer := http2.NewFramer(nil, bytes.NewReader(got))
		var texts []string
		for {
			f, err := framer.ReadFrame()
			if err != nil {
				break
			}
			switch f := f.(type) {
			case *http2.GoAwayFrame:
				texts = append(texts, fmt.Sprint("last ", f.LastStreamID))
			case *http2.RSTStreamFrame:
				texts = append(texts, fmt.Sprint(f.ErrCode, " ", f.StreamID))
			default:
				texts = append(texts, f.Header().Type.String())
			}
		}
		if got := strings.Join(texts, ", "); got != "PING, last 7, REFUSED_STREAM 5, PING" || len(o.streams) != 2 || !o.leaving {
			t.Errorf("cut at %d: %s, %v", cut, got, o.streams)
		}
	}
}

// TestHTTP2Hit_UnderLoad mixes files, downloads, uploads and switches on one connection.
func TestHTTP2Hit_UnderLoad(t *testing.T) {
	s := startTLS(t, Config{}, "a.test")
	site := filesAndPages(t)
	var current atomic.Int64
	publish := func(n int64) {
		next := newVersion(t, fmt.Sprint("v", n))
		s.Publish(NewTable(map[string]*Site{"a.test": site, "v.test": next.Site}))
		current.Store(n)
	}
	publish(0)
	client := s.client(t, true)
	var load sync.WaitGroup
	stop := make(chan struct{})
	ask := func(method, target string, body []byte, want func(got []byte) bool) {
		r, err := http.NewRequest(method, "https://a.test"+target, bytes.NewReader(body))
		if err != nil {
			t.Error(err)
			return
		}
		res, err := client.Do(r)
		if err != nil {
			t.Errorf("%s: %v", target, err)
			return
		}
		defer res.Body.Close()
		got, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != 200 || res.ProtoMajor != 2 || !want(got) {
			t.Errorf("%s: %d, %d octets, %v", target, res.StatusCode, len(got), err)
		}
	}
	until := func(f func()) {
		load.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					f()
				}
			}
		})
	}
	upload := bytes.Repeat([]byte("upload "), 60_000)
	for range 4 {
		until(func() { ask("GET", "/6k.txt", nil, func(got []byte) bool { return len(got) == 6<<10 }) })
		until(func() { ask("GET", "/50k.txt", nil, func(got []byte) bool { return len(got) == 50<<10 }) })
	}
	until(func() {
		ask("POST", "/echo?5000", upload, func(got []byte) bool { return len(got) == len(upload)+5000 })
	})
	until(func() { ask("GET", "/page?3000000", nil, func(got []byte) bool { return len(got) == 3_000_000 }) })
	for n := range int64(200) {
		publish(n + 1)
		ask("GET", "/small.txt", nil, func(got []byte) bool { return string(got) == "hello" })
	}
	close(stop)
	load.Wait()
}

// TestHTTP2Hit_SeesSwitch: after a switch, the next request of an open connection has the new answer.
func TestHTTP2Hit_SeesSwitch(t *testing.T) {
	s := startTLS(t, Config{}, "a.test")
	p := (*http2Peer)(nil)
	for n := range 50 {
		want := fmt.Sprint("v", n)
		s.Publish(NewTable(map[string]*Site{"a.test": {Assets: assets(t, "", map[string]string{"small.txt": want})}}))
		if p == nil {
			p = s.http2Peer(t)
			p.openWindow(1 << 20)
		}
		if a := p.awaitEnd(p.ask("GET", "/small.txt", true)); a.body.String() != want {
			t.Fatalf("after the switch to %s: %v", want, a)
		}
	}
}

// TestHTTP2Hit_ShutdownLosesNothing: an edge that stops says which requests it has taken, and clients
// send the others to the edge that follows it.
func TestHTTP2Hit_ShutdownLosesNothing(t *testing.T) {
	for range 2 {
		first, _ := startFilesAndPages(t, Config{})
		second, _ := startFilesAndPages(t, Config{})
		cert, err := second.cfg.GetCertificate(&tls.ClientHelloInfo{ServerName: "a.test"})
		if err != nil {
			t.Fatal(err)
		}
		first.roots.AddCert(cert.Leaf)
		var to atomic.Pointer[string]
		to.Store(&first.tls)
		client := first.client(t, true)
		client.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, *to.Load())
		}
		var load sync.WaitGroup
		var asked atomic.Int64
		stop := make(chan struct{})
		for i := range 8 {
			target, want := "/6k.txt", 6<<10
			if i%2 == 0 {
				target, want = "/page?20000", 20000
			}
			load.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					res, err := client.Get("https://a.test" + target)
					if err != nil {
						t.Errorf("%s: %v", target, err)
						return
					}
					got, err := io.ReadAll(res.Body)
					res.Body.Close()
					if err != nil || len(got) != want {
						t.Errorf("%s: %d octets, %v", target, len(got), err)
					}
					asked.Add(1)
				}
			})
		}
		for asked.Load() < 200 {
			time.Sleep(time.Millisecond)
		}
		to.Store(&second.tls)
		if err := first.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		for enough := asked.Load() + 100; asked.Load() < enough && !t.Failed(); {
			time.Sleep(time.Millisecond)
		}
		close(stop)
		load.Wait()
	}
}

// A hit over HTTP/2 is logged and counted as net/http's answer is.
func TestHTTP2Hit_IsLogged(t *testing.T) {
	var out bytes.Buffer
	log, err := accesslog.Open(accesslog.Config{Output: &out})
	if err != nil {
		t.Fatal(err)
	}
	s, handled := startFilesAndPages(t, Config{AccessLog: log})
	p := s.http2Peer(t)
	p.openWindow(1 << 20)
	p.awaitEnd(p.ask("GET", "/small.txt?q", true, "user-agent", "peer", "x-request-id", "mine"))
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`"HTTP/2.0"`, `"/small.txt"`, `"query":true`, `"peer"`, `"mine"`, `"shop"`, `"127.0.0.1"`, "200"} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("%s is missing in %s", part, &out)
		}
	}
	var requests uint64
	waitFor(t, func() bool { // a batch is counted when it was sent, which the client sees first
		requests = 0
		for _, sample := range s.Measure().Sites[0].Samples {
			requests += sample.Durations.Total()
		}
		return requests > 0
	})
	if requests != 1 || handled.Load() != 0 {
		t.Errorf("%d requests counted, %d by net/http", requests, handled.Load())
	}
}
