package function_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/function"
	"github.com/anchor-deploy/anchor/internal/deploy"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
)

const guides = "../../../examples/pages/.open-next" // built by: make examples

// guidesWith returns the built guides with a middleware that rewrites /docs/mw-rewrite/ to
// another path.
func guidesWith(t *testing.T, rewrite string) deploy.Artifact {
	t.Helper()
	dir := t.TempDir()
	must(t, os.CopyFS(dir, os.DirFS(guides)))
	name := filepath.Join(dir, "middleware", "handler.mjs")
	text, err := os.ReadFile(name)
	must(t, err)
	head, tail, ok := bytes.Cut(text, []byte(`"/mw-rewrite"`))
	changed := bytes.Replace(tail, []byte("/guides/knots/"), []byte(rewrite), 1)
	if !ok || bytes.Equal(tail, changed) {
		t.Fatal("the middleware of the built guides has no rewrite of /mw-rewrite")
	}
	must(t, os.WriteFile(name, slices.Concat(head, []byte(`"/mw-rewrite"`), changed), 0o600))
	return artifactIn(t, anchor.Project{ID: "p", Slug: "shop"}, dir)
}

// visitor sends requests to a function as CloudFront does.
type visitor struct {
	url   string
	hosts map[string]string
}

func (v visitor) ask(t *testing.T, method, path, body string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, v.url+path, strings.NewReader(body))
	must(t, err)
	hosts, err := json.Marshal(v.hosts)
	must(t, err)
	for name, value := range map[string]string{
		"X-Anchor-Origin": secret, "X-Anchor-Hosts": string(hosts), "X-Forwarded-Host": "guides.example",
	} {
		r.Header.Set(name, value)
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	must(t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	must(t, err)
	return res, string(text)
}

// TestExternalMiddleware runs the published zips of a real build whose middleware is a bundle of
// its own.
func TestExternalMiddleware(t *testing.T) {
	a := guidesWith(t, "/api/echo/")
	f := function.New(function.Config{Installation: "anchor"})
	api := httptest.NewTLSServer(pool(t, f.Zip(t, a, "api"), nil))
	t.Cleanup(api.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	write(t, ca, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: api.Certificate().Raw})), 0o600)
	server := httptest.NewServer(pool(t, f.Zip(t, a, anchor.ServerFunction), map[string]string{"NODE_EXTRA_CA_CERTS": ca}))
	t.Cleanup(server.Close)
	v := visitor{server.URL, map[string]string{"api": strings.TrimPrefix(api.URL, "https://")}}

	for path, want := range map[string]struct {
		status         int
		location, body string
	}{
		"/docs/mw-json/":        {status: 200, body: `{"from":"middleware","locale":"en","version":"storefront-0001"}`},
		"/docs/de/mw-json/":     {status: 200, body: `"locale":"de"`},
		"/docs/mw-redirect/":    {status: 307, location: "/docs/guides/knots/"},
		"/docs/tide/?a=1&b=%26": {status: 200, body: `data-query="{&quot;a&quot;:&quot;1&quot;,&quot;b&quot;:&quot;&amp;&quot;}"`},
		"/docs/de/tide/":        {status: 200, body: `data-host="guides.example"`},
		"/docs/tide":            {status: 308, location: "/docs/tide/"},
		"/docs/old-guide/":      {status: 308, location: "/docs/guides/knots"},
		"/docs/manual/":         {status: 200, body: "Four knots"},
		"/docs/nobody/":         {status: 404, body: "Not on the chart"},
		"/docs/boom/":           {status: 500, body: `data-status="500"`},
	} {
		res, body := v.ask(t, http.MethodGet, path, "")
		location := strings.TrimPrefix(res.Header.Get("Location"), "https://guides.example")
		if res.StatusCode != want.status || location != want.location || !strings.Contains(body, want.body) {
			t.Errorf("%s answers %d to %q:\n%.500s", path, res.StatusCode, location, body)
		}
		if res.StatusCode == http.StatusOK && res.Header.Get("X-Middleware") != "1" {
			t.Errorf("%s has not what the middleware set: %v", path, res.Header)
		}
		for name := range res.Header {
			if strings.HasPrefix(name, "X-Middleware-") || strings.HasPrefix(name, "X-Opennext-Initial") {
				t.Errorf("%s goes out to the visitor of %s", name, path)
			}
		}
	}
	if res, _ := v.ask(t, http.MethodGet, "/docs/tide/", ""); !slices.Equal(res.Header["Set-Cookie"], []string{"seen=tide; Path=/docs", "locale=en; Path=/docs"}) {
		t.Errorf("the page sets the cookies %q", res.Header["Set-Cookie"])
	}

	t.Run("a rewrite leads to the split function", func(t *testing.T) {
		res, body := v.ask(t, http.MethodPost, "/docs/mw-rewrite/?q=1", "hello")
		var echo struct {
			Method, Sha256 string
			Headers        map[string]string
		}
		if err := json.Unmarshal([]byte(body), &echo); err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("it answers %d %.300s (%v)", res.StatusCode, body, err)
		}
		sum := sha256.Sum256([]byte("hello"))
		if echo.Method != http.MethodPost || echo.Sha256 != hex.EncodeToString(sum[:]) {
			t.Errorf("it arrives as %+v", echo)
		}
		if echo.Headers["x-forwarded-host"] != "guides.example" || res.Header.Get("X-Middleware") != "1" {
			t.Errorf("it arrives with %v and is answered with %v", echo.Headers, res.Header)
		}
		for name := range echo.Headers {
			if strings.HasPrefix(name, "x-anchor-") {
				t.Errorf("the app is shown %s", name)
			}
		}
	})
}

// Equal builds make equal zips. The zips of functions that render contain the middleware.
func TestZip_HasMiddleware(t *testing.T) {
	f := function.New(function.Config{Installation: "anchor"})
	app := platformtest.NewApp("one").Split("api", "api/*", "one").Images("one").Middleware()
	shop := anchor.Project{ID: "p", Slug: "shop"}
	for name, has := range map[string]bool{anchor.ServerFunction: true, "api": true, anchor.ImageFunction: false} {
		packed := f.Zip(t, artifactOf(t, shop, app), name)
		if !bytes.Equal(packed, f.Zip(t, artifactOf(t, shop, app), name)) {
			t.Errorf("the zips of %s differ", name)
		}
		if got := bytes.Contains(packed, []byte("anchor-middleware/handler.mjs")); got != has {
			t.Errorf("%s has middleware: %t", name, got)
		}
	}
	_, source := entry(t, f.Zip(t, artifactOf(t, shop, app), "api"), "anchor-middleware.mjs")
	if want := `"routes":[["/_next/image*","imageOptimizer",false],["/api/*","api",true],["/_next/*","",false],["/public.txt","",false]],"rest":["default",true]`; !strings.Contains(source, want) {
		t.Errorf("the routes are\n%s", source)
	}
}

// The code that makes bundles for the edge run on Node.js is the same on both platforms.
func TestMiddleware_CopiesAreEqual(t *testing.T) {
	ours, err := os.ReadFile("entry/edge.mjs")
	must(t, err)
	theirs, err := os.ReadFile("../../local/worker/bootstrap/edge.mjs")
	must(t, err)
	if !bytes.Equal(ours, theirs) {
		t.Error("entry/edge.mjs and internal/local/worker/bootstrap/edge.mjs differ")
	}
}
