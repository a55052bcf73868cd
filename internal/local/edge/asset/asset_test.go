package asset

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/anchor-deploy/anchor/internal/testleak"
)

func TestMain(m *testing.M) { testleak.Main(m) }

var built = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// site is a small deployment on disk: the kinds of files OpenNext puts under .open-next/assets.
var site = map[string]string{
	"BUILD_ID":                               "b1",
	"hello.txt":                              "hello",
	"logo.png":                               noise(70_000),
	"robots.txt":                             strings.Repeat("Disallow: /admin\n", 200),
	"100%.txt":                               "a percent sign",
	"snow man.txt":                           "a space",
	"_next/static/chunks/main-abc.js":        strings.Repeat("export const answer = 42;\n", 400),
	"_next/static/chunks/app/[slug]/page.js": "export default 1",
	"_next/static/media/noise.js":            noise(4096),
	"_next/static/chunks/large.js":           strings.Repeat("const large = 'file';\n", 30_000),
}

// noise returns text that no encoder can shrink.
func noise(n int) string {
	source := rand.NewChaCha8([32]byte{1})
	b := make([]byte, n)
	source.Read(b)
	return string(b)
}

type fixture struct {
	place Place
	files []File
}

func write(t testing.TB, content map[string]string) fixture {
	t.Helper()
	dir := t.TempDir()
	f := fixture{place: Place{
		Root: filepath.Join(dir, "assets"), Variants: filepath.Join(dir, "variants"), Memory: NewMemory(1<<20, 0),
	}}
	for path, body := range content {
		name := filepath.Join(f.place.Root, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(body), 0o644); err != nil {
			t.Fatal(err)
		}
		digest := sha256.Sum256([]byte(body))
		f.files = append(f.files, File{Path: path, Digest: hex.EncodeToString(digest[:]), Size: int64(len(body))})
	}
	return f
}

func (f fixture) build(t testing.TB, prefix string) *Index {
	t.Helper()
	index, err := Build(context.Background(), f.place, BuildOptions{Prefix: prefix, ModTime: built}, f.files)
	if err != nil {
		t.Fatal(err)
	}
	return index
}

func get(t testing.TB, index *Index, path string, headers ...string) *http.Response {
	t.Helper()
	return ask(t, index, http.MethodGet, path, headers...)
}

