package server_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/client"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
	"github.com/anchor-deploy/anchor/internal/local/server"
)

// branch makes the clone's branch name an app that says version, and pushes it. It returns what git
// printed.
func (f *pushFixture) branch(name, version string) string {
	f.Helper()
	if _, err := f.tryGit("checkout", "--quiet", name); err != nil {
		f.git("checkout", "--quiet", "-b", name)
	}
	f.app(version)
	return f.push(name)
}

func TestPreview_BranchHostFollowsTheNewest(t *testing.T) {
	data := t.TempDir()
	c := config(t, data)
	f := newPushFixture(t, func(c *server.Config) { c.Data = filepath.Join(data, "anchor") })
	f.app("one")
	f.push("main")
	out := f.branch("feature/x", "first")
	at := siteURL(t, out, "Branch")
	if !strings.HasPrefix(at, "http://feature-x--shop.localhost:") {
		t.Errorf("the host of the branch is %s", at)
	}
	// A failing preview does not take the host over.
	f.write("build.sh", "exit 1\n")
	f.commit("broken")
	f.refused([]string{"build.sh failed"}, "feature/x")
	if page := f.page(at); page != "200 first" {
		t.Errorf("the host of the branch answers %q", page)
	}
	f.git("reset", "--quiet", "--hard", "HEAD^")
	f.branch("feature/x", "second")
	if page := f.page(at); page != "200 second" {
		t.Errorf("the host of the branch answers %q", page)
	}
	// Another branch of the same slug has a host of its own, and takes nothing over.
	other := siteURL(t, f.branch("feature-x", "other"), "Branch")
	if other == at || !strings.HasPrefix(other, "http://feature-x-") {
		t.Errorf("the host of the other branch is %s", other)
	}
	d, err := f.api.Deployment(t.Context(), "shop", f.newest())
	if err != nil || d.BranchURL != other {
		t.Errorf("the API says %q, %v", d.BranchURL, err)
	}
	// Both stay what they are after a restart.
	f.down()
	c.MakeBuild = scriptedBuild
	f.ready, f.down = up(t, c)
	f.api = client.New(f.ready.APIURL, f.token)
	f.git("remote", "set-url", "anchor", f.remote(f.token))
	at, other = f.moved(at), f.moved(other)
	if page, second := f.page(at), f.page(other); page != "200 second" || second != "200 other" {
		t.Errorf("after a restart the hosts answer %q and %q", page, second)
	}
	f.push("--delete", "feature/x")
	if page, second := f.page(at), f.page(other); !strings.HasPrefix(page, "404") || second != "200 other" {
		t.Errorf("after the deletion of a branch the hosts answer %q and %q", page, second)
	}
	if _, err := os.Stat(filepath.Join(f.ready.Data, "anchor.db")); err != nil {
		t.Error(err)
	}
}

// moved returns a URL of a site with the port that the sites have now.
func (f *pushFixture) moved(at string) string {
	f.Helper()
	u, err := url.Parse(at)
	if err != nil {
		f.Fatal(err)
	}
	now, err := url.Parse(strings.Replace(f.ready.SiteURL, "<project>", "p", 1))
	if err != nil {
		f.Fatal(err)
	}
	u.Host = u.Hostname() + ":" + now.Port()
	return u.String()
}

// visitor asks for pages of a preview as a browser or a test does.
type visitor struct {
	*testing.T
	*http.Client
	at *url.URL
}

// visitorOf returns a visitor of a URL of a site, whose host is reached on this machine.
func (f *pushFixture) visitorOf(at string) visitor {
	f.Helper()
	u, err := url.Parse(at)
	if err != nil {
		f.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		f.Fatal(err)
	}
	v := visitor{f.T, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, u}
	v.Transport = &http.Transport{DisableKeepAlives: true}
	return v
}

func (v visitor) ask(method, path, body string, header ...string) (*http.Response, string) {
	v.Helper()
	r, err := http.NewRequestWithContext(v.Context(), method, v.at.Scheme+"://127.0.0.1:"+v.at.Port()+path, strings.NewReader(body))
	if err != nil {
		v.Fatal(err)
	}
	r.Host = v.at.Host
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	res, err := v.Do(r)
	if err != nil {
		v.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		v.Fatal(err)
	}
	return res, string(text)
}

