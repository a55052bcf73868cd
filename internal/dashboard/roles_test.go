package dashboard_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/access"
	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/dashboard"
)

// everybody marks routes that need a session and no role; anybody those that need none.
const (
	everybody anchor.Role = "everybody"
	anybody   anchor.Role = "anybody"
)

// routes are all routes of the dashboard below /dashboard, and the role that each needs.
var routes = map[anchor.Role]string{
	anybody: `GET /{$}, GET /dashboard/{$}, GET /assets/{name}, GET /sign-in, POST /sign-in, POST /sign-out, POST /sign-in/passkey, POST /sign-in/passkey/begin,
		POST /sign-in/password, GET /sign-in/oidc, GET /sign-in/oidc/callback, /`,
	everybody: `GET , GET /account, GET /system, POST /account/passkeys, POST /account/passkeys/begin, POST /account/passkeys/{passkey}/remove, POST /account/password,
		GET /preview-access, POST /account/password/confirm, POST /account/password/remove, POST /account/sessions/{session}/end`,
	anchor.RoleViewer: `GET /system/doctor, GET P, GET P/series, GET P/deployments, GET P/deployments/{deployment}, GET P/deployments/{deployment}/log, GET P/builds, GET P/releases,
		GET P/previews, GET P/errors, GET P/errors/{error}, GET P/logs, GET P/logs/tail, GET P/crons, GET P/domains, GET P/domains/{domain}, GET P/env, GET P/cache, GET P/settings, GET P/repository`,
	anchor.RoleDeveloper: `POST /projects, GET P/deployments/{deployment}/promote, GET P/deployments/{deployment}/rollback, GET P/deployments/{deployment}/split,
		GET P/deployments/{deployment}/redeploy, POST P/deployments/{deployment}/promote, POST P/deployments/{deployment}/rollback, POST P/deployments/{deployment}/split,
		POST P/deployments/{deployment}/redeploy, POST P/deployments/{deployment}/cancel, POST P/builds/{deployment}/retry, POST P/builds/{deployment}/cancel,
		POST P/releases/weight, POST P/releases/complete, POST P/releases/cancel, POST P/previews/pulls/{number}/approve, POST P/crons/run, POST P/crons/pause,
		POST P/domains, POST P/domains/{domain}, POST P/domains/{domain}/check, POST P/domains/{domain}/remove, POST P/env, POST P/env/import, POST P/env/remove, POST P/previews/retention, POST P/limits, POST P/purge`,
	anchor.RoleAdmin: `GET /people, POST /people, POST /people/{person}, POST /people/{person}/link, POST /people/{person}/remove, GET /tokens, POST /tokens, POST /tokens/{token}/revoke,
		GET /audit, GET /alerts, POST /alerts, POST /alerts/{channel}/test, POST /alerts/{channel}/remove, GET /drains, POST /drains, POST /drains/{drain}/test, POST /drains/{drain}/remove,
		GET /system/backups, POST /system/backups, POST /system/backups/{backup}/verify, POST P/env/reveal, POST P/delete, POST P/domains/{domain}/move,
		POST P/previews/protect, POST P/previews/protect/sign-in, POST P/previews/unprotect, POST P/previews/bypass, POST P/repository, POST P/repository/secret, POST P/repository/trust, POST P/repository/disconnect`,
}

// needs returns the role of each pattern.
func needs() map[string]anchor.Role {
	all := map[string]anchor.Role{}
	for role, list := range routes {
		for one := range strings.SplitSeq(list, ",") {
			method, path, _ := strings.Cut(strings.TrimLeft(one, " \n\t"), " ")
			switch {
			case method == "/":
				all["/"] = role
				continue
			case path == "/{$}" || path == "/dashboard/{$}":
			case strings.HasPrefix(path, "P"):
				path = "/dashboard/projects/{project}" + path[1:]
			default:
				path = "/dashboard" + path
			}
			all[method+" "+path] = role
		}
	}
	return all
}

// session signs a new person in and returns the cookie.
func (w *world) session(p anchor.Person) string {
	w.Helper()
	operator := access.Actor{Kind: access.KindToken, Role: anchor.RoleOwner}
	_, link, err := w.Access.Invite(w.Context(), operator, p)
	if err != nil {
		w.Fatal(err)
	}
	res, body := w.send("POST", "/dashboard/sign-in", "", url.Values{"link": {link.Secret}})
	if cookie := session(res); cookie != "" {
		return cookie
	}
	w.Fatalf("%s cannot sign in: %s", p.Name, body)
	return ""
}

