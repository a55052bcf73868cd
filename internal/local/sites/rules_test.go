package sites_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
)

// guardModule is a server function that routes as OpenNext does: its middleware requires a cookie
// below /private, a rewrite leads to a file, and then an asset resolver is called.
const guardModule = `
const resolver = { name: "dummy" };
async function route({ rawPath, cookies = [] }) {
  if (rawPath.startsWith("/private/") && !cookies.includes("auth=1")) return { statusCode: 401, headers: {}, body: "login first" };
  const path = rawPath === "/report" ? "/private/report.txt" : rawPath;
  const found = await resolver?.maybeGetAssetResult?.({ type: "core", rawPath: path });
  if (found) return { ...found, headers: { ...found.headers, "x-from-middleware": "yes" }, body: "" };
  return { statusCode: 404, headers: {}, body: "no page" };
}
export const handler = awslambda.streamifyResponse(async (event, stream) => {
  const { statusCode, headers, body } = await route(event);
  stream.setContentType("application/vnd.awslambda.http-integration-response");
  stream.write(JSON.stringify({ statusCode, headers }));
  stream.write(Buffer.alloc(8));
  stream.end(body);
});`

// originalModule is an image function that answers with the original's status and text.
const originalModule = `
export const handler = async (event) => {
  const { BUCKET_NAME: bucket, BUCKET_REGION: region } = process.env;
  const source = new URLSearchParams(event.rawQueryString).get("url");
  const original = await fetch("https://" + bucket + ".s3." + region + ".amazonaws.com" + source);
  return { statusCode: original.status, headers: { "content-type": "text/plain" }, body: original.ok ? await original.text() : "none" };
};`

func guardedApp() platformtest.App {
	const next = "server-functions/default/.next/"
	return platformtest.NewApp("one").Images("one").Server(guardModule+strings.Repeat(" ", 4<<10)).
		With("image-optimization-function/index.mjs", originalModule).
		With("assets/private/report.txt", "secret").With("assets/fonts/f.woff2", "font").
		With(next+"server/middleware-manifest.json", `{"middleware": {"/": {"matchers": [{"regexp": "^/private/.*$"}]}}}`).
		With(next+"routes-manifest.json", `{"headers": [{"source": "/fonts/:f*", "regex": "^/fonts/.*$",
			"headers": [{"key": "Cache-Control", "value": "public, max-age=604800"}, {"key": "x-frame-options", "value": "DENY"}]}]}`)
}

// get sends a request to the deployment and returns the status, the body and the headers.
func (in *installation) get(t *testing.T, host, target, cookie string) (int, string, http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+host+target, http.NoBody)
	must(t, err)
	if cookie != "" {
		r.Header.Set("Cookie", cookie)
	}
	res, err := in.client.Do(r)
	must(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	must(t, err)
	return res.StatusCode, string(body), res.Header
}

// wantGuarded asserts that the app's rules apply to its files.
func (in *installation) wantGuarded(t *testing.T, host string) {
	t.Helper()
	for _, target := range []string{"/private/report.txt", "/x/../private/report.txt", "/%70rivate/report.txt", "/private%2freport.txt"} {
		if status, body, _ := in.get(t, host, target, ""); strings.Contains(body, "secret") || status < 400 {
			t.Errorf("%s without a cookie: %d %q", target, status, body)
		}
	}
	for _, target := range []string{"/private/report.txt", "/report"} {
		status, body, header := in.get(t, host, target, "auth=1")
		if status != http.StatusOK || body != "secret" || header.Get("X-From-Middleware") != "yes" || header.Get("X-Anchor-File") != "" {
			t.Errorf("%s with a cookie: %d %q %v", target, status, body, header)
		}
	}
	_, body, header := in.get(t, host, "/fonts/f.woff2", "")
	if body != "font" || header.Get("Cache-Control") != "public, max-age=604800" || header.Get("X-Frame-Options") != "DENY" {
		t.Errorf("a file with headers: %q %v", body, header)
	}
	if _, body, header := in.get(t, host, "/public.txt", ""); body != "public of one" || header.Get("X-Frame-Options") != "" {
		t.Errorf("a file without rules: %q %v", body, header)
	}
}

func TestRules_ApplyToFiles(t *testing.T) {
	t.Parallel()
	in := newInstallation(t)
	p, d, notes := in.publishApp(t, "shop", guardedApp())
	if slices.ContainsFunc(notes, func(note string) bool { return strings.HasPrefix(note, "warning") }) {
		t.Errorf("the notes are %q", notes)
	}
	d.Status = anchor.Deployed
	must(t, in.store.UpdateDeployment(t.Context(), d, anchor.Deploying))
	_, host := in.platform.Hosts(p, d.ID)
	in.wantGuarded(t, host)

	in.reopen(t)
	in.wantGuarded(t, host)

	// An earlier Anchor stored no rules.
	must(t, os.Remove(filepath.Join(in.dir, "platform", "sites", string(d.ID)+".rules")))
	in.reopen(t)
	in.wantGuarded(t, host)
}

func TestImages_OriginalsAreGuarded(t *testing.T) {
	t.Parallel()
	in := newInstallation(t)
	p, d, _ := in.publishApp(t, "shop", guardedApp())
	_, host := in.platform.Hosts(p, d.ID)
	if status, body, _ := in.get(t, host, "/_next/image?url=%2Fpublic.txt", ""); status != http.StatusOK || body != "public of one" {
		t.Errorf("an original without rules: %d %q", status, body)
	}
	for _, cookie := range []string{"", "auth=1"} {
		if status, body, _ := in.get(t, host, "/_next/image?url=%2Fprivate%2Freport.txt", cookie); status != http.StatusNotFound || body != "none" {
			t.Errorf("an original under the middleware, cookie %q: %d %q", cookie, status, body)
		}
	}
}

func TestRules_WarnOfBuildsThatCannotAsk(t *testing.T) {
	t.Parallel()
	in := newInstallation(t)
	app := guardedApp()
	_, _, notes := in.publishApp(t, "shop", app.Server(strings.ReplaceAll(guardModule, "maybeGetAssetResult", "ask")))
	want := "warning: static files are served past rules that Next.js runs first: the middleware. They are private/report.txt. " +
		"Build with @opennextjs/aws 3.7 or later, whose functions decide about files"
	if !slices.Contains(notes, want) {
		t.Errorf("the notes are %q", notes)
	}
}
