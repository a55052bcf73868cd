package edge

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// http2Peer is a client that sends the frames it is told to, and keeps what it gets.
type http2Peer struct {
	t      testing.TB
	c      *tls.Conn
	block  bytes.Buffer
	enc    *hpack.Encoder
	mu     sync.Mutex // of what follows, and of writes
	framer *http2.Framer
	opened []uint32
	whole  map[uint32]bool // requests that were sent to their end
	vague  map[uint32]bool // streams whose answer depends on the order of events
	got    map[uint32]*http2Answer
	sent   bool // all frames were
	seen   int  // frames
}

// http2Answer is what came on one stream.
type http2Answer struct {
	header string
	body   bytes.Buffer
	ended  bool // by END_STREAM
	reset  string
}

func (a *http2Answer) String() string {
	return fmt.Sprintf("%s\n%d octets: %.100q%s", a.header, a.body.Len(), a.body.Bytes(), a.reset)
}

func (s *secured) http2Peer(t testing.TB, settings ...http2.Setting) *http2Peer {
	t.Helper()
	c, err := tls.Dial("tcp", s.tls, &tls.Config{ServerName: "a.test", RootCAs: s.roots, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(time.Minute)) // ends a test that would hang
	p := &http2Peer{t: t, c: c, framer: http2.NewFramer(c, c), whole: map[uint32]bool{}, vague: map[uint32]bool{}, got: map[uint32]*http2Answer{}}
	p.enc = hpack.NewEncoder(&p.block)
	p.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	p.framer.AllowIllegalWrites = true
	io.WriteString(c, http2.ClientPreface)
	p.framer.WriteSettings(settings...)
	return p
}

func (p *http2Peer) nextStream() uint32 { return uint32(2*len(p.opened) + 1) }

func (p *http2Peer) encode(fields ...string) []byte {
	p.block.Reset()
	for i := 0; i < len(fields); i += 2 {
		p.enc.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	return bytes.Clone(p.block.Bytes())
}

// ask sends the head of a request. Its fields are in pairs.
func (p *http2Peer) ask(method, path string, end bool, fields ...string) uint32 {
	return p.request(end, p.head(method, path, fields...)...)
}

func (p *http2Peer) head(method, path string, fields ...string) []string {
	return append([]string{":method", method, ":scheme", "https", ":path", path, ":authority", "a.test"}, fields...)
}

func (p *http2Peer) request(end bool, fields ...string) uint32 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sendHead(end, fields...)
}

func (p *http2Peer) sendHead(end bool, fields ...string) uint32 {
	id := p.nextStream()
	p.opened = append(p.opened, id)
	p.whole[id] = end
	p.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: p.encode(fields...), EndHeaders: true, EndStream: end})
	return id
}

func (p *http2Peer) data(id uint32, end bool, octets []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.whole[id] = p.whole[id] || end
	p.framer.WriteData(id, end, octets)
}

// write sends other frames.
func (p *http2Peer) write(send func(*http2.Framer)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	send(p.framer)
}

// http2Outcome is what a script led to.
type http2Outcome struct {
	failed  string // how the connection ended; "" if it did not
	answers map[uint32]string
}

// play runs a script, opens all windows, and reads until every request that was sent to its end
// has its answer, or the connection ends.
func (p *http2Peer) play(script func()) http2Outcome {
	p.t.Helper()
	var writer sync.WaitGroup
	writer.Go(func() {
		script()
		p.write(func(f *http2.Framer) {
			f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 24})
			f.WriteWindowUpdate(0, 1<<24)
			p.sendHead(true, p.head("GET", "/end")...)
			p.sent = true
		})
	})
	failed := p.read()
	p.c.Close()
	writer.Wait()
	out := http2Outcome{failed: failed, answers: map[uint32]string{}}
	for id, a := range p.got {
		if p.whole[id] && !p.vague[id] {
			out.answers[id] = a.String()
		}
	}
	return out
}