// wants fails unless the answer has the status, and, if it is one of a protected preview, no cache may
// store it.
func (v visitor) wants(status int, text string, method, path, body string, header ...string) *http.Response {
	v.Helper()
	res, got := v.ask(method, path, body, header...)
	if res.StatusCode != status || !strings.Contains(got, text) {
		v.Errorf("%s %s answers %d %q, want %d %q", method, path, res.StatusCode, got, status, text)
	}
	if c := res.Header.Get("Cache-Control"); c != "private, no-store" {
		v.Errorf("%s %s has the Cache-Control %q", method, path, c)
	}
	return res
}

// shows is an app that answers with what it was asked.
const shows = `export const handler = awslambda.streamifyResponse(async (event, stream) => {
  stream.setContentType("application/vnd.awslambda.http-integration-response");
  stream.write(JSON.stringify({ statusCode: 200, headers: { "content-type": "text/plain", "cache-control": "s-maxage=60" } }));
  stream.write(Buffer.alloc(8));
  stream.end("shown " + JSON.stringify([event.rawPath, event.rawQueryString, event.cookies, event.headers]));
});
`

func TestPreview_Protection(t *testing.T) {
	f := newPushFixture(t, nil)
	tree := platformtest.NewApp("one").Server(shows).With("assets/secret.txt", "static secret").Write(t)
	if err := os.CopyFS(filepath.Join(f.folder, "tree"), os.DirFS(tree)); err != nil {
		t.Fatal(err)
	}
	f.commit("one")
	live := f.visitorOf(siteURL(t, f.push("main"), "Live"))
	f.git("checkout", "--quiet", "-b", "feature/x")
	f.commit("preview")
	out := f.push("feature/x")
	preview, branch := f.visitorOf(siteURL(t, out, "Deployment")), f.visitorOf(siteURL(t, out, "Branch"))
	if res, _ := preview.ask("GET", "/secret.txt", ""); res.StatusCode != 200 || res.Header.Get("X-Robots-Tag") != "noindex" {
		t.Errorf("an open preview answers %d, %v", res.StatusCode, res.Header)
	}
	if _, err := f.api.NewPreviewBypass(t.Context(), "shop"); anchor.CodeOf(err) != "not_protected" {
		t.Errorf("an open project gets a bypass token: %v", err)
	}
	if _, err := f.api.ProtectPreviews(t.Context(), "shop", "short"); anchor.CodeOf(err) != "bad_password" {
		t.Errorf("a short password is taken: %v", err)
	}
	if set, err := f.api.ProtectPreviews(t.Context(), "shop", "open sesame"); err != nil || !set.Enabled || set.Bypass {
		t.Fatalf("the protection is %+v, %v", set, err)
	}

	for _, v := range []visitor{preview, branch} {
		for _, path := range []string{"/", "/secret.txt", "/_next/static/x.js", "/api/x"} {
			res := v.wants(401, "preview_protected", "GET", path, "")
			if res.Header.Get("X-Robots-Tag") != "noindex" || res.Header.Get("Www-Authenticate") == "" {
				t.Errorf("the refusal has the header %v", res.Header)
			}
		}
	}
	if res, text := live.ask("GET", "/secret.txt", ""); res.StatusCode != 200 || text != "static secret" {
		t.Errorf("the site answers %d %q", res.StatusCode, text)
	}

	// A browser gets a form, and a cookie for the password.
	branch.wants(401, `value="/page?a=1&amp;b=2"`, "GET", "/page?a=1&b=2", "", "Accept", "text/html")
	branch.wants(401, "This is not the password", "POST", "/_anchor/preview-access", "password=wrong&next=/page", "Accept", "text/html")
	branch.wants(401, "", "GET", "/page", "")
	for next, want := range map[string]string{"/page?a=1": "/page?a=1", "//evil.example": "/", `/\evil.example`: "/", "https://evil.example/": "/"} {
		res := branch.wants(303, "", "POST", "/_anchor/preview-access", "password=open+sesame&next="+url.QueryEscape(next), "Accept", "text/html")
		if got := res.Header.Get("Location"); got != want {
			t.Errorf("after the password for %s the browser goes to %s", next, got)
		}
	}
	res := branch.wants(200, "shown", "GET", "/page", "", "Cookie", "theme=dark")
	if _, text := branch.ask("GET", "/page", "", "Cookie", "theme=dark"); strings.Contains(text, "anchor_preview") || !strings.Contains(text, "theme=dark") {
		t.Errorf("the app was asked with %s; %v", text, res.Header)
	}
	branch.wants(200, "static secret", "GET", "/secret.txt", "")
	preview.wants(401, "", "GET", "/", "", "Cookie", "anchor_preview=9999999999.AAAA")

	// Tests send a token, which the app does not see.
	made, err := f.api.NewPreviewBypass(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	branch.wants(401, "", "GET", "/page", "") // another token ends the cookies of the one before
	preview.wants(401, "", "GET", "/", "", "X-Anchor-Protection-Bypass", "bypass_wrong")
	res = preview.wants(200, "shown", "GET", "/?a=1", "", "X-Anchor-Protection-Bypass", made.Token)
	if len(res.Cookies()) != 0 {
		t.Errorf("cookies that nobody asked for: %v", res.Cookies())
	}
	if _, text := preview.ask("GET", "/?a=1&x-anchor-protection-bypass="+made.Token, "", "X-Anchor-Set-Bypass-Cookie", "true"); strings.Contains(text, "bypass") || !strings.Contains(text, `"a=1"`) {
		t.Errorf("the app was asked with %s", text)
	}
	preview.wants(200, "shown", "GET", "/", "") // with the cookie
	if shown, err := f.api.PreviewProtection(t.Context(), "shop"); err != nil || !shown.Enabled || !shown.Bypass {
		t.Errorf("the protection is %+v, %v", shown, err)
	}
	if err := f.api.UnprotectPreviews(t.Context(), "shop"); err != nil {
		t.Fatal(err)
	}
	if res, _ := f.visitorOf(preview.at.String()).ask("GET", "/", ""); res.StatusCode != 200 || res.Header.Get("Cache-Control") != "s-maxage=60" {
		t.Errorf("an open preview answers %d, %v", res.StatusCode, res.Header)
	}
}

// The workers of a preview end when nobody asks for it, and start again for a request that needs them.
func TestPreview_Sleeps(t *testing.T) {
	f := newPushFixture(t, func(c *server.Config) { c.PreviewIdle = 50 * time.Millisecond })
	tree := platformtest.NewApp("one").Server(strings.Replace(shows, "event.rawPath,", "event.rawPath, process.pid,", 1)).
		With("assets/file.txt", "static").Write(t)
	if err := os.CopyFS(filepath.Join(f.folder, "tree"), os.DirFS(tree)); err != nil {
		t.Fatal(err)
	}
	f.git("checkout", "--quiet", "-b", "feature/x")
	f.commit("preview")
	v := f.visitorOf(siteURL(t, f.push("feature/x"), "Branch"))
	asleep := func() bool {
		status, err := f.api.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range status.Workers {
			if w.Processes+w.Starting > 0 {
				return false
			}
		}
		return true
	}
	f.until("it sleeps after its deployment", asleep)
	if res, text := v.ask("GET", "/page", ""); res.StatusCode != 200 || !strings.HasPrefix(text, "shown") {
		t.Errorf("it wakes up with %d %q", res.StatusCode, text)
	}
	f.until("it sleeps again", asleep)
	if _, text := v.ask("GET", "/file.txt", ""); text != "static" {
		t.Errorf("the file is %q", text)
	}
	if res, text := v.ask("GET", "/page", ""); !strings.HasPrefix(text, "shown") || !strings.Contains(res.Header.Get("Cache-Status"), "hit") {
		t.Errorf("the stored page is %q, %v", text, res.Header)
	}
	if !asleep() {
		t.Error("a file and a stored page woke it up")
	}
}
