package api_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/access"
	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/apitest"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

// operator is a token of scope admin, as on the machine of the server.
var operator = access.Actor{Kind: access.KindToken, Role: anchor.RoleOwner}

// signedIn makes a person and returns the secret of a session.
func signedIn(t *testing.T, a *apitest.Anchor, p anchor.Person) string {
	t.Helper()
	_, link, err := a.Access.Invite(t.Context(), operator, p)
	check(t, err)
	session, err := a.Access.SignIn(t.Context(), link.Secret, "", "")
	check(t, err)
	return session.Secret
}

// people is an Anchor with an owner, without whom nobody is removed or changed.
func people(t *testing.T) *apitest.Anchor {
	t.Helper()
	a := apitest.New(t, apitest.Options{})
	check(t, a.Access.EnsureOwner(t.Context(), "owner"))
	return a
}

// may is which roles an operation of a scope is for.
var may = map[anchor.Scope][]anchor.Role{
	anchor.ScopeRead:   {anchor.RoleViewer, anchor.RoleDeveloper, anchor.RoleAdmin, anchor.RoleOwner},
	anchor.ScopeDeploy: {anchor.RoleDeveloper, anchor.RoleAdmin, anchor.RoleOwner},
	anchor.ScopeAdmin:  {anchor.RoleAdmin, anchor.RoleOwner},
}

// own are routes that everybody may call for themselves, and admins for others.
var own = []string{"POST /people/W/links", "GET /people/W/sessions", "DELETE /people/W/sessions/S"}

// TestRoutes_Roles calls each route as each role: for all projects, for one, and as a token for one.
func TestRoutes_Roles(t *testing.T) {
	a := people(t)
	base := serve(t, a)
	everywhere := map[anchor.Role]string{}
	for _, role := range may[anchor.ScopeRead] {
		everywhere[role] = signedIn(t, a, anchor.Person{Name: "a " + string(role), Role: role})
	}
	for i, r := range routes {
		name := r.method + " " + r.path
		for role, session := range everywhere {
			got := call(t, base, r.method, strings.Replace(r.path, "/P", "/nowhere", 1), session, r.body, nil)
			if allowed := slices.Contains(may[r.needs], role); !slices.Contains(own, name) && allowed == (got.status == 403) {
				t.Errorf("%s as %s answers %d %s", name, role, got.status, got.problem.Code)
			}
		}
		if !r.inProject {
			continue
		}
		for _, role := range []anchor.Role{anchor.RoleViewer, anchor.RoleDeveloper, anchor.RoleAdmin} {
			slug := fmt.Sprintf("p%d-%s", i, role)
			p, err := a.Projects.Create(t.Context(), slug, "main")
			check(t, err)
			_, err = a.Projects.Create(t.Context(), slug+"-not", "main")
			check(t, err)
			session := signedIn(t, a, anchor.Person{Name: slug, Projects: map[anchor.ProjectID]anchor.Role{p.ID: role}})
			scope := map[anchor.Role]anchor.Scope{"viewer": "read", "developer": "deploy", "admin": "admin"}[role]
			token, _, err := a.Access.CreateToken(t.Context(), operator, access.NewToken{Name: slug, Scope: scope, Projects: []anchor.ProjectID{p.ID}})
			check(t, err)
			for _, secret := range []string{token, session} {
				foreign := call(t, base, r.method, strings.Replace(r.path, "/P", "/"+slug+"-not", 1), secret, r.body, nil)
				if foreign.status != 403 && (foreign.status != 404 || foreign.problem.Code != "unknown_project") {
					t.Errorf("%s in a foreign project as %s of another answers %d %s", name, role, foreign.status, foreign.problem.Code)
				}
				if foreign.status == 403 && slices.Contains(may[r.needs], role) {
					t.Errorf("%s in a foreign project reveals by %s that it exists", name, foreign.problem.Code)
				}
				if name == "DELETE /projects/P" && role == anchor.RoleAdmin {
					continue // the token would delete the project before the session could
				}
				if got := call(t, base, r.method, strings.Replace(r.path, "/P", "/"+slug, 1), secret, r.body, nil); slices.Contains(may[r.needs], role) == (got.status == 403) {
					t.Errorf("%s as %s of the project answers %d %s", name, role, got.status, got.problem.Code)
				}
			}
		}
	}
}

