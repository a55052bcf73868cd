package dashboard_test

import (
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/anchor-deploy/anchor/internal/access"
	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api"
	"github.com/anchor-deploy/anchor/internal/api/apitest"
	"github.com/anchor-deploy/anchor/internal/dashboard"
)

// world is a server with a dashboard, over HTTPS when secure.
type world struct {
	testing.TB
	*apitest.Anchor
	url    string
	secure bool
}

func serve(t testing.TB, secure bool) *world {
	t.Helper()
	w := &world{TB: t, Anchor: apitest.New(t, apitest.Options{}), secure: secure}
	if err := w.Access.EnsureOwner(t.Context(), "owner"); err != nil {
		t.Fatal(err)
	}
	d := dashboard.New(dashboard.Config{Version: "v-test", Secure: func(*http.Request) bool { return secure }, Refresh: 10 * time.Millisecond})
	services := w.Services()
	services.Pages = d
	w.url = apitest.Serve(t, services, api.Options{}, func(h http.Handler) http.Handler { d.API = h; return h })
	return w
}

// link makes a sign-in link of the owner.
func (w *world) link() string {
	w.Helper()
	_, link, err := w.Access.SignInLink(w.Context(), access.Actor{Kind: access.KindToken, Role: anchor.RoleOwner}, "me")
	if err != nil {
		w.Fatal(err)
	}
	return link.Secret
}

