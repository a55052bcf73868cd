package e2e

import (
	"bytes"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRewriteToAnotherHost rewrites requests to an external host: path, query, body and answer
// are passed on, a large body too.
func TestRewriteToAnotherHost(t *testing.T) {
	t.Parallel()
	outside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Outside", r.Method+" "+r.URL.RequestURI())
		w.WriteHeader(http.StatusAccepted)
		io.WriteString(w, sha(body))
	}))
	defer outside.Close()
	a := up(t)
	app := variant(t, 1)
	retarget(t, app, "http://127.0.0.1:9", outside.URL)
	a.deploy(app, "shop")
	s := a.site(t, "shop")
	s.get("/proxy/tide/table?port=brest").want(t, 202).header(t, "X-Outside", "GET /tide/table?port=brest").has(t, sha(nil))
	for _, size := range []int{1 << 10, 8 << 20} {
		body := bytes.Repeat([]byte("tide"), size/4)
		s.request("POST", "/proxy/upload", bytes.NewReader(body), "Content-Type", "application/octet-stream").
			want(t, 202).header(t, "X-Outside", "POST /upload").has(t, sha(body))
	}
}

// TestRewriteToAHostThatIsDown asserts that only the visitor who requested it is affected.
func TestRewriteToAHostThatIsDown(t *testing.T) {
	t.Parallel()
	outside := httptest.NewServer(http.NotFoundHandler())
	a := up(t)
	app := variant(t, 1)
	retarget(t, app, "http://127.0.0.1:9", outside.URL)
	outside.Close()
	a.deploy(app, "shop")
	s := a.site(t, "shop")
	for range 3 {
		s.get("/proxy/tide").want(t, 502).header(t, "X-Anchor-Error", "stream")
		s.request("POST", "/proxy/tide", strings.NewReader("a body")).want(t, 502)
		s.get("/").want(t, 200)
	}
}

// retarget replaces the targets of a build's rewrites, which Next.js fixes at build time.
func retarget(t *testing.T, app, from, to string) {
	t.Helper()
	changed := 0
	err := filepath.WalkDir(filepath.Join(app, ".open-next"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() || !isText(path) {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(text, []byte(from)) {
			return err
		}
		changed++
		return os.WriteFile(path, bytes.ReplaceAll(text, []byte(from), []byte(to)), 0o644)
	})
	if err != nil || changed == 0 {
		t.Fatalf("%d files name %s: %v", changed, from, err)
	}
}