var values = strings.NewReplacer("{deployment}", "01jd0000000000000000000000", "{error}", "e", "{domain}", "www.example.com", "{number}", "1", "{channel}", "c", "{drain}", "d", "{backup}", "b",
	"{person}", "nobody", "{token}", "t", "{session}", "s", "{passkey}", "k", "{$}", "", "{name}", "x")

// TestRoutes_Roles calls each route as nobody, as each role in all projects, and as an admin of another project.
func TestRoutes_Roles(t *testing.T) {
	w := serve(t, false)
	shop, err := w.Projects.Create(t.Context(), "shop", "main")
	if err != nil {
		t.Fatal(err)
	}
	other, err := w.Projects.Create(t.Context(), "other", "main")
	if err != nil {
		t.Fatal(err)
	}
	table := needs()
	cookies := map[anchor.Role]string{}
	for _, role := range []anchor.Role{anchor.RoleViewer, anchor.RoleDeveloper, anchor.RoleAdmin, anchor.RoleOwner} {
		cookies[role] = w.session(anchor.Person{Name: "the " + string(role), Role: role})
	}
	stranger := w.session(anchor.Person{Name: "stranger", Projects: map[anchor.ProjectID]anchor.Role{other.ID: anchor.RoleAdmin}})
	for _, pattern := range dashboard.New(dashboard.Config{Secure: func(*http.Request) bool { return false }}).Patterns() {
		needs, known := table[pattern]
		delete(table, pattern)
		if !known {
			t.Errorf("%s is not in the table of routes", pattern)
		}
		if needs == anybody || !known || strings.HasSuffix(pattern, "/tail") || strings.HasSuffix(pattern, "/log") { // these follow
			continue
		}
		method, path, _ := strings.Cut(values.Replace(pattern), " ")
		path = strings.Replace(path, "{project}", "shop", 1)
		res, _ := w.send(method, path, "", nil)
		if res.StatusCode < 400 && (res.StatusCode != http.StatusSeeOther || res.Header.Get("Location") != "/dashboard/sign-in") {
			t.Errorf("%s as nobody answers %d", pattern, res.StatusCode)
		}
		if needs == everybody {
			continue
		}
		if res, body := w.send(method, path, stranger, nil); res.StatusCode < 400 || strings.Contains(path, "/shop") && res.StatusCode == http.StatusOK {
			t.Errorf("%s as somebody of another project answers %d: %s", pattern, res.StatusCode, body)
		}
		for role, cookie := range cookies {
			res, body := w.send(method, path, cookie, nil)
			switch {
			case !role.Includes(needs) && res.StatusCode < 400:
				t.Errorf("%s as %s answers %d", pattern, role, res.StatusCode)
			case role.Includes(needs) && res.StatusCode == http.StatusForbidden:
				t.Errorf("%s as %s answers %d: %s", pattern, role, res.StatusCode, body)
			}
		}
	}
	for pattern := range table {
		t.Errorf("%s is not a route", pattern)
	}
	if p, err := w.Projects.Get(t.Context(), "shop"); err != nil || p.ID != shop.ID {
		t.Errorf("the project: %+v, %v", p, err)
	}
}

// TestPages_ViewersHaveNoForms looks for buttons that would be refused.
func TestPages_ViewersHaveNoForms(t *testing.T) {
	w := serve(t, false)
	if _, err := w.Projects.Create(t.Context(), "shop", "main"); err != nil {
		t.Fatal(err)
	}
	viewer, owner := w.session(anchor.Person{Name: "viewer", Role: anchor.RoleViewer}), w.signIn("")
	for pattern, role := range needs() {
		method, path, _ := strings.Cut(values.Replace(pattern), " ")
		if method != "GET" || role != anchor.RoleViewer || strings.HasSuffix(path, "/tail") || strings.HasSuffix(path, "/log") {
			continue
		}
		path = strings.Replace(path, "{project}", "shop", 1)
		if _, body := w.send("GET", path, viewer, nil); strings.Count(body, `method="post"`) > 1 { // one signs out
			t.Errorf("%s has forms for a viewer: %s", path, body)
		}
	}
	if _, body := w.send("GET", "/dashboard/projects/shop/settings", owner, nil); strings.Count(body, `method="post"`) < 3 {
		t.Errorf("an owner has no forms: %s", body)
	}
}