func ask(t testing.TB, index *Index, method, path string, headers ...string) *http.Response {
	t.Helper()
	a, ok := index.Lookup(path)
	if !ok {
		t.Fatalf("%s is not in the index", path)
	}
	r := httptest.NewRequest(method, "/", nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	if err := a.Serve(w, r); err != nil {
		t.Fatal(err)
	}
	return w.Result()
}

func body(t testing.TB, r *http.Response) string {
	t.Helper()
	var from io.Reader = r.Body
	switch r.Header.Get("Content-Encoding") {
	case "br":
		from = brotli.NewReader(r.Body)
	case "gzip":
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		from = z
	case "zstd":
		z, err := zstd.NewReader(r.Body, zstd.WithDecoderConcurrency(1))
		if err != nil {
			t.Fatal(err)
		}
		defer z.Close()
		from = z
	}
	b, err := io.ReadAll(from)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestServe_EveryFileWhole(t *testing.T) {
	index := write(t, site).build(t, "")
	for path, want := range site {
		for _, accept := range []string{"", "gzip", "zstd", "gzip, br"} {
			for range 2 { // the second time from memory, if it fits
				got := get(t, index, "/"+path, "Accept-Encoding", accept)
				if got.StatusCode != http.StatusOK || body(t, got) != want {
					t.Errorf("%s with Accept-Encoding %q: status %d or a different body", path, accept, got.StatusCode)
				}
			}
		}
	}
}

func TestServe_Headers(t *testing.T) {
	index := write(t, site).build(t, "")
	const forever, always = "public,max-age=31536000,immutable", "public,max-age=0,must-revalidate"
	for _, c := range []struct{ path, mediaType, lifetime, vary string }{
		{"/hello.txt", "text/plain; charset=utf-8", always, ""},
		{"/robots.txt", "text/plain; charset=utf-8", always, "Accept-Encoding"},
		{"/logo.png", "image/png", always, ""},
		{"/BUILD_ID", "application/octet-stream", always, ""},
		{"/_next/static/chunks/main-abc.js", "text/javascript; charset=utf-8", forever, "Accept-Encoding"},
	} {
		h := get(t, index, c.path).Header
		if h.Get("Content-Type") != c.mediaType || h.Get("Cache-Control") != c.lifetime || h.Get("Vary") != c.vary {
			t.Errorf("%s: %v", c.path, h)
		}
		if h.Get("Last-Modified") != built.Format(http.TimeFormat) {
			t.Errorf("%s: Last-Modified %q", c.path, h.Get("Last-Modified"))
		}
	}
}

func TestServe_Negotiation(t *testing.T) {
	index := write(t, site).build(t, "")
	for _, c := range []struct{ accept, want string }{
		{"", ""},
		{"gzip, deflate, br, zstd", "br"},
		{"gzip, deflate", "gzip"},
		{"X-GZIP", "gzip"},
		{"BR", "br"},
		{"br;q=0.5, gzip;q=0.8", "gzip"},
		{"br;q=0.8,gzip;q=0.8", "br"},
		{"br ; Q=0, gzip;q=0.001", "gzip"},
		{"identity, br;q=0.5", ""},
		{"*", "br"},
		{"*;q=0.5, br;q=0", "zstd"},
		{"*;q=0.5, br;q=0, zstd;q=0", "gzip"},
		{"gzip;q=0, br;q=0", ""},
		{"identity;q=0, *;q=0", ""},
		{"zstd", "zstd"},
		{"gzip, zstd", "zstd"},
		{"gzip, zstd;q=0.5", "gzip"},
		{"br;q=2", ""},
		{"br;q=0.1234", ""},
		{"br;q=nonsense, gzip", "gzip"},
		{",,;;,", ""},
	} {
		if got := get(t, index, "/robots.txt", "Accept-Encoding", c.accept).Header.Get("Content-Encoding"); got != c.want {
			t.Errorf("Accept-Encoding %q: got %q, want %q", c.accept, got, c.want)
		}
	}
}

func TestServe_VariantsHaveOwnTags(t *testing.T) {
	index := write(t, site).build(t, "")
	seen := map[string]string{}
	for _, accept := range []string{"", "gzip", "zstd", "br"} {
		tag := get(t, index, "/robots.txt", "Accept-Encoding", accept).Header.Get("Etag")
		if other, ok := seen[tag]; ok || !strings.HasPrefix(tag, `"`) {
			t.Errorf("tag %s for %q, and for %q", tag, accept, other)
		}
		seen[tag] = accept
	}
}

func TestServe_Conditional(t *testing.T) {
	index := write(t, site).build(t, "")
	tag := get(t, index, "/hello.txt").Header.Get("Etag")
	date := built.Format(http.TimeFormat)
	for _, c := range []struct {
		header, value string
		want          int
	}{
		{"If-None-Match", tag, 304},
		{"If-None-Match", "W/" + tag, 304},
		{"If-None-Match", `"other", ` + tag, 304},
		{"If-None-Match", "*", 304},
		{"If-None-Match", `"other"`, 200},
		{"If-None-Match", "nonsense", 200},
		{"If-None-Match", `"`, 200},
		{"If-Modified-Since", date, 304},
		{"If-Modified-Since", built.Add(time.Hour).Format(http.TimeFormat), 200},
		{"If-Modified-Since", built.Add(-time.Hour).Format(http.TimeFormat), 200},
		{"If-Match", tag, 200},
		{"If-Match", `"other"`, 412},
		{"If-Unmodified-Since", built.Add(-time.Hour).Format(http.TimeFormat), 412},
	} {
		got := get(t, index, "/hello.txt", c.header, c.value)
		if got.StatusCode != c.want {
			t.Errorf("%s: %s: status %d, want %d", c.header, c.value, got.StatusCode, c.want)
		}
		if c.want == 304 && (body(t, got) != "" || got.Header.Get("Etag") != tag || got.Header.Get("Cache-Control") == "") {
			t.Errorf("%s: %s: a 304 with headers %v", c.header, c.value, got.Header)
		}
	}
}

func TestServe_TagPrecedesDate(t *testing.T) {
	index := write(t, site).build(t, "")
	got := get(t, index, "/hello.txt", "If-None-Match", `"other"`, "If-Modified-Since", built.Format(http.TimeFormat))
	if got.StatusCode != 200 {
		t.Errorf("status %d: If-Modified-Since was used beside If-None-Match (RFC 9110, section 13.1.3)", got.StatusCode)
	}
}

func TestServe_Ranges(t *testing.T) {
	index := write(t, site).build(t, "")
	tag := get(t, index, "/hello.txt").Header.Get("Etag")
	for _, c := range []struct {
		headers []string
		want    int
		body    string
	}{
		{[]string{"Range", "bytes=1-3"}, 206, "ell"},
		{[]string{"Range", "bytes=-2"}, 206, "lo"},
		{[]string{"Range", "bytes=1-3", "If-Range", tag}, 206, "ell"},
		{[]string{"Range", "bytes=1-3", "If-Range", `"old"`}, 200, "hello"},
		{[]string{"Range", "bytes=1-3", "Accept-Encoding", "br"}, 206, "ell"},
		{[]string{"Range", "bytes=9-"}, 416, ""},
		{[]string{"Range", "lines=1-2"}, 200, "hello"}, // to be ignored: RFC 9110, section 14.2
		{[]string{"Range", "lines=1-2", "If-Match", tag}, 200, "hello"},
		{[]string{"Range", "lines=1-2", "If-Match", `"other"`}, 412, ""},
		{[]string{"Range", "junk"}, 200, "hello"},
		{[]string{"Range", "bytes=junk"}, 416, ""},
		{[]string{"Range", "bytes=1-3", "If-None-Match", tag}, 304, ""},
	} {
		got := get(t, index, "/hello.txt", c.headers...)
		if got.StatusCode != c.want || c.body != "" && body(t, got) != c.body {
			t.Errorf("%v: status %d", c.headers, got.StatusCode)
		}
	}
	several := get(t, index, "/hello.txt", "Range", "bytes=0-0,4-4")
	if several.StatusCode != 206 || !strings.HasPrefix(several.Header.Get("Content-Type"), "multipart/byteranges") {
		t.Errorf("two ranges: %d %v", several.StatusCode, several.Header)
	}
	head := ask(t, index, http.MethodHead, "/hello.txt", "Range", "bytes=1-3")
	if head.StatusCode != 200 || head.Header.Get("Content-Length") != "5" {
		t.Errorf("HEAD with a range: %d %v", head.StatusCode, head.Header)
	}
}

func TestServe_HeadEqualsGet(t *testing.T) {
	index := write(t, site).build(t, "")
	for path := range site {
		head, full := ask(t, index, http.MethodHead, "/"+path), get(t, index, "/"+path)
		if body(t, head) != "" {
			t.Errorf("HEAD %s has a body", path)
		}
		for _, name := range []string{"Content-Length", "Content-Type", "Etag", "Cache-Control", "Vary"} {
			if head.Header.Get(name) != full.Header.Get(name) {
				t.Errorf("HEAD %s: %s is %q, GET has %q", path, name, head.Header.Get(name), full.Header.Get(name))
			}
		}
	}
}

func TestLookup_Prefix(t *testing.T) {
	index := write(t, site).build(t, "/docs")
	got := get(t, index, "/docs/_next/static/chunks/main-abc.js")
	if got.Header.Get("Cache-Control") != "public,max-age=31536000,immutable" {
		t.Errorf("hashed file under a base path: %v", got.Header)
	}
	for _, path := range []string{"/hello.txt", "/docs", "/docs/", "/docshello.txt", "/docs//hello.txt"} {
		if _, ok := index.Lookup(path); ok {
			t.Errorf("%s was found", path)
		}
	}
	if !index.Hashed("/docs/_next/static/x") || index.Hashed("/_next/static/x") {
		t.Error("Hashed does not follow the base path")
	}
}

func FuzzLookup(f *testing.F) {
	for _, path := range []string{
		"/hello.txt", "/../hello.txt", "/..\\hello.txt", "/hello.txt\x00", "//hello.txt", "/./hello.txt", "hello.txt", "",
		"/", "/etc/passwd", "/_next/static/../../hello.txt", "/hello.txt/", "/HELLO.TXT", "/_next/static/chunks/app/[slug]/page.js",
	} {
		f.Add(path)
	}
	index := write(f, site).build(f, "")
	f.Fuzz(func(t *testing.T, path string) {
		_, found := index.Lookup(path)
		_, exists := site[strings.TrimPrefix(path, "/")]
		if want := exists && strings.HasPrefix(path, "/"); found != want {
			t.Errorf("%q: found %v, want %v", path, found, want)
		}
	})
}

func FuzzAcceptEncoding(f *testing.F) {
	for _, s := range []string{"gzip, br", "br;q=0.5", "*;q=0", "identity;q=1.000", ";;;", "br;q=", "br;q=1.1", "\xff,\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c := parseAccept([]string{s})
		for _, weight := range []int{c.brotli, c.zstd, c.gzip, c.identity} {
			if weight < 0 || weight > fullWeight {
				t.Errorf("%q: weights %+v", s, c)
			}
		}
	})
}

func FuzzTagList(f *testing.F) {
	for _, s := range []string{`"a"`, `W/"a", "b"`, "*", `"`, `W/`, `,,"a`, `"b""a"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if tagListHas(s, `"a"`, weakly) && !strings.Contains(s, `"a"`) && !strings.Contains(s, "*") {
			t.Errorf("%q matches", s)
		}
	})
}