// TestRoles_OfOneProject shows what somebody of one project sees outside of it.
func TestRoles_OfOneProject(t *testing.T) {
	a := people(t)
	base := serve(t, a)
	mine, err := a.Projects.Create(t.Context(), "mine", "main")
	check(t, err)
	_, err = a.Projects.Create(t.Context(), "theirs", "main")
	check(t, err)
	session := signedIn(t, a, anchor.Person{Name: "Ada", Projects: map[anchor.ProjectID]anchor.Role{mine.ID: anchor.RoleAdmin}})
	for _, path := range []string{"/projects", "/status", "/audit?project=mine"} {
		got := call(t, base, "GET", path, session, "", nil)
		got.is(t, 200)
		if strings.Contains(got.body, "theirs") {
			t.Errorf("%s reveals the other project: %s", path, got.body)
		}
	}
	call(t, base, "GET", "/audit?project=theirs", session, "", nil).isProblem(t, 404, "unknown_project")
	call(t, base, "GET", "/audit", session, "", nil).isProblem(t, 403, "role_too_small")
	call(t, base, "POST", "/projects", session, `{"slug":"more"}`, nil).isProblem(t, 403, "role_too_small")
	call(t, base, "GET", "/doctor", session, "", nil).isProblem(t, 403, "role_too_small")
	call(t, base, "POST", "/projects/mine/domains/any/move", session, `{"projectId":"theirs"}`, nil).isProblem(t, 404, "unknown_project")
	token, _, err := a.Access.CreateToken(t.Context(), operator, access.NewToken{Name: "ci", Scope: anchor.ScopeAdmin, Projects: []anchor.ProjectID{mine.ID}})
	check(t, err)
	call(t, base, "GET", "/tokens", token, "", nil).isProblem(t, 403, "token_of_other_project")
	call(t, base, "POST", "/people", token, `{"name":"Eve","role":"owner"}`, nil).isProblem(t, 403, "token_of_other_project")
}

// TestSignInLinks_NeedTheRole asks for links with tokens and sessions that must not get them.
func TestSignInLinks_NeedTheRole(t *testing.T) {
	a := people(t)
	base := serve(t, a)
	p, err := a.Projects.Create(t.Context(), "shop", "main")
	check(t, err)
	bound, _, err := a.Access.CreateToken(t.Context(), operator, access.NewToken{Name: "ci", Scope: anchor.ScopeAdmin, Projects: []anchor.ProjectID{p.ID}})
	check(t, err)
	viewer := signedIn(t, a, anchor.Person{Name: "Ada", Role: anchor.RoleViewer})
	for _, path := range []string{"/people/me/links", "/people/owner/links", "/people/Ada/links"} {
		for _, token := range []string{apitest.ReadToken, apitest.DeployToken, bound} {
			call(t, base, "POST", path, token, "", nil).isProblem(t, 403, "role_too_small")
		}
	}
	for _, path := range []string{"/people/owner/sessions", "/people/owner/links"} {
		method := map[bool]string{true: "POST", false: "GET"}[strings.HasSuffix(path, "links")]
		call(t, base, method, path, viewer, "", nil).isProblem(t, 403, "role_too_small")
	}
	call(t, base, "POST", "/people/me/links", viewer, "", nil).is(t, 201)
	call(t, base, "POST", "/people/me/links", apitest.AdminToken, "", nil).is(t, 201)
	call(t, base, "GET", "/me/passkeys", apitest.AdminToken, "", nil).isProblem(t, 403, "not_a_person")
	call(t, base, "DELETE", "/me/password", apitest.AdminToken, "", nil).isProblem(t, 403, "not_a_person")
}