// read returns how the connection ended, or "" when nothing is missing.
func (p *http2Peer) read() string {
	for {
		f, err := p.framer.ReadFrame()
		var inStream http2.StreamError
		switch {
		case errors.As(err, &inStream):
			p.t.Errorf("an answer that is malformed: %v", err)
			return "malformed"
		case isTimeout(err):
			p.t.Errorf("no end: %s", p.missing())
			return "timeout"
		case err != nil:
			return "closed"
		}
		if g, ok := f.(*http2.GoAwayFrame); ok {
			return fmt.Sprint(g.ErrCode)
		}
		p.mu.Lock()
		p.keep(f)
		done := p.sent && len(p.unanswered()) == 0 && p.got[p.opened[len(p.opened)-1]] != nil
		p.mu.Unlock()
		if done {
			return ""
		}
	}
}

func (p *http2Peer) missing() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return fmt.Sprint(p.unanswered())
}

func (p *http2Peer) unanswered() (ids []uint32) {
	for _, id := range p.opened {
		if a := p.got[id]; p.whole[id] && !p.vague[id] && (a == nil || !a.ended && a.reset == "") {
			ids = append(ids, id)
		}
	}
	return ids
}

func (p *http2Peer) keep(f http2.Frame) {
	if p.seen++; p.seen == 1 && f.Header().Type != http2.FrameSettings {
		p.t.Errorf("the first frame is %s", f.Header().Type) // RFC 9113, section 3.4
	}
	id := f.Header().StreamID
	if id == 0 {
		if f, ok := f.(*http2.SettingsFrame); ok && !f.IsAck() {
			p.framer.WriteSettingsAck()
		}
		return
	}
	a := p.got[id]
	if a == nil {
		a = &http2Answer{}
		p.got[id] = a
	}
	switch f := f.(type) {
	case *http2.MetaHeadersFrame:
		a.header += headerText(p.t, f.Fields)
		a.ended = f.StreamEnded()
	case *http2.DataFrame:
		if a.ended {
			p.t.Errorf("DATA on stream %d after its end", id)
		}
		a.body.Write(f.Data())
		a.ended = f.StreamEnded()
	case *http2.RSTStreamFrame:
		if !a.ended {
			a.reset = fmt.Sprint("\nreset: ", f.ErrCode)
		}
	}
}

