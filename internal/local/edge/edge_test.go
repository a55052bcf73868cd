package edge

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/local/edge/asset"
	"github.com/anchor-deploy/anchor/internal/testleak"
)

func TestMain(m *testing.M) { testleak.Main(m) }

// running is an Edge on a real port.
type running struct {
	*Edge
	addr   string
	client *http.Client
}

func start(t testing.TB, cfg Config) *running {
	t.Helper()
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := New(cfg)
	served := make(chan error, 1)
	go func() { served <- e.Serve(ln) }()
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := e.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	return &running{Edge: e, addr: ln.Addr().String(), client: client}
}

func (e *running) publish(sites map[string]*Site) { e.Publish(NewTable(sites)) }

type answer struct {
	status int
	header http.Header
	body   string
}

func (e *running) request(t testing.TB, method, host, target string, body io.Reader, headers ...string) answer {
	t.Helper()
	got, err := e.try(method, host, target, body, headers...)
	if err != nil {
		t.Fatalf("%s %s%s: %v", method, host, target, err)
	}
	return got
}

func (e *running) get(t testing.TB, host, target string, headers ...string) answer {
	t.Helper()
	return e.request(t, http.MethodGet, host, target, nil, headers...)
}

func (e *running) try(method, host, target string, body io.Reader, headers ...string) (answer, error) {
	r, err := http.NewRequest(method, "http://"+e.addr+target, body)
	if err != nil {
		return answer{}, err
	}
	r.Host = host
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	res, err := e.client.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, string(b)}, err
}

// dial opens a bare connection, for requests that a client library would not send.
func (e *running) dial(t testing.TB) (net.Conn, *bufio.Reader) {
	t.Helper()
	c, err := net.Dial("tcp", e.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(30 * time.Second)) // ends a test that would hang
	return c, bufio.NewReader(c)
}

// raw sends one request unchanged and returns the status of the answer.
func (e *running) raw(t testing.TB, request string) int {
	t.Helper()
	c, r := e.dial(t)
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode
}

// says returns a function that answers with a fixed word and reads the request's body.
func says(word string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, word)
	})
}

// echoesRequest answers with the request line and headers as the function saw them.
var echoesRequest = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "%s %s\n", r.Method, r.RequestURI)
	r.Header.Write(w)
})

func assets(t testing.TB, prefix string, content map[string]string) *asset.Index {
	t.Helper()
	return assetsIn(t, t.TempDir(), prefix, content)
}

func assetsIn(t testing.TB, dir, prefix string, content map[string]string) *asset.Index {
	t.Helper()
	place := asset.Place{Root: filepath.Join(dir, "root"), Variants: filepath.Join(dir, "v"), Memory: asset.NewMemory(1<<20, 0)}
	files := fixtureFiles(t, place.Root, content)
	index, err := asset.Build(context.Background(), place, asset.BuildOptions{Prefix: prefix, ModTime: time.Now()}, files)
	if err != nil {
		t.Fatal(err)
	}
	return index
}

// fixtureFiles writes files with their digests, as an unpacked artifact has them.
func fixtureFiles(t testing.TB, root string, content map[string]string) []asset.File {
	t.Helper()
	var files []asset.File
	for path, body := range content {
		name := filepath.Join(root, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(body), 0o644); err != nil {
			t.Fatal(err)
		}
		digest := sha256.Sum256([]byte(body))
		files = append(files, asset.File{Path: path, Digest: hex.EncodeToString(digest[:]), Size: int64(len(body))})
	}
	return files
}

func TestEdge_UnknownHost(t *testing.T) {
	e := start(t, Config{})
	e.publish(map[string]*Site{"secret.example.com": {ID: "secret", Default: says("secret")}})

	page := e.get(t, "nobody.example.com:8080", "/")
	if page.status != 404 || !strings.Contains(page.body, "nobody.example.com") || strings.Contains(page.body, "secret") {
		t.Errorf("status %d, page %s", page.status, page.body)
	}
	if !strings.HasPrefix(page.header.Get("Content-Type"), "text/html") || page.header.Get("Server") != "" {
		t.Errorf("headers %v", page.header)
	}
	problem := e.get(t, "nobody.example.com", "/", "Accept", "application/json")
	if problem.status != 404 || problem.header.Get("Content-Type") != "application/problem+json" ||
		!strings.Contains(problem.body, `"status":404`) {
		t.Errorf("status %d, %v, %s", problem.status, problem.header, problem.body)
	}
	if status := e.raw(t, "GET / HTTP/1.1\r\nHost: <script>alert(1)</script>\r\n\r\n"); status != 400 && status != 404 {
		t.Errorf("markup as host: status %d", status)
	}
}

func TestEdge_Hosts(t *testing.T) {
	e := start(t, Config{})
	e.publish(map[string]*Site{
		"shop.example.com": {Default: says("exact")},
		"*.example.com":    {Default: says("wildcard")},
		"[::1]":            {Default: says("loopback")},
	})
	for host, want := range map[string]string{
		"shop.example.com":      "exact",
		"SHOP.Example.com":      "exact",
		"shop.example.com.":     "exact",
		"shop.example.com:8080": "exact",
		"dep--shop.example.com": "wildcard",
		"[::1]":                 "loopback",
		"[::1]:80":              "loopback",
	} {
		if got := e.get(t, host, "/"); got.body != want {
			t.Errorf("%s: %d %s", host, got.status, got.body)
		}
	}
	for _, host := range []string{"example.com", "a.b.example.com", "shop.example.com.evil.com", ".example.com.", "*"} {
		if got := e.get(t, host, "/"); got.status != 404 {
			t.Errorf("%s: status %d", host, got.status)
		}
	}
	for _, host := range []string{"shop.example.com:http", "shop.example.com:65536", "[::1]:x"} {
		if got := e.get(t, host, "/"); got.status != 400 {
			t.Errorf("%s, which has no port: status %d", host, got.status)
		}
	}
}

func TestEdge_AsteriskFormIsOptionsOnly(t *testing.T) {
	e := start(t, Config{})
	e.publish(map[string]*Site{"a.test": {Default: says("hi")}})
	for method, want := range map[string]int{"OPTIONS": 200, "GET": 400, "POST": 400} {
		if got := e.raw(t, method+" * HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n\r\n"); got != want {
			t.Errorf("%s *: status %d, want %d", method, got, want)
		}
	}
}