// TestPeople_NobodyGivesMoreThanTheyHave is an admin who tries to become an owner.
func TestPeople_NobodyGivesMoreThanTheyHave(t *testing.T) {
	a := people(t)
	base := serve(t, a)
	admin := signedIn(t, a, anchor.Person{Name: "Ada", Role: anchor.RoleAdmin})
	for _, try := range []struct{ method, path, body string }{
		{"POST", "/people", `{"name":"Eve","role":"owner"}`},
		{"PUT", "/people/me", `{"role":"owner"}`},
		{"PUT", "/people/owner", `{"role":"viewer"}`},
		{"DELETE", "/people/owner", ""},
		{"POST", "/people/owner/links", ""},
		{"GET", "/people/owner/sessions", ""},
		{"POST", "/tokens", `{"name":"x","scope":"admin"}`},
	} {
		call(t, base, try.method, try.path, admin, try.body, nil).isProblem(t, 403, "role_too_small")
	}
	call(t, base, "POST", "/tokens", admin, `{"name":"x","scope":"deploy"}`, nil).is(t, 201)
	call(t, base, "POST", "/people", admin, `{"name":"Eve","role":"admin"}`, nil).is(t, 201)
	call(t, base, "DELETE", "/people/owner", apitest.AdminToken, "", nil).isProblem(t, 409, "last_owner")
	call(t, base, "PUT", "/people/owner", apitest.AdminToken, `{"role":"admin"}`, nil).isProblem(t, 409, "last_owner")
}

// TestSignIn_ByLink follows a link from the invitation to the end of the session.
func TestSignIn_ByLink(t *testing.T) {
	base := serve(t, people(t))
	var made wire.InvitedPerson
	call(t, base, "POST", "/people", apitest.AdminToken, `{"name":"Ada","role":"viewer"}`, nil).decode(t, &made)
	_, secret, _ := strings.Cut(made.Path, "?link=")
	body := fmt.Sprintf(`{"link":%q}`, secret)
	for range 2 {
		if got := call(t, base, "POST", "/sign-in-links/look", "", body, nil); got.body != `{"name":"Ada"}`+"\n" {
			t.Errorf("the link signs in %d %s", got.status, got.body)
		}
	}
	var session struct{ Secret, SessionID string }
	call(t, base, "POST", "/sessions", "", body, nil).decode(t, &session)
	call(t, base, "POST", "/sessions", "", body, nil).isProblem(t, 401, "bad_link")
	call(t, base, "POST", "/sessions", "", `{"link":"anchorlink_x"}`, nil).isProblem(t, 401, "bad_link")
	var me wire.Me
	call(t, base, "GET", "/me", session.Secret, "", nil).decode(t, &me)
	if me.Kind != "person" || me.Name != "Ada" || me.Role != "viewer" || me.SessionID != session.SessionID {
		t.Errorf("me is %+v", me)
	}
	call(t, base, "DELETE", "/people/me/sessions/current", session.Secret, "", nil).is(t, 204)
	call(t, base, "GET", "/me", session.Secret, "", nil).isProblem(t, 401, "session_ended")
}

// TestRemovePerson_EndsSessions removes somebody who is signed in.
func TestRemovePerson_EndsSessions(t *testing.T) {
	a := people(t)
	base := serve(t, a)
	session := signedIn(t, a, anchor.Person{Name: "Ada", Role: anchor.RoleAdmin})
	call(t, base, "DELETE", "/people/Ada", apitest.AdminToken, "", nil).is(t, 204)
	call(t, base, "GET", "/projects", session, "", nil).isProblem(t, 401, "session_ended")
}

// TestAudit_NamesChanges makes changes and reads them back; reads and refused changes leave no entry.
func TestAudit_NamesChanges(t *testing.T) {
	a := people(t)
	base := serve(t, a)
	session := signedIn(t, a, anchor.Person{Name: "Ada", Role: anchor.RoleOwner})
	call(t, base, "POST", "/projects", session, `{"slug":"shop"}`, nil).is(t, 201)
	call(t, base, "POST", "/projects", session, `{"slug":"shop"}`, nil).is(t, 409)
	call(t, base, "GET", "/projects", session, "", nil).is(t, 200)
	call(t, base, "PUT", "/projects/shop/env", session, `{"variables":[{"name":"KEY","value":"s3cret"}]}`, nil).is(t, 204)
	call(t, base, "PUT", "/projects/shop/limits", session, `{"memoryBytes":1073741824}`, nil).is(t, 200)
	call(t, base, "POST", "/people", session, `{"name":"Eve","role":"viewer"}`, nil).is(t, 201)
	call(t, base, "PUT", "/people/Eve", session, `{"role":"admin"}`, nil).is(t, 200)
	call(t, base, "DELETE", "/projects/shop/env/KEY", session, "", nil).is(t, 204)

	got := call(t, base, "GET", "/audit?actor=Ada", session, "", nil)
	var log wire.Items[anchor.AuditEntry]
	got.decode(t, &log)
	var lines []string
	for _, e := range slices.Backward(log.Items) {
		lines = append(lines, strings.Join([]string{e.Action, e.Project, e.Target}, " "))
		if e.ActorKind != "person" || e.Actor != "Ada" || e.From != "127.0.0.1" || e.At == 0 {
			t.Errorf("the entry is %+v", e)
		}
	}
	want := "create-project shop |set-env shop |set-limits shop |invite-person  Eve|set-person  Eve|remove-env shop KEY"
	if all := strings.Join(lines, "|"); all != want {
		t.Errorf("the log is %q, want %q", all, want)
	}
	for _, part := range []string{`"before":"{\"role\":\"viewer\"}","after":"{\"role\":\"admin\"}"`, `\"Name\":\"KEY\"`, `memoryBytes`} {
		if !strings.Contains(got.body, part) {
			t.Errorf("the log does not contain %s: %s", part, got.body)
		}
	}
	if strings.Contains(got.body, "s3cret") {
		t.Error("the log contains the value of a variable")
	}
	call(t, base, "GET", "/audit?limit=1&before="+fmt.Sprint(log.Items[0].Seq), session, "", nil).decode(t, &log)
	if len(log.Items) != 1 || log.Items[0].Action != "set-person" {
		t.Errorf("the next page is %+v", log.Items)
	}
}