// headerText returns fields without those that differ from one exchange to the next.
func headerText(t testing.TB, fields []hpack.HeaderField) string {
	var lines []string
	for _, f := range fields {
		switch {
		case f.Name == "date":
			date, err := http.ParseTime(f.Value)
			if err != nil || f.Value != "Sat, 28 Nov 2020 13:25:08 GMT" && time.Since(date).Abs() > time.Minute {
				t.Errorf("a wrong Date: %q", f.Value)
			}
			continue
		case f.Name == "x-request-id" && f.Value != "mine":
			f.Value = fmt.Sprint(len(f.Value), " characters")
		case f.Name == "content-length" && strings.Contains(fmt.Sprint(fields), "{x-request-id"):
			continue // of a page with the id
		case f.Name == "content-type" && slices.Contains(fields, hpack.HeaderField{Name: ":status", Value: "304"}):
			continue // which a 304 of net/http's HTTP/2 has if a rule sets it
		}
		lines = append(lines, f.Name+": "+f.Value)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// asHTTP2 returns the fields of the first request in an exchange of HTTP/1.1 as it would be sent over
// HTTP/2.
func asHTTP2(exchange string) []string {
	head, _, _ := strings.Cut(exchange, "\r\n\r\n")
	line, lines, _ := strings.Cut(head, "\r\n")
	method, rest, _ := strings.Cut(line, " ")
	path, _, _ := strings.Cut(rest, " ")
	fields := []string{":method", method, ":scheme", "https", ":path", path}
	var regular []string
	for line := range strings.SplitSeq(lines, "\r\n") {
		name, value, ok := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case ok && name == "Host" && len(fields) == 6:
			fields = append(fields, ":authority", value)
		case ok:
			regular = append(regular, strings.ToLower(name), value)
		}
	}
	return append(fields, regular...)
}

// wantSameOutcome plays a script against both edges.
func wantSameOutcome(t testing.TB, hits, plain *secured, settings []http2.Setting, script func(*http2Peer)) http2Outcome {
	t.Helper()
	var outcomes [2]http2Outcome
	for i, s := range []*secured{hits, plain} {
		p := s.http2Peer(t, settings...)
		outcomes[i] = p.play(func() { script(p) })
	}
	got, want := outcomes[0], outcomes[1]
	if got.failed != want.failed {
		t.Errorf("the connection ends with %q, that of net/http with %q", got.failed, want.failed)
	}
	if got.failed != "" || want.failed != "" {
		return got
	}
	for id, answer := range want.answers {
		if got.answers[id] != answer {
			t.Errorf("stream %d is answered\n%s\n\nnet/http answers\n%s", id, got.answers[id], answer)
		}
	}
	if len(got.answers) != len(want.answers) {
		t.Errorf("%d answers, and %d of net/http", len(got.answers), len(want.answers))
	}
	return got
}

func TestHTTP2Hit_EqualsNetHTTP(t *testing.T) {
	hits, plain := twins(t)
	for name, parts := range exchanges {
		t.Run(name, func(t *testing.T) {
			wantSameOutcome(t, hits, plain, nil, func(p *http2Peer) {
				p.write(func(f *http2.Framer) { f.WriteWindowUpdate(0, 1<<20) })
				for range 2 {
					p.request(true, asHTTP2(parts[0])...)
				}
			})
		})
	}
}

func TestHTTP2Hit_StoredPages(t *testing.T) {
	for request, hit := range pageRequests {
		p := storedPages(t, Sharing{})
		var outcomes []http2Outcome
		for _, e := range []*secured{p.hits, p.plain} {
			for range 2 {
				before := p.handled.Load()
				peer := e.http2Peer(t)
				outcomes = append(outcomes, peer.play(func() {
					peer.write(func(f *http2.Framer) { f.WriteWindowUpdate(0, 1<<20) })
					peer.request(true, asHTTP2(request)...)
				}))
				if byNetHTTP := p.handled.Load() > before; len(outcomes) == 2 && byNetHTTP == hit {
					t.Errorf("%q: answered by net/http: %t", request, byNetHTTP)
				}
			}
		}
		got, want := outcomes[1].answers[1], outcomes[3].answers[1]
		if got != want || got == "" {
			t.Errorf("%q:\n%s\nwant\n%s", request, got, want)
		}
	}
}

// TestHTTP2Hit_BypassesHandler would fail if the other tests compared net/http with itself.
func TestHTTP2Hit_BypassesHandler(t *testing.T) {
	var handled atomic.Int64
	s := startTLS(t, Config{Wrap: counting(&handled)}, "a.test")
	s.Publish(NewTable(map[string]*Site{"a.test": {
		Assets: assets(t, "", map[string]string{"small.txt": "hello"}), Default: says("page"),
	}}))
	p := s.http2Peer(t)
	out := p.play(func() {
		p.write(func(f *http2.Framer) { f.WriteWindowUpdate(0, 1<<20) })
		for range 10 {
			p.ask("GET", "/small.txt", true, "te", "trailers", "cookie", "a=b", "cookie", "c=d")
		}
		p.ask("GET", "/page", true)
		for range 10 {
			p.ask("GET", "/small.txt", true, "if-none-match", `"2cf24dba5fb0a30e26e83b2ac5b9e29e"`)
		}
	})
	if handled.Load() != 2 || out.failed != "" || len(out.answers) != 22 {
		t.Errorf("net/http answered %d requests of %d, and the connection ended with %q", handled.Load(), len(out.answers), out.failed)
	}
	for id, answer := range out.answers {
		want := ":status: 200"
		if id > 22 && id < 43 {
			want = ":status: 304"
		}
		if !strings.HasPrefix(answer, want) {
			t.Errorf("stream %d: %s", id, answer)
		}
	}
}

// The frames that a fuzzed script can have, each with a number that chooses what it says.
var fuzzPaths = []string{"/small.txt", "/_next/static/a.js", "/large.bin", "/page", "/ruled.txt", "/strict.txt", "/small.txt?dpl=old", "/%61"}

// A fuzzed client of HTTP/2. A script that would make net/http's answer depend on the order of events,
// and not only on the frames, is changed.
type fuzzedPeer struct {
	*http2Peer
	open  []uint32 // streams whose body continues
	known []uint32 // streams that net/http has seen to be opened: not those whose head was malformed
}

func (p *fuzzedPeer) play(op, n byte) {
	path := fuzzPaths[int(n)%len(fuzzPaths)]
	stream, before := p.nextStream()+200, len(p.opened) // one that was never opened
	if len(p.known) > 0 {
		stream = p.known[int(n)%len(p.known)]
	}
	defer func() {
		if op%32 != 24 {
			p.known = append(p.known, p.opened[before:]...)
		}
	}()
	payload := bytes.Repeat([]byte{'x'}, int(n)*8)
	f := func(send func(*http2.Framer)) { p.write(send) }
	switch op % 32 {
	case 0, 1, 2, 3, 4, 5, 6:
		p.ask("GET", path, true)
	case 7:
		p.ask("GET", path, true, "accept-encoding", "br", "cookie", strings.Repeat("c", int(n)), "x-field", "v")
	case 8:
		p.ask("HEAD", path, true)
	case 9:
		p.open = append(p.open, p.ask("POST", "/page", false))
	case 10:
		if len(p.open) > 0 {
			p.data(p.open[0], false, payload)
		}
	case 11:
		if len(p.open) > 0 {
			p.data(p.open[0], true, payload)
			p.open = p.open[1:]
		}
	case 12:
		if len(p.open) > 0 {
			p.mu.Lock()
			p.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: p.open[0], BlockFragment: p.encode("x-trailer", "1"), EndHeaders: true, EndStream: true})
			p.whole[p.open[0]] = true
			p.mu.Unlock()
			p.open = p.open[1:]
		}
	case 13:
		f(func(f *http2.Framer) { f.WritePing(n%4 == 0, [8]byte{n}) })
	case 14:
		f(func(f *http2.Framer) {
			f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: uint32(n) << 8})
		})
	case 15:
		f(func(f *http2.Framer) {
			f.WriteSettings(http2.Setting{ID: http2.SettingMaxFrameSize, Val: 1<<14 + uint32(n)}, http2.Setting{ID: http2.SettingEnablePush})
		})
	case 16, 17:
		f(func(f *http2.Framer) { f.WriteWindowUpdate(0, uint32(n)<<10) }) // 0 is an error
	case 18:
		p.vague[stream] = true
		f(func(f *http2.Framer) { f.WriteRSTStream(stream, http2.ErrCodeCancel) })
		p.open = slices.DeleteFunc(p.open, func(id uint32) bool { return id == stream })
	case 19:
		f(func(f *http2.Framer) { f.WritePriority(stream, http2.PriorityParam{StreamDep: 0, Weight: n}) })
	case 20:
		f(func(f *http2.Framer) { f.WriteWindowUpdate(stream, uint32(n)+1) })
	case 21: // a head in parts, padded
		p.mu.Lock()
		id := p.nextStream()
		p.opened, p.whole[id] = append(p.opened, id), true
		block := p.encode(p.head("GET", path, "x-field", "v")...)
		cut := min(int(n)%8, len(block))
		p.framer.WriteHeaders(http2.HeadersFrameParam{
			StreamID: id, BlockFragment: block[:cut], EndStream: true, PadLength: n, Priority: http2.PriorityParam{StreamDep: uint32(n), Weight: n},
		})
		p.framer.WriteContinuation(id, false, nil)
		p.framer.WriteContinuation(id, true, block[cut:])
		p.mu.Unlock()
	case 22:
		f(func(f *http2.Framer) { f.WriteRawFrame(http2.FrameType(0x10+n%64), http2.Flags(n), stream, payload) })
	case 23:
		p.ask("GET", path, true, "x-large", strings.Repeat("y", int(n)<<6))
	case 24:
		if n%8 == 0 {
			p.ask("GET", path, true, "Upper", "case")
		}
	case 25:
		if n%8 == 0 { // beyond what is open
			f(func(f *http2.Framer) { f.WriteWindowUpdate(p.nextStream()+2*uint32(n), 1) })
		}
	case 26:
		if n%8 == 0 {
			f(func(f *http2.Framer) { f.WriteData(p.nextStream(), false, payload) })
		}
	case 27:
		if n%16 == 0 {
			f(func(f *http2.Framer) { f.WriteContinuation(stream, true, payload) })
		}
	case 28:
		if n%16 == 0 {
			f(func(f *http2.Framer) { f.WriteRawFrame(http2.FrameHeaders, 0x4, p.nextStream()+1, []byte{0x82}) }) // an even stream
		}
	case 29:
		if n%16 == 0 {
			f(func(f *http2.Framer) { f.WriteRawFrame(http2.FrameHeaders, 0x5, p.nextStream(), []byte{0xff, 0xff}) }) // a broken block
		}
	case 30:
		if n%16 == 0 {
			f(func(f *http2.Framer) { f.WriteWindowUpdate(0, 1<<31-1) })
		}
	case 31:
		if n%16 == 0 {
			f(func(f *http2.Framer) {
				f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 31})
			})
		}
	}
}