// send sends a request as a browser would and returns its answer, without following redirects.
func (w *world) send(method, path, cookie string, form url.Values, headers ...string) (*http.Response, string) {
	w.Helper()
	r, err := http.NewRequestWithContext(w.Context(), method, w.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		w.Fatal(err)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	if cookie != "" {
		r.Header.Set("Cookie", cookie)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		w.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		w.Fatal(err)
	}
	return res, string(body)
}

// signIn returns the cookie of a session of the owner.
func (w *world) signIn(before string) string {
	w.Helper()
	res, body := w.send("POST", "/dashboard/sign-in", before, url.Values{"link": {w.link()}})
	if res.StatusCode != http.StatusSeeOther || len(res.Cookies()) != 1 {
		w.Fatalf("signing in answers %d with %v: %s", res.StatusCode, res.Cookies(), body)
	}
	c := res.Cookies()[0]
	return c.Name + "=" + c.Value
}

func TestDashboard_NeedsASession(t *testing.T) {
	w := serve(t, false)
	for _, path := range []string{"/dashboard", "/dashboard/people", "/dashboard/projects/shop", "/dashboard/projects/shop/logs/tail", "/dashboard/nothing"} {
		for _, cookie := range []string{"", "anchor=anchorsession_x", "anchor=" + apitest.UnknownToken} {
			res, _ := w.send("GET", path, cookie, nil)
			if res.StatusCode != http.StatusSeeOther || res.Header.Get("Location") != "/dashboard/sign-in" {
				t.Errorf("%s with the cookie %q answers %d to %q", path, cookie, res.StatusCode, res.Header.Get("Location"))
			}
		}
	}
	if res, _ := w.send("GET", "/", "", nil); res.Header.Get("Location") != "/dashboard" {
		t.Errorf("/ leads to %q", res.Header.Get("Location"))
	}
}

func TestSignIn_ByLink(t *testing.T) {
	w := serve(t, false)
	link := w.link()
	for range 2 { // looking at it does not use it up
		if _, body := w.send("GET", "/dashboard/sign-in?link="+link, "", nil); !strings.Contains(body, "Sign in as owner") {
			t.Errorf("the page is %s", body)
		}
	}
	res, _ := w.send("POST", "/dashboard/sign-in", "", url.Values{"link": {link}})
	c := res.Cookies()[0]
	if c.Name != "anchor" || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || c.Secure {
		t.Errorf("the cookie is %+v", c)
	}
	if res, body := w.send("POST", "/dashboard/sign-in", "", url.Values{"link": {link}}); res.StatusCode != 401 || len(res.Cookies()) > 0 || !strings.Contains(body, "used already") {
		t.Errorf("the link answers once more %d with %v", res.StatusCode, res.Cookies())
	}
	if res, body := w.send("GET", "/dashboard", c.Name+"="+c.Value, nil); res.StatusCode != 200 || !strings.Contains(body, "No project yet") {
		t.Errorf("the projects answer %d: %s", res.StatusCode, body)
	}
}

func TestSignIn_SecureCookie(t *testing.T) {
	w := serve(t, true)
	res, _ := w.send("POST", "/dashboard/sign-in", "", url.Values{"link": {w.link()}})
	if c := res.Cookies()[0]; c.Name != "__Host-anchor" || !c.Secure || c.Path != "/" || c.Domain != "" {
		t.Errorf("the cookie is %+v", c)
	}
}

// TestSignIn_Fixation brings a session of an attacker along, and one that the browser had.
func TestSignIn_Fixation(t *testing.T) {
	w := serve(t, false)
	before := w.signIn("")
	after := w.signIn(before)
	if after == before {
		t.Error("the session is the one from before")
	}
	if res, _ := w.send("GET", "/dashboard", before, nil); res.StatusCode != http.StatusSeeOther {
		t.Errorf("the session from before answers %d", res.StatusCode)
	}
	if chosen := w.signIn("anchor=anchorsession_chosen"); strings.Contains(chosen, "chosen") {
		t.Error("the session is the one that the browser brought")
	}
}

func TestSignIn_RefusedWithoutEncryption(t *testing.T) {
	w := serve(t, false)
	for _, path := range []string{"/dashboard/sign-in"} {
		res, body := w.send("GET", path, "", nil)
		if strings.Contains(body, "not encrypted") {
			t.Errorf("%s on loopback answers %d: %s", path, res.StatusCode, body)
		}
	}
	d := dashboard.New(dashboard.Config{Secure: func(*http.Request) bool { return false }})
	r := httptest.NewRequest("POST", "http://server.example:3080/dashboard/sign-in", strings.NewReader("link=x"))
	r.RemoteAddr = "192.0.2.1:1234"
	answer := httptest.NewRecorder()
	d.ServeHTTP(answer, r)
	if answer.Code != http.StatusForbidden || !strings.Contains(answer.Body.String(), "not encrypted") {
		t.Errorf("it answers %d: %s", answer.Code, answer.Body)
	}
}

// TestSignIn_SlowsGuesses sends wrong links until the server makes the address wait.
func TestSignIn_SlowsGuesses(t *testing.T) {
	a := apitest.New(t, apitest.Options{})
	waited := 0
	d := dashboard.New(dashboard.Config{Secure: func(*http.Request) bool { return true }})
	services := a.Services()
	services.Pages = d
	options := api.Options{Sleep: func(context.Context, time.Duration) { waited++ }}
	base := apitest.Serve(t, services, options, func(h http.Handler) http.Handler { d.API = h; return h })
	for range 15 {
		res, err := http.PostForm(base+"/dashboard/sign-in", url.Values{"link": {"anchorlink_wrong"}})
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
	}
	if waited == 0 {
		t.Error("15 wrong links were answered at once")
	}
}

// TestSignIn_ByPassword sets a password on the account's page and signs in by it.
func TestSignIn_ByPassword(t *testing.T) {
	w := serve(t, false)
	now := time.Now()
	w.Access.Now = func() time.Time { return now }
	cookie := w.signIn("")
	_, page := w.send("POST", "/dashboard/account/password", cookie, url.Values{"password": {"correct horse battery"}})
	find := func(pattern string) string {
		t.Helper()
		m := regexp.MustCompile(pattern).FindStringSubmatch(page)
		if m == nil {
			t.Fatalf("there is no %s in %s", pattern, page)
		}
		return m[1]
	}
	id, secret := find(`name="id" value="([^"]+)"`), find(`id="secret">([^<]+)<`)
	code := func() string {
		t.Helper()
		text, err := totp.GenerateCode(secret, now)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	if res, body := w.send("POST", "/dashboard/account/password/confirm", cookie, url.Values{"id": {id}, "code": {code()}}); res.StatusCode != 303 {
		t.Fatalf("the code answers %d: %s", res.StatusCode, body)
	}
	now = now.Add(time.Minute)
	form := url.Values{"name": {"owner"}, "password": {"correct horse battery"}, "code": {"0"}}
	if res, body := w.send("POST", "/dashboard/sign-in/password", "", form); res.StatusCode != 401 || len(res.Cookies()) > 0 || !strings.Contains(body, "name, password or code is wrong") {
		t.Errorf("a wrong code answers %d: %s", res.StatusCode, body)
	}
	form.Set("code", code())
	if res, body := w.send("POST", "/dashboard/sign-in/password", "", form); res.StatusCode != 303 || len(res.Cookies()) != 1 {
		t.Errorf("the password answers %d: %s", res.StatusCode, body)
	}
	if res, _ := w.send("POST", "/dashboard/account/password/remove", cookie, nil); res.StatusCode != 303 {
		t.Errorf("removing it answers %d", res.StatusCode)
	}
}

// TestActions_CrossSite sends what a page of another site makes a browser send.
func TestActions_CrossSite(t *testing.T) {
	w := serve(t, false)
	cookie := w.signIn("")
	for _, headers := range [][]string{
		{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"},
		{"Sec-Fetch-Site", "", "Origin", "https://evil.example"}, {"Sec-Fetch-Site", "", "Origin", "null"},
	} {
		res, _ := w.send("POST", "/dashboard/projects", cookie, url.Values{"slug": {"stolen"}}, headers...)
		if res.StatusCode != http.StatusForbidden {
			t.Errorf("with %q it answers %d", headers, res.StatusCode)
		}
	}
	if _, err := w.Projects.Get(t.Context(), "stolen"); anchor.KindOf(err) != anchor.KindNotFound {
		t.Errorf("the project: %v", err)
	}
	if res, _ := w.send("GET", "/dashboard/sign-out", cookie, nil); res.StatusCode == http.StatusSeeOther {
		t.Error("a link signs out")
	}
	if res, _ := w.send("POST", "/projects", cookie, nil, "Content-Type", "application/json"); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("the API accepts the cookie: %d", res.StatusCode)
	}
}

func TestPages_Headers(t *testing.T) {
	w := serve(t, false)
	for _, path := range []string{"/dashboard", "/dashboard/sign-in", "/dashboard/nothing", "/"} {
		res, _ := w.send("GET", path, w.signIn(""), nil)
		policy := res.Header.Get("Content-Security-Policy")
		if !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'none'") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s has the policy %q", path, policy)
		}
		for name, want := range map[string]string{"X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"} {
			if got := res.Header.Get(name); got != want {
				t.Errorf("%s has %s: %s", path, name, got)
			}
		}
	}
}

