package worker

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

const mib = 1 << 20

// zeros returns a body of n bytes that takes no memory.
func zeros(n int64) io.Reader { return io.LimitReader(zeroReader{}, n) }

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) { clear(p); return len(p), nil }

type uploaded struct {
	Size    int64
	GrewMiB int
	Length  *string
}

func TestStream_LargeRequestBody(t *testing.T) {
	t.Parallel()
	s := newSite(t, Spec{})
	const size = 200 * mib
	for _, known := range []bool{true, false} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/upload", zeros(size))
		if err != nil {
			t.Fatal(err)
		}
		if known {
			req.ContentLength = size
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		got := decode[uploaded](t, string(body))
		if got.Size != size || got.GrewMiB > 120 {
			t.Errorf("length known %v: the app read %d bytes and grew by %d MiB", known, got.Size, got.GrewMiB)
		}
		if known != (got.Length != nil) || (known && *got.Length != "209715200") {
			t.Errorf("length known %v: the app saw content-length %v", known, got.Length)
		}
	}
}

func TestStream_RequestBodySizes(t *testing.T) {
	t.Parallel()
	bothWrappers(t, func(t *testing.T, s *site) {
		for _, size := range []int64{1, 6*mib - 1, 6 * mib, 6*mib + 1, 50 * mib} {
			if got := decode[uploaded](t, s.do(t, "POST", "/upload", zeros(size)).body); got.Size != size {
				t.Errorf("of %d bytes the app read %d", size, got.Size)
			}
		}
	})
}

func TestStream_BodyInEvent(t *testing.T) {
	t.Parallel()
	s := newSite(t, Spec{Dir: "testdata/old"})
	if a := s.do(t, "POST", "/", zeros(20*mib)); a.body != "20971520" {
		t.Errorf("the app saw %s bytes", a.body)
	}
}

func TestRewrite_LargeBody(t *testing.T) {
	t.Parallel()
	count := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		io.WriteString(w, strings.Repeat("n", int(n/mib)))
		if err != nil {
			t.Error(err)
		}
	})
	plain, secure := httptest.NewServer(count), httptest.NewTLSServer(count)
	defer plain.Close()
	defer secure.Close()
	s := newSite(t, Spec{})
	for _, path := range []string{"/proxy?to=" + plain.URL, "/proxy?to=" + secure.URL, "/proxy-fetch?to=" + plain.URL} {
		if a := s.do(t, "POST", path, zeros(30*mib)); len(a.body) != 30 {
			t.Errorf("%s: %d of 30 MiB arrived (%d)", path, len(a.body), a.StatusCode)
		}
	}
}

func TestStream_LargeResponse(t *testing.T) {
	t.Parallel()
	s := newSite(t, Spec{})
	resp := s.open(t, t.Context(), "/download?mib=200")
	n, err := io.Copy(io.Discard, resp.Body)
	if n != 200*mib || err != nil {
		t.Errorf("got %d bytes, %v", n, err)
	}
	line := s.logs.wait(t, "download grew by ")
	if len(strings.TrimPrefix(line.Text, "download grew by ")) > 2 {
		t.Errorf("the app held the body: it %s MiB", line.Text)
	}
}

func TestStream_BufferedWrapper(t *testing.T) {
	t.Parallel()
	s := newSite(t, Spec{Dir: "testdata/buffered"})
	if a := s.get(t, "/download?mib=50"); len(a.body) != 50*mib || a.ContentLength != 50*mib {
		t.Errorf("got %d bytes of %d", len(a.body), a.ContentLength)
	}
}

func TestStream_FullDuplex(t *testing.T) {
	t.Parallel()
	s := newSite(t, Spec{})
	reader, writer := io.Pipe()
	go func() {
		// More than an event can hold, so that the rest is a stream; then line by line.
		_, _ = io.Copy(writer, io.LimitReader(newlines{}, 7*mib))
	}()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/talk", reader)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answers := bufio.NewReader(resp.Body)
	awaitLine := func(text string) {
		t.Helper()
		for {
			line, err := answers.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(line, text) {
				return
			}
		}
	}
	for _, word := range []string{"first", "second"} {
		if _, err := io.WriteString(writer, word+"\n"); err != nil {
			t.Fatal(err)
		}
		awaitLine(word)
	}
	writer.Close()
	if _, err := io.Copy(io.Discard, answers); err != nil {
		t.Error(err)
	}
}