func FuzzHTTP2Hits(f *testing.F) {
	f.Add([]byte{0, 0, 16, 255, 0, 0, 0, 1, 7, 200, 3, 3, 5, 2, 0, 0})
	f.Add([]byte{16, 255, 9, 0, 10, 100, 0, 0, 10, 255, 0, 1, 11, 40, 0, 0, 12, 0})
	f.Add([]byte{16, 255, 0, 2, 0, 2, 0, 0, 0, 1, 0, 0, 14, 1, 0, 0, 14, 255, 0, 0, 17, 3, 0, 2})
	f.Add([]byte{16, 255, 0, 0, 18, 0, 0, 0, 20, 0, 19, 1, 21, 0, 21, 8, 22, 5, 23, 255, 23, 30, 0, 0})
	f.Add([]byte{0xe1, 0, 16, 255, 0, 0, 3, 3, 0, 0})
	f.Add([]byte("\x10\xff\x00\x0080202000200000000020")) // a stream whose head is malformed
	for op := byte(13); op < 32; op++ {
		f.Add([]byte{16, 255, 0, 0, 0, 3, op, 0, 0, 0, 0, 3, op, 16, 0, 0})
	}
	hits, plain := twins(f)
	f.Fuzz(func(t *testing.T, ops []byte) {
		ops = ops[:min(len(ops), 120)]
		var settings []http2.Setting
		if len(ops) > 0 && ops[0] >= 0xe0 { // later, net/http would have a data race with its encoder
			settings = []http2.Setting{{ID: http2.SettingHeaderTableSize, Val: uint32(ops[0]-0xe0) << 8}}
		}
		wantSameOutcome(t, hits, plain, settings, func(p *http2Peer) {
			fuzzed := fuzzedPeer{http2Peer: p}
			for pair := range slices.Chunk(ops, 2) {
				fuzzed.play(pair[0], pair[len(pair)-1])
			}
			for _, id := range fuzzed.open {
				p.data(id, true, nil)
			}
		})
	})
}