var linked = regexp.MustCompile(`(?:src|href)="(/dashboard/assets/[^"]+)"`)

// TestPages_AreSmall adds up what the largest page loads.
func TestPages_AreSmall(t *testing.T) {
	w := serve(t, false)
	if _, err := w.Projects.Create(t.Context(), "shop", "main"); err != nil {
		t.Fatal(err)
	}
	cookie := w.signIn("")
	for _, path := range []string{"/dashboard", "/dashboard/people", "/dashboard/projects/shop/env"} {
		res, body := w.send("GET", path, cookie, nil)
		if res.StatusCode != 200 {
			t.Fatalf("%s answers %d: %s", path, res.StatusCode, body)
		}
		total := len(body)
		for _, m := range linked.FindAllStringSubmatch(body, -1) {
			res, packed := w.send("GET", m[1], "", nil, "Accept-Encoding", "gzip")
			if res.StatusCode != 200 || !strings.Contains(res.Header.Get("Cache-Control"), "immutable") {
				t.Errorf("%s answers %d with %v", m[1], res.StatusCode, res.Header)
			}
			if _, err := gzip.NewReader(strings.NewReader(packed)); err != nil {
				t.Errorf("%s: %v", m[1], err)
			}
			total += len(packed)
		}
		if total > 100_000 {
			t.Errorf("%s loads %d octets", path, total)
		}
	}
}