// TestAudit_NamesADividedSwitch: a rollback that fails half-way has changed what visitors get.
func TestAudit_NamesADividedSwitch(t *testing.T) {
	a := people(t)
	base := serve(t, a)
	call(t, base, "POST", "/projects", apitest.DeployToken, `{"slug":"shop"}`, nil).is(t, 201)
	first := idOf(deploy(t, base, ""))
	deploy(t, base, "")
	apply := []bool{true, false} // the switch reaches some of the traffic, and the way back none
	a.Platform.Fault = func(_ context.Context, op string, _ anchor.DeploymentID) (bool, error) {
		if op != "Commit" && op != "Follow" || len(apply) == 0 {
			return false, nil
		}
		next := apply[0]
		apply = apply[1:]
		return next, errors.New("denied")
	}
	call(t, base, "POST", "/projects/shop/rollback", apitest.DeployToken, fmt.Sprintf(`{"targetDeploymentId":%q}`, first), nil).isProblem(t, 500, "traffic_divided")
	log, err := a.Access.Changes(t.Context(), anchor.AuditFilter{Limit: 1})
	check(t, err)
	if e := log[0]; e.Action != "rollback-project" || e.Project != "shop" || e.Actor != "deploy" || !strings.Contains(e.After, "failed half-way") {
		t.Errorf("the last entry is %+v", e)
	}
}

// TestAudit_OutlivesTheRequest records a change of a client that is gone.
func TestAudit_OutlivesTheRequest(t *testing.T) {
	a := people(t)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	check(t, a.Access.Record(ctx, anchor.AuditEntry{Action: "create-project"}))
	if log, err := a.Access.Changes(t.Context(), anchor.AuditFilter{Limit: 10}); err != nil || len(log) != 1 {
		t.Errorf("the log is %+v, %v", log, err)
	}
}

// TestTokens_Expire uses a token for one project after its time.
func TestTokens_Expire(t *testing.T) {
	a := people(t)
	base := serve(t, a)
	call(t, base, "POST", "/tokens", apitest.AdminToken, `{"name":"old","scope":"read","expiresAt":1}`, nil).isProblem(t, 400, "bad_expiry")
	call(t, base, "POST", "/tokens", apitest.AdminToken, `{"name":"x","scope":"read","projects":["nowhere"]}`, nil).isProblem(t, 404, "unknown_project")
	var made wire.CreatedToken
	call(t, base, "POST", "/tokens", apitest.AdminToken, `{"name":"ci","scope":"read"}`, nil).decode(t, &made)
	if made.CreatedBy != "admin" {
		t.Errorf("the token is %+v", made.Token)
	}
	call(t, base, "GET", "/projects", made.Secret, "", nil).is(t, 200)
	var tokens wire.Items[anchor.Token]
	call(t, base, "GET", "/tokens", apitest.AdminToken, "", nil).decode(t, &tokens)
	for _, token := range tokens.Items {
		if token.ID == made.ID && token.LastUsedAt == 0 {
			t.Error("the use of the token is not stored")
		}
	}
}
