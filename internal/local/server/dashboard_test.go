package server_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestDashboard_SignsInByTheLinkOfUp opens the link that anchor up prints, and then the server without a session.
func TestDashboard_SignsInByTheLinkOfUp(t *testing.T) {
	c := config(t, t.TempDir())
	c.Node = "node"
	r, _ := up(t, c)
	link, err := r.SignIn()
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(link)
	if err != nil || !strings.HasPrefix(link, r.Dashboard+"/sign-in?link=") {
		t.Fatalf("the link is %s, the dashboard at %s: %v", link, r.Dashboard, err)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer client.CloseIdleConnections()
	res, err := client.PostForm(r.Dashboard+"/sign-in", url.Values{"link": {u.Query().Get("link")}})
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusSeeOther || len(res.Cookies()) != 1 {
		t.Fatalf("signing in answers %d with %v", res.StatusCode, res.Cookies())
	}
	for path, want := range map[string]int{"/": http.StatusSeeOther, "/dashboard": http.StatusOK, "/dashboard/system": http.StatusOK, "/dashboard/nothing": http.StatusNotFound} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.APIURL+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.AddCookie(res.Cookies()[0])
		page, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		page.Body.Close()
		if page.StatusCode != want {
			t.Errorf("%s answers %d, want %d", path, page.StatusCode, want)
		}
	}
	if res, err = client.Get(r.Dashboard); err != nil || res.Header.Get("Location") != "/dashboard/sign-in" {
		t.Errorf("without a session it answers %v, %v", res, err)
	}
	res.Body.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.Dashboard, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "evil.example" // by DNS rebinding
	if res, err = client.Do(req); err != nil || res.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("another host is answered with %v, %v", res, err)
	}
	res.Body.Close()
}

// TestDashboard_OnTheAdminDomain looks at the page to sign in over HTTPS.
func TestDashboard_OnTheAdminDomain(t *testing.T) {
	f := newPushFixture(t, withAdmin)
	if f.ready.Dashboard != f.ready.Admin+"/dashboard" {
		t.Errorf("the dashboard is at %s", f.ready.Dashboard)
	}
	code, body := f.ask(f.ready.Dashboard+"/sign-in", adminDomain, adminDomain, "")
	if code != http.StatusOK || !strings.Contains(body, "Sign in to Anchor") || strings.Contains(body, "not encrypted") {
		t.Errorf("the page answers %d: %s", code, body)
	}
}
