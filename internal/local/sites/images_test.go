package sites

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/local/edge"
	"github.com/anchor-deploy/anchor/internal/local/edge/asset"
)

// picture is the answer of the image function in these tests; calls counts how often it was called.
type picture struct {
	body, contentType string
	status            int
	header            http.Header
	calls             int
	method            string
	conditions        bool
}

func (p *picture) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.calls++
	p.method, p.conditions = r.Method, r.Header.Get("If-None-Match")+r.Header.Get("Range") != ""
	w.Header().Set("Content-Type", p.contentType)
	w.Header().Set("Cache-Control", "public,max-age=60,immutable")
	for name, values := range p.header {
		w.Header()[name] = values
	}
	w.WriteHeader(p.status)
	_, _ = io.WriteString(w, p.body)
}

// optimizer returns the handler in front of p, for a deployment whose files are /docs/own.png and,
// under the middleware, /docs/guarded.png.
func optimizer(t *testing.T, p *picture, headers anchor.Images) http.Handler {
	t.Helper()
	root := t.TempDir()
	var list []asset.File
	for _, name := range []string{"own.png", "guarded.png"} {
		if err := os.WriteFile(filepath.Join(root, name), []byte("png"), 0o600); err != nil {
			t.Fatal(err)
		}
		list = append(list, asset.File{Path: name, Digest: strings.Repeat("0", 64), Size: 3})
	}
	files, err := asset.Build(t.Context(), asset.Place{Root: root, Variants: t.TempDir(), Memory: asset.NewMemory(1<<10, 1<<10)},
		asset.BuildOptions{Prefix: "/docs"}, list)
	if err != nil {
		t.Fatal(err)
	}
	rules := map[string]*edge.Rule{"/docs/own.png": {}, "/docs/guarded.png": {Ask: true}}
	return newImages(p, headers, &edge.Site{Assets: files, Rules: rules})
}

