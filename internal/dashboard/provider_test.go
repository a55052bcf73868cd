package dashboard_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/access"
	"github.com/anchor-deploy/anchor/internal/access/oidc"
	"github.com/anchor-deploy/anchor/internal/access/oidc/oidctest"
	"github.com/anchor-deploy/anchor/internal/anchor"
)

var users = []oidctest.User{
	{ID: "1", Name: "ada", Email: "Ada@example.com"}, {ID: "2", Name: "ada2", Email: "ada@example.com"},
	{ID: "3", Name: "bob", Email: "bob@example.com", Unverified: true}, {ID: "4", Name: "eve", Email: "eve@example.org"},
	{ID: "5", Name: "kim", Email: "kim@example.net"}, {ID: "6", Name: "kelvin", Email: "\u212aim@example.net"},
}

// serveProvider is serve with an identity provider, which admits viewers of example.net.
func serveProvider(t *testing.T) (*world, *oidctest.Provider) {
	w := serve(t, false)
	real := oidctest.New(t, users...)
	real.Register(w.url + "/dashboard/sign-in/oidc/callback")
	w.Access.Provider = oidc.New(oidc.Config{Issuer: real.Issuer, ClientID: oidctest.ClientID, ClientSecret: oidctest.ClientSecret, Title: "Example"})
	w.Access.Admits = map[string]anchor.Role{"example.net": anchor.RoleViewer}
	return w, real
}

// atProvider begins a sign-in, and returns the cookie that ties it to the browser and where the provider leads it.
func (w *world) atProvider(real *oidctest.Provider, user string) (cookie string, back *url.URL) {
	w.Helper()
	res, body := w.send("GET", "/dashboard/sign-in/oidc", "", nil)
	if res.StatusCode != http.StatusSeeOther || len(res.Cookies()) != 1 {
		w.Fatalf("it answers %d: %s", res.StatusCode, body)
	}
	c := res.Cookies()[0]
	if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.MaxAge != 300 {
		w.Errorf("the cookie is %+v", c)
	}
	return c.Name + "=" + c.Value, real.SignIn(w.TB, res.Header.Get("Location"), user)
}

// session returns the cookie of the session that the answer of a callback begins, "" for none.
func session(res *http.Response) string {
	at := slices.IndexFunc(res.Cookies(), func(c *http.Cookie) bool { return c.Name == "anchor" && c.Value != "" })
	if at < 0 {
		return ""
	}
	return "anchor=" + res.Cookies()[at].Value
}

func (w *world) invite(name, email string, role anchor.Role) {
	w.Helper()
	operator := access.Actor{Kind: access.KindToken, Role: anchor.RoleOwner}
	if _, _, err := w.Access.Invite(w.Context(), operator, anchor.Person{Name: name, Email: email, Role: role}); err != nil {
		w.Fatal(err)
	}
}

