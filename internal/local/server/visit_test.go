package server_test

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
	"github.com/anchor-deploy/anchor/internal/local/server"
)

// browser is a person's browser at the dashboard. It follows no redirect.
type browser struct {
	*testing.T
	*http.Client
	dashboard string
}

func (f *pushFixture) browser() browser {
	f.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		f.Fatal(err)
	}
	b := browser{f.T, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, f.ready.Dashboard}
	f.Cleanup(b.CloseIdleConnections)
	return b
}

// signIn signs somebody in by the link whose secret it has, and returns where the browser is led to.
func (b browser) signIn(secret string) string {
	b.Helper()
	res, err := b.PostForm(b.dashboard+"/sign-in", url.Values{"link": {secret}})
	if err != nil {
		b.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusSeeOther {
		b.Fatalf("signing in answers %d", res.StatusCode)
	}
	return strings.TrimSuffix(b.dashboard, "/dashboard") + res.Header.Get("Location")
}

func (b browser) open(at string) *http.Response {
	b.Helper()
	res, err := b.Get(at)
	if err != nil {
		b.Fatal(err)
	}
	res.Body.Close()
	return res
}

// back opens a page of the dashboard and returns the address of the preview that it leads to.
func (b browser) back(at string) string {
	b.Helper()
	res := b.open(at)
	to, found := strings.CutPrefix(res.Header.Get("Refresh"), "0; url=")
	if !found {
		b.Fatalf("%s answers %d and leads to no preview", at, res.StatusCode)
	}
	return to
}

// invite returns the secret of a link of a new person.
func (f *pushFixture) invite(name string, roles map[string]anchor.Role) string {
	f.Helper()
	made, err := f.api.Invite(f.Context(), wire.InvitePerson{Name: name, Roles: wire.Roles{Projects: roles}})
	if err != nil {
		f.Fatal(err)
	}
	return made.Path[strings.Index(made.Path, "=")+1:]
}

var html = []string{"Accept", "text/html"}

// protectedPreview pushes a preview whose visitors sign in, and returns its URL.
func (f *pushFixture) protectedPreview() string {
	f.Helper()
	f.app("one")
	f.push("main")
	at := siteURL(f.T, f.branch("feature/x", "preview"), "Branch")
	if set, err := f.api.ProtectPreviewsBySignIn(f.Context(), "shop"); err != nil || !set.Enabled || !set.SignIn {
		f.Fatalf("the protection is %+v, %v", set, err)
	}
	return at
}

// pathOf returns the path and the query of an address of the visitor's preview.
func (v visitor) pathOf(at string) string {
	v.Helper()
	u, err := url.Parse(at)
	if err != nil || u.Host != v.at.Host {
		v.Fatalf("%s is not an address of %s: %v", at, v.at.Host, err)
	}
	return u.RequestURI()
}

func TestPreview_VisitorsSignIn(t *testing.T) {
	f := newPushFixture(t, nil)
	at := f.protectedPreview()
	v, ada := f.visitorOf(at), f.browser()

	// Programs are refused, browsers are sent to sign in, and come back to what they asked for.
	v.wants(401, "sign in", "GET", "/", "")
	v.wants(401, "", "POST", "/", "a=b", html...)
	v.wants(401, "", "POST", "/_anchor/preview-access", "password=&next=/", html...)
	asked := v.wants(303, "", "GET", "/page?a=1", "", html...).Header.Get("Location")
	if !strings.HasPrefix(asked, f.ready.Dashboard+"/preview-access?") {
		t.Fatalf("the browser is sent to %s", asked)
	}
	if to := ada.open(asked).Header.Get("Location"); to != "/dashboard/sign-in" {
		t.Errorf("without a session the dashboard leads to %s", to)
	}
	first := ada.open(ada.signIn(f.invite("Ada", map[string]anchor.Role{"shop": anchor.RoleViewer})))
	code := v.pathOf(ada.back(f.ready.APIURL + first.Header.Get("Location")))
	f.visitorOf(at).wants(401, "in the browser that opened", "GET", code, "", html...) // a stolen one
	v.wants(401, "works once", "GET", code, "", html...)                               // which uses it up

	code = v.pathOf(ada.back(asked))
	if to := v.wants(303, "", "GET", code, "", html...).Header.Get("Location"); to != "/page?a=1" {
		t.Errorf("the visitor comes back to %s", to)
	}
	v.wants(200, "preview", "GET", "/", "")
	if to := v.wants(303, "", "GET", code, "", html...).Header.Get("Location"); to != "/" {
		t.Errorf("the code leads a second time to %s", to)
	}
	f.visitorOf(at).wants(401, "", "GET", code, "", html...)

	// The cookie is for this host, and for this session.
	other := f.visitorOf(siteURL(t, f.branch("feature/y", "other"), "Branch"))
	u := *v.at
	u.Host = "127.0.0.1:" + v.at.Port()
	for _, c := range v.Jar.Cookies(&u) {
		other.wants(401, "", "GET", "/", "", "Cookie", c.String())
	}
	res, err := ada.PostForm(ada.dashboard+"/sign-out", nil)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	v.wants(401, "", "GET", "/page", "")
}

func TestPreview_VisitorsNeedARole(t *testing.T) {
	f := newPushFixture(t, nil)
	at := f.protectedPreview()
	v, eve := f.visitorOf(at), f.browser()
	if _, err := f.api.CreateProject(t.Context(), "other", "main"); err != nil {
		t.Fatal(err)
	}
	asked := v.wants(303, "", "GET", "/", "", html...).Header.Get("Location")
	eve.signIn(f.invite("Eve", map[string]anchor.Role{"other": anchor.RoleAdmin}))
	if res := eve.open(asked); res.StatusCode != http.StatusNotFound || res.Header.Get("Refresh") != "" {
		t.Errorf("somebody of another project gets %d, %q", res.StatusCode, res.Header.Get("Refresh"))
	}
	// Who gets a role sees the preview, until it is taken.
	if _, err := f.api.SetPerson(t.Context(), "Eve", wire.SetPerson{Roles: wire.Roles{Projects: map[string]anchor.Role{"shop": anchor.RoleViewer}}}); err != nil {
		t.Fatal(err)
	}
	v.wants(303, "", "GET", v.pathOf(eve.back(asked)), "", html...)
	v.wants(200, "preview", "GET", "/", "")
	if _, err := f.api.SetPerson(t.Context(), "Eve", wire.SetPerson{Roles: wire.Roles{Projects: map[string]anchor.Role{"other": anchor.RoleViewer}}}); err != nil {
		t.Fatal(err)
	}
	v.wants(401, "", "GET", "/", "")
}

func TestPreview_SignInRefusesWhatItDidNotMake(t *testing.T) {
	f := newPushFixture(t, nil)
	at := f.protectedPreview()
	v, owner := f.visitorOf(at), f.browser()
	link, err := f.ready.SignIn()
	if err != nil {
		t.Fatal(err)
	}
	owner.signIn(link[strings.Index(link, "=")+1:])
	asked := v.wants(303, "", "GET", "//evil.example/", "", html...).Header.Get("Location")
	if to := v.wants(303, "", "GET", v.pathOf(owner.back(asked)), "", html...).Header.Get("Location"); to != "/" {
		t.Errorf("the visitor is led to %s", to)
	}
	forged := regexp.MustCompile(`ticket=.`).ReplaceAllString(asked, "ticket=x")
	if res := owner.open(forged); res.StatusCode != http.StatusBadRequest || res.Header.Get("Refresh") != "" {
		t.Errorf("a forged ticket gets %d, %q", res.StatusCode, res.Header.Get("Refresh"))
	}
	// A token has no browser.
	ticket, err := url.Parse(asked)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.api.VisitPreview(t.Context(), "shop", ticket.Query().Get("ticket")); anchor.CodeOf(err) != "person_needed" {
		t.Errorf("a token gets a visit: %v", err)
	}
	// Another way to protect previews ends what was admitted, and the tickets.
	if _, err := f.api.ProtectPreviews(t.Context(), "shop", "open sesame"); err != nil {
		t.Fatal(err)
	}
	v.wants(401, "Enter the password", "GET", "/", "", html...)
	if res := owner.open(asked); res.StatusCode != http.StatusBadRequest {
		t.Errorf("a ticket of before gets %d", res.StatusCode)
	}
	for _, body := range []string{`{}`, `{"password":"open sesame","signIn":true}`} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, f.ready.APIURL+"/projects/shop/preview-protection", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+f.token)
		r.Header.Set("Content-Type", "application/json")
		res, err := owner.Do(r)
		if err != nil || res.StatusCode != http.StatusBadRequest {
			t.Fatalf("%s is answered with %v, %v", body, res, err)
		}
		res.Body.Close()
	}
}

func TestPreview_SignInNeedsADashboardThatVisitorsReach(t *testing.T) {
	f := newPushFixture(t, func(c *server.Config) { c.BaseDomain = "apps.example.com" })
	if _, err := f.api.ProtectPreviewsBySignIn(t.Context(), "shop"); anchor.CodeOf(err) != "no_admin_domain" {
		t.Errorf("the protection is refused with %v", err)
	}
	if shown, err := f.api.PreviewProtection(t.Context(), "shop"); err != nil || shown.Enabled {
		t.Errorf("the protection is %+v, %v", shown, err)
	}
}