func request(h http.Handler, method, source string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "/_next/image?w=64&q=75&url="+source, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

const own, remote = "%2Fdocs%2Fown.png", "https%3A%2F%2Fcdn.example%2Fa%2Fb%20%C3%BC.php"

func TestImages_HaveHeadersOfBuild(t *testing.T) {
	t.Parallel()
	p := &picture{body: "<svg/>", contentType: "image/svg+xml", status: 200}
	for name, c := range map[string]struct {
		headers             anchor.Images
		source              string
		policy, disposition string
	}{
		"configured":          {anchor.Images{SecurityPolicy: "sandbox", Disposition: "attachment"}, own, "sandbox", `attachment; filename=own.svg`},
		"an old Next.js":      {anchor.Images{}, own, "script-src 'none'; frame-src 'none'; sandbox;", `inline; filename=own.svg`},
		"a name beyond ASCII": {anchor.Images{Disposition: "attachment"}, remote, "script-src 'none'; frame-src 'none'; sandbox;", `attachment; filename*=utf-8''b%20%C3%BC.svg`},
	} {
		h := request(optimizer(t, p, c.headers), http.MethodGet, c.source).Header()
		if h.Get("Content-Security-Policy") != c.policy || h.Get("Content-Disposition") != c.disposition {
			t.Errorf("%s: %v", name, h)
		}
	}
}

func TestImages_ChangedOriginal(t *testing.T) {
	t.Parallel()
	p := &picture{body: "blue", contentType: "image/webp", status: 200}
	h := optimizer(t, p, anchor.Images{})
	tag := request(h, http.MethodGet, remote).Header().Get("ETag")
	same := request(h, http.MethodGet, remote, "If-None-Match", tag)
	if same.Code != http.StatusNotModified || same.Header().Get("ETag") != tag || same.Body.Len() > 0 || p.conditions {
		t.Errorf("unchanged: %d %v, the function saw the condition: %v", same.Code, same.Header(), p.conditions)
	}
	p.body = "red"
	changed := request(h, http.MethodGet, remote, "If-None-Match", tag)
	if changed.Code != http.StatusOK || changed.Body.String() != "red" || changed.Header().Get("ETag") == tag {
		t.Errorf("changed: %d %q %v", changed.Code, changed.Body, changed.Header())
	}
}

func TestImages_OwnFileIsMadeOnce(t *testing.T) {
	t.Parallel()
	p := &picture{body: "blue", contentType: "image/webp", status: 200}
	h := optimizer(t, p, anchor.Images{})
	first := request(h, http.MethodGet, own, "Accept", "image/webp")
	tag := first.Header().Get("ETag")
	for _, sent := range []string{tag, "W/" + tag, `"x", ` + tag, "*"} {
		again := request(h, http.MethodGet, own, "Accept", "image/webp", "If-None-Match", sent)
		if again.Code != http.StatusNotModified || again.Header().Get("Cache-Control") != first.Header().Get("Cache-Control") {
			t.Errorf("%s: %d %v", sent, again.Code, again.Header())
		}
	}
	if p.calls != 1 {
		t.Errorf("the picture was made %d times", p.calls)
	}
	p.body = "avif"
	if other := request(h, http.MethodGet, own, "Accept", "image/avif", "If-None-Match", tag); other.Code != 200 || other.Body.String() != "avif" {
		t.Errorf("another format: %d %q", other.Code, other.Body)
	}
	if stale := request(h, http.MethodGet, own, "Accept", "image/webp", "If-None-Match", `"x"`); stale.Code != 200 || stale.Body.Len() == 0 {
		t.Errorf("who has another picture gets %d %q", stale.Code, stale.Body)
	}
}

func TestImages_HeadEqualsGet(t *testing.T) {
	t.Parallel()
	p := &picture{body: "blue", contentType: "image/webp", status: 200}
	h := optimizer(t, p, anchor.Images{})
	get, head := request(h, http.MethodGet, own), request(h, http.MethodHead, own)
	if p.method != http.MethodGet || head.Header().Get("ETag") != get.Header().Get("ETag") || head.Header().Get("Content-Length") != "4" || head.Body.Len() > 0 {
		t.Errorf("%s: %v, %q", p.method, head.Header(), head.Body)
	}
}

func TestImages_Failed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		source string
		status int
		header http.Header
		want   int
		cache  string
	}{
		"an original that is not there":  {"%2Fdocs%2Fnone.png", 500, nil, 404, ""},
		"one that the app's rules kept":  {"%2Fdocs%2Fguarded.png", 500, nil, 404, ""},
		"the same, spelled otherwise":    {"%2Fdocs%2F%2567uarded.png%3Fv=1", 500, nil, 404, ""},
		"a broken original":              {own, 500, nil, 500, ""},
		"a refused original":             {own, 400, nil, 400, ""},
		"a failed upstream":              {remote, 500, nil, 500, ""},
		"an upstream's status":           {remote, 508, nil, 508, ""},
		"another site without a scheme":  {"%2F%2Fevil.example%2Fx.png", 500, nil, 500, ""},
		"no process for it (by Anchor)":  {"%2Fdocs%2Fnone.png", 503, http.Header{"X-Anchor-Error": {"503"}}, 503, "public,max-age=60,immutable"},
		"a process that ended under it.": {"%2Fdocs%2Fnone.png", 500, http.Header{"X-Anchor-Error": {"handler"}}, 500, "public,max-age=60,immutable"},
	} {
		p := &picture{body: "no", contentType: "text/plain", status: c.status, header: c.header}
		got := request(optimizer(t, p, anchor.Images{}), http.MethodGet, c.source)
		if got.Code != c.want || got.Header().Get("Cache-Control") != c.cache || got.Header().Get("ETag") != "" || got.Body.Len() == 0 {
			t.Errorf("%s: %d %v", name, got.Code, got.Header())
		}
	}
}