func TestSignIn_ByProvider(t *testing.T) {
	w, real := serveProvider(t)
	w.invite("Ada Lovelace", "ADA@Example.com", anchor.RoleDeveloper)
	w.invite("Bob", "bob@example.com", anchor.RoleOwner)
	if _, body := w.send("GET", "/dashboard/sign-in", "", nil); !strings.Contains(body, "Sign in with Example") {
		t.Error("the page does not offer the provider")
	}
	for _, c := range []struct{ user, want string }{
		{"ada", ""}, {"ada", ""}, {"ada2", "signs in by another account of Example"},
		{"bob", "has verified no e-mail address"}, {"eve", "nobody is invited with the e-mail address eve@example.org"},
		{"kim", ""}, {"kelvin", ""},
	} {
		cookie, back := w.atProvider(real, c.user)
		res, body := w.send("GET", back.RequestURI(), cookie, nil, "Sec-Fetch-Site", "cross-site")
		if c.want == "" && (res.StatusCode != http.StatusSeeOther || res.Header.Get("Location") != "/dashboard" || session(res) == "") {
			t.Errorf("%s gets %d: %s", c.user, res.StatusCode, body)
		}
		if c.want != "" && (res.StatusCode != http.StatusUnauthorized || session(res) != "" || !strings.Contains(body, c.want)) {
			t.Errorf("%s gets %d: %s", c.user, res.StatusCode, body)
		}
	}
	people, err := w.Access.ListPeople(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range people {
		got = append(got, p.Name+" "+string(p.Role)+" "+p.Email)
		for _, i := range p.Identities {
			got = append(got, "by "+i.Subject)
		}
	}
	want := "owner owner , Ada Lovelace developer ada@example.com, by 1, Bob owner bob@example.com, kim Example viewer kim@example.net, by 5, kelvin Example viewer \u212aim@example.net, by 6"
	if strings.Join(got, ", ") != want {
		t.Errorf("the people are %q, want %q", strings.Join(got, ", "), want)
	}
}

// TestSignIn_ByProviderOfAnotherBrowser opens addresses that an attacker could send.
func TestSignIn_ByProviderOfAnotherBrowser(t *testing.T) {
	w, real := serveProvider(t)
	w.invite("Ada Lovelace", "ada@example.com", anchor.RoleDeveloper)
	other, _ := w.atProvider(real, "ada")
	cookie, back := w.atProvider(real, "ada")
	for name, c := range map[string]struct{ cookie, address, want string }{
		"no cookie":     {"", back.RequestURI(), "did not begin in this browser"},
		"of another":    {other, back.RequestURI(), "belongs to another sign-in"},
		"made up":       {"anchor-oidc=x", back.RequestURI(), "took too long"},
		"denied":        {cookie, back.Path + "?error=access_denied&error_description=<script>", "did not let the identity provider"},
		"misconfigured": {cookie, back.Path + "?error=invalid_scope", "how this server is registered there"},
	} {
		res, body := w.send("GET", c.address, c.cookie, nil)
		if session(res) != "" || res.StatusCode < 400 || !strings.Contains(body, c.want) || strings.Contains(body, "<script>") {
			t.Errorf("%s: %d %s", name, res.StatusCode, body)
		}
	}
	if res, _ := w.send("GET", back.RequestURI(), cookie, nil); session(res) == "" {
		t.Errorf("the browser itself gets %d", res.StatusCode)
	}
	if res, body := w.send("GET", back.RequestURI(), cookie, nil); session(res) != "" || !strings.Contains(body, "used already") {
		t.Errorf("once more it gets %d: %s", res.StatusCode, body)
	}
}

// TestSignIn_ByProviderAfterAnotherAddress sets another address, after which the account signs nobody in.
func TestSignIn_ByProviderAfterAnotherAddress(t *testing.T) {
	w, real := serveProvider(t)
	w.invite("Ada", "ada@example.com", anchor.RoleDeveloper)
	cookie, back := w.atProvider(real, "ada")
	if res, _ := w.send("GET", back.RequestURI(), cookie, nil); session(res) == "" {
		t.Fatal("she cannot sign in")
	}
	people, err := w.Access.ListPeople(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	owner := w.signIn("")
	form := url.Values{"role": {"developer"}, "email": {"eve@example.org"}, "email-before": {"ada@example.com"}}
	if res, body := w.send("POST", "/dashboard/people/"+people[1].ID, owner, form); res.StatusCode != http.StatusSeeOther {
		t.Fatalf("it answers %d: %s", res.StatusCode, body)
	}
	cookie, back = w.atProvider(real, "ada")
	if res, body := w.send("GET", back.RequestURI(), cookie, nil); session(res) != "" || !strings.Contains(body, "nobody is invited") {
		t.Errorf("the account before gets %d: %s", res.StatusCode, body)
	}
	cookie, back = w.atProvider(real, "eve")
	if res, body := w.send("GET", back.RequestURI(), cookie, nil); session(res) == "" {
		t.Errorf("the account now gets %d: %s", res.StatusCode, body)
	}
	form = url.Values{"name": {"Second"}, "email": {"EVE@example.org"}, "role": {"viewer"}}
	if res, body := w.send("POST", "/dashboard/people", owner, form); res.StatusCode != http.StatusConflict || !strings.Contains(body, "eve@example.org") {
		t.Errorf("a second person with the address gets %d: %s", res.StatusCode, body)
	}
}