type newlines struct{}

func (newlines) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '\n'
	}
	return len(p), nil
}

func TestStream_EventsAndDisconnect(t *testing.T) {
	t.Parallel()
	s := newSite(t, Spec{})
	ctx, cancel := context.WithCancel(t.Context())
	events := bufio.NewScanner(s.open(t, ctx, "/sse").Body)
	for _, want := range []string{"data: 0", "", "data: 1"} {
		if !events.Scan() || events.Text() != want {
			t.Fatalf("got %q, want %q", events.Text(), want)
		}
	}
	cancel()
	s.logs.wait(t, "sse closed")
	s.eventually(t, "nothing in flight", func(st Stats) bool { return st.InFlight == 0 })
	if a := s.get(t, "/hello"); a.body != "hello" {
		t.Errorf("afterwards: %q", a.body)
	}
}

func TestStream_HeadOfSilentStream(t *testing.T) {
	t.Parallel()
	s := newSite(t, Spec{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if resp := s.open(t, ctx, "/quiet"); resp.StatusCode != 200 {
		t.Errorf("status %d", resp.StatusCode)
	}
	cancel()
	s.logs.wait(t, "quiet closed")
}

func TestStream_DisconnectBeforeHead(t *testing.T) {
	t.Parallel()
	bothWrappers(t, func(t *testing.T, s *site) {
		ctx, cancel := context.WithCancel(t.Context())
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/hang", nil)
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() {
			resp, err := http.DefaultClient.Do(req)
			if err == nil {
				resp.Body.Close()
			}
			done <- err
		}()
		s.logs.wait(t, "hang began")
		cancel()
		if receive(t, done, "the client's end") == nil {
			t.Error("the request was answered")
		}
		s.logs.wait(t, "hang ended")
		if n := s.Stats().Restarts; n != 0 {
			t.Errorf("%d restarts", n)
		}
	})
}

// TestStream_DisconnectsCastNoDoubt: a process is not to blame for clients that disconnect during an
// upload or while they wait for an answer.
func TestStream_DisconnectsCastNoDoubt(t *testing.T) {
	t.Parallel()
	s := newSite(t, Spec{})
	before := s.get(t, "/pid").body
	for range 20 {
		s.disconnect(t, http.MethodPost, "/upload")
		s.disconnect(t, http.MethodGet, "/hang")
		if after := s.get(t, "/pid").body; after != before {
			t.Fatalf("process %s was replaced by %s", before, after)
		}
	}
}

// disconnect sends a request, a POST with part of a body, and disconnects when it is in flight. It
// returns when it no longer is.
func (s *site) disconnect(t *testing.T, method, path string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	reader, writer := io.Pipe()
	var body io.Reader
	if method == http.MethodPost {
		body = reader
	}
	req, err := http.NewRequestWithContext(ctx, method, s.url+path, body)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if resp, err := http.DefaultClient.Do(req); err == nil {
			resp.Body.Close()
		}
	}()
	if body != nil {
		if _, err := io.Copy(writer, zeros(mib)); err != nil {
			t.Fatal(err)
		}
	}
	s.eventually(t, "the request in flight", func(st Stats) bool { return st.InFlight == 1 })
	cancel()
	writer.CloseWithError(context.Canceled)
	receive(t, done, "the client's end")
	s.eventually(t, "nothing in flight", func(st Stats) bool { return st.InFlight == 0 })
}

func TestStream_LongHeaders(t *testing.T) {
	t.Parallel()
	s := newSite(t, Spec{})
	if a := s.do(t, "GET", "/", nil, "Cookie", "a="+strings.Repeat("x", 48<<10)); a.StatusCode != http.StatusOK {
		t.Errorf("48 KiB of headers: status %d", a.StatusCode)
	}
}