// TestPages_EscapeNames shows hostile text that records can contain.
func TestPages_EscapeNames(t *testing.T) {
	w := serve(t, false)
	const hostile = `"><script>alert(1)</script>`
	operator := access.Actor{Kind: access.KindToken, Name: hostile, Role: anchor.RoleOwner}
	if _, _, err := w.Access.Invite(t.Context(), operator, anchor.Person{Name: `"><script>alert(1)<\script>`, Role: anchor.RoleViewer}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.Access.CreateToken(t.Context(), operator, access.NewToken{Name: hostile, Scope: anchor.ScopeRead}); err != nil {
		t.Fatal(err)
	}
	shop, err := w.Projects.Create(t.Context(), "shop", hostile)
	if err != nil {
		t.Fatal(err)
	}
	deployment := anchor.Deployment{
		ID: anchor.DeploymentID(anchor.NewID()), ProjectID: shop.ID, Status: anchor.DeployFailed, Branch: hostile + "b", CommitSha: hostile, CommitMessage: hostile,
		CreatedBy: hostile, Version: hostile, ErrorStep: hostile, ErrorMessage: hostile, Source: anchor.SourcePush, CreatedAt: time.Now().UnixMilli(),
	}
	if err := w.Records.CreateDeployment(t.Context(), deployment); err != nil {
		t.Fatal(err)
	}
	if err := w.Access.Record(t.Context(), anchor.AuditEntry{Actor: hostile, Action: hostile, Target: hostile, Before: hostile, After: hostile, From: hostile}); err != nil {
		t.Fatal(err)
	}
	cookie := w.signIn("")
	for _, path := range []string{
		"/people", "/tokens", "/audit", "/audit?actor=" + url.QueryEscape(hostile), "/projects/shop/settings", "/projects/shop/deployments?q=" + url.QueryEscape(hostile),
		"/projects/shop", "/projects/shop/deployments", "/projects/shop/deployments/" + string(deployment.ID), "/projects/shop/deployments/" + string(deployment.ID) + "/redeploy",
		"/projects/shop/builds", "/projects/shop/previews", "/projects/shop/releases?cursor=" + url.QueryEscape(hostile), "/projects/shop/domains/" + url.PathEscape(hostile),
		"/projects/shop/logs?level=" + url.QueryEscape(hostile) + "&q=" + url.QueryEscape(hostile) + "&request=" + url.QueryEscape(hostile) + "&path=" + url.QueryEscape(hostile),
		"/projects/shop/errors?deployment=" + url.QueryEscape(hostile), "/projects/shop/crons?path=" + url.QueryEscape(hostile),
		"/projects/shop/cache?prefix=" + url.QueryEscape(hostile), "/projects/shop/env", "/drains", "/system/backups",
		"/projects/" + url.PathEscape(hostile), "?done=" + url.QueryEscape(hostile), "/sign-in?link=" + url.QueryEscape(hostile),
	} {
		_, body := w.send("GET", "/dashboard"+path, cookie, nil, "User-Agent", hostile)
		if strings.Contains(body, "<script>") {
			t.Errorf("%s contains the script: %s", path, body)
		}
	}
}

// TestLogs_EndWithTheSession follows the logs while the person is removed.
func TestLogs_EndWithTheSession(t *testing.T) {
	w := serve(t, false)
	if _, err := w.Projects.Create(t.Context(), "shop", "main"); err != nil {
		t.Fatal(err)
	}
	operator := access.Actor{Kind: access.KindToken, Role: anchor.RoleOwner}
	_, link, err := w.Access.Invite(t.Context(), operator, anchor.Person{Name: "Ada", Role: anchor.RoleViewer})
	if err != nil {
		t.Fatal(err)
	}
	res, _ := w.send("POST", "/dashboard/sign-in", "", url.Values{"link": {link.Secret}})
	r, err := http.NewRequestWithContext(t.Context(), "GET", w.url+"/dashboard/projects/shop/logs/tail", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.AddCookie(res.Cookies()[0])
	stream, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	if _, err := w.Access.Remove(t.Context(), operator, "Ada"); err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(stream.Body); err != nil || !strings.Contains(string(text), "event: end") {
		t.Errorf("the stream ends with %v: %s", err, text)
	}
}

// TestPages_Live reads the stream of a page before and after a change.
func TestPages_Live(t *testing.T) {
	w := serve(t, false)
	r, err := http.NewRequestWithContext(t.Context(), "GET", w.url+"/dashboard", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Cookie", w.signIn(""))
	r.Header.Set("Accept", "text/event-stream")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var seen strings.Builder
	read := func(until string) {
		t.Helper()
		buffer := make([]byte, 32<<10)
		for !strings.Contains(seen.String(), until) {
			n, err := res.Body.Read(buffer)
			if err != nil {
				t.Fatalf("%v after %s", err, seen.String())
			}
			seen.Write(buffer[:n])
		}
	}
	read("No project yet")
	if _, err := w.Projects.Create(t.Context(), "shop", "main"); err != nil {
		t.Fatal(err)
	}
	read("/dashboard/projects/shop")
}

// BenchmarkPages_Deployments renders pages of a project with 500 deployments.
func BenchmarkPages_Deployments(b *testing.B) {
	w := serve(b, false)
	shop, err := w.Projects.Create(b.Context(), "shop", "main")
	if err != nil {
		b.Fatal(err)
	}
	for i := range 500 {
		d := anchor.Deployment{ID: anchor.DeploymentID(anchor.NewID()), ProjectID: shop.ID, Status: anchor.Canceled, Branch: "main", CommitMessage: strconv.Itoa(i), CreatedAt: time.Now().UnixMilli()}
		if err := w.Records.CreateDeployment(b.Context(), d); err != nil {
			b.Fatal(err)
		}
	}
	cookie := w.signIn("")
	for name, path := range map[string]string{"newest": "", "search": "?q=nothing"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if res, body := w.send("GET", "/dashboard/projects/shop/deployments"+path, cookie, nil); res.StatusCode >= 500 {
					b.Fatal(res.StatusCode, body)
				}
			}
		})
	}
}
