package edge

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
)

func TestStream_LargeBodiesBothWays(t *testing.T) {
	e := start(t, Config{})
	e.publish(map[string]*Site{"a.test": {Default: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(w, r.Body) // answers while it reads
	})}})
	const size = 50 << 20
	r, err := http.NewRequest("POST", "http://"+e.addr+"/", io.LimitReader(zeros{}, size))
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "a.test"
	res, err := e.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if n, err := io.Copy(io.Discard, res.Body); n != size || err != nil {
		t.Errorf("%d octets came back, %v", n, err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestStream_BodyArrivesWhileSent(t *testing.T) {
	e := start(t, Config{})
	e.publish(map[string]*Site{"a.test": {Default: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		line := make([]byte, 4)
		for {
			if _, err := io.ReadFull(r.Body, line); err != nil {
				return
			}
			w.Write(line)
			w.(http.Flusher).Flush()
		}
	})}})
	body, send := io.Pipe()
	r, err := http.NewRequest("POST", "http://"+e.addr+"/", body)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "a.test"
	go io.WriteString(send, "ping")
	res, err := e.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	got := make([]byte, 4)
	for _, word := range []string{"ping", "pong"} {
		if word == "pong" {
			io.WriteString(send, word)
		}
		if _, err := io.ReadFull(res.Body, got); err != nil || string(got) != word {
			t.Fatalf("got %q, %v", got, err)
		}
	}
	send.Close()
}

func TestStream_LargeFile(t *testing.T) {
	e := start(t, Config{})
	content := strings.Repeat("0123456789abcdef", 4*sendChunk/16) + "tail"
	e.publish(map[string]*Site{"a.test": {Assets: assets(t, "", map[string]string{"film.mp4": content})}})
	if got := e.get(t, "a.test", "/film.mp4"); got.body != content {
		t.Errorf("%d octets of %d, or other ones", len(got.body), len(content))
	}
	from := 2*sendChunk - 5
	got := e.get(t, "a.test", "/film.mp4", "Range", fmt.Sprintf("bytes=%d-%d", from, from+sendChunk+9))
	if got.status != 206 || got.body != content[from:from+sendChunk+10] {
		t.Errorf("a range over two chunks: %d, %d octets", got.status, len(got.body))
	}
	if got := e.get(t, "a.test", "/page"); got.status != 404 {
		t.Errorf("a site without functions: status %d", got.status)
	}
}

func TestStream_BrokenFile(t *testing.T) {
	e := start(t, Config{})
	dir := t.TempDir()
	e.publish(map[string]*Site{"a.test": {Assets: assetsIn(t, dir, "", map[string]string{"film.mp4": "frames"})}})
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if got := e.get(t, "a.test", "/film.mp4"); got.status != 503 || got.header.Get("Cache-Control") != "no-store" {
		t.Errorf("%d %v", got.status, got.header)
	}
}
