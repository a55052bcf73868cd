package api_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api"
	"github.com/anchor-deploy/anchor/internal/api/apitest"
	"github.com/anchor-deploy/anchor/internal/api/wire"
	"github.com/anchor-deploy/anchor/internal/artifact"
)

// routes are all of the API but the public ones. body is one that gets past the
// schema; inProject routes begin with a project's name.
var routes = []route{
	{"POST", "/projects", "deploy", `{"slug":"other"}`, false},
	{"GET", "/projects", "read", "", false},
	{"GET", "/projects/P", "read", "", true},
	{"DELETE", "/projects/P", "admin", "", true},
	{"POST", "/projects/P/deployments", "deploy", `{"manifest":{"files":[{"path":"a","size":1,"digest":"d"}]}}`, true},
	{"GET", "/projects/P/deployments", "read", "", true},
	{"POST", "/projects/P/builds", "deploy", `{"repository":"https://git.example/shop"}`, true},
	{"GET", "/projects/P/builds", "read", "", true},
	{"GET", "/projects/P/builds/D/logs", "read", "", true},
	{"POST", "/projects/P/builds/D/cancel", "deploy", "", true},
	{"POST", "/projects/P/builds/D/retry", "deploy", "", true},
	{"GET", "/projects/P/deployments/D", "read", "", true},
	{"GET", "/projects/P/deployments/D/missing", "deploy", "", true},
	{"POST", "/projects/P/deployments/D/uploads", "deploy", `{"digests":["d"]}`, true},
	{"POST", "/projects/P/deployments/D/finish", "deploy", "", true},
	{"POST", "/projects/P/deployments/D/cancel", "deploy", "", true},
	{"GET", "/projects/P/deployments/D/events", "read", "", true},
	{"POST", "/projects/P/deployments/D/promote", "deploy", "", true},
	{"PUT", "/projects/P/files/" + string(artifact.DigestOf([]byte("x"))), "deploy", "x", true},
	{"POST", "/projects/P/files", "deploy", strings.Repeat("\x00", 1024), true},
	{"POST", "/projects/P/rollback", "deploy", `{"targetDeploymentId":"D"}`, true},
	{"GET", "/projects/P/releases", "read", "", true},
	{"GET", "/projects/P/live", "read", "", true},
	{"GET", "/projects/P/split", "read", "", true},
	{"DELETE", "/projects/P/split", "deploy", "", true},
	{"GET", "/projects/P/limits", "read", "", true},
	{"PUT", "/projects/P/limits", "deploy", `{"memoryBytes":1073741824}`, true},
	{"GET", "/projects/P/preview-retention", "read", "", true},
	{"PUT", "/projects/P/preview-retention", "deploy", `{"keep":3,"days":30}`, true},
	{"GET", "/projects/P/settings", "read", "", true},
	{"PUT", "/projects/P/settings", "deploy", `{"memory":1024}`, true},
	{"GET", "/projects/P/cache", "read", "", true},
	{"GET", "/projects/P/cache/answers", "read", "", true},
	{"POST", "/projects/P/cache/purge", "deploy", `{"tag":"news"}`, true},
	{"GET", "/projects/P/stats", "read", "", true},
	{"GET", "/metrics", "read", "", false},
	{"GET", "/projects/P/env", "read", "", true},
	{"PUT", "/projects/P/env", "deploy", `{"variables":[{"name":"A","value":"b"}]}`, true},
	{"DELETE", "/projects/P/env/A", "deploy", "", true},
	{"GET", "/projects/P/env/build", "deploy", "", true},
	{"GET", "/projects/P/connection", "read", "", true},
	{"PUT", "/projects/P/connection", "admin", `{"host":"github","repository":"https://github.com/a/b"}`, true},
	{"DELETE", "/projects/P/connection", "admin", "", true},
	{"POST", "/projects/P/connection/trust-host-key", "admin", "", true},
	{"GET", "/projects/P/pulls", "read", "", true},
	{"POST", "/projects/P/pulls/1/approve", "deploy", `{"commit":"c0ffee0"}`, true},
	{"GET", "/projects/P/crons", "read", "", true},
	{"GET", "/projects/P/crons/runs", "read", "", true},
	{"POST", "/projects/P/crons/runs", "deploy", `{"path":"/a"}`, true},
	{"PUT", "/projects/P/crons/pause", "deploy", `{"path":"/a","paused":true}`, true},
	{"GET", "/projects/P/preview-protection", "read", "", true},
	{"PUT", "/projects/P/preview-protection", "admin", `{"password":"12345678"}`, true},
	{"DELETE", "/projects/P/preview-protection", "admin", "", true},
	{"POST", "/projects/P/preview-protection/visits", "read", `{"ticket":"x"}`, true},
	{"POST", "/projects/P/preview-protection/bypass", "admin", "", true},
	{"GET", "/projects/P/domains", "read", "", true},
	{"POST", "/projects/P/domains", "deploy", `{"domain":"www.example.com"}`, true},
	{"GET", "/projects/P/domains/N", "read", "", true},
	{"PATCH", "/projects/P/domains/N", "deploy", `{"hsts":true}`, true},
	{"DELETE", "/projects/P/domains/N", "deploy", "", true},
	{"POST", "/projects/P/domains/N/check", "deploy", "", true},
	{"POST", "/projects/P/domains/N/move", "admin", `{"projectId":"other"}`, true},
	{"GET", "/projects/P/logs", "read", "", true},
	{"GET", "/projects/P/errors", "read", "", true},
	{"GET", "/projects/P/errors/E", "read", "", true},
	{"GET", "/alerts", "admin", "", false},
	{"POST", "/alerts", "admin", `{"kind":"slack","url":"https://example.com/hook"}`, false},
	{"DELETE", "/alerts/C", "admin", "", false},
	{"POST", "/alerts/C/test", "admin", "", false},
	{"GET", "/drains", "admin", "", false},
	{"POST", "/drains", "admin", `{"kind":"http","url":"https://example.com/lines"}`, false},
	{"DELETE", "/drains/Y", "admin", "", false},
	{"POST", "/drains/Y/test", "admin", "", false},
	{"GET", "/backups", "admin", "", false},
	{"POST", "/backups", "admin", "", false},
	{"POST", "/backups/B/verify", "admin", "", false},
	{"GET", "/projects/P/deployments/D/contents", "read", "", true},
	{"GET", "/projects/P/series", "read", "", true},
	{"GET", "/projects/P/deployments/D/changes", "read", "", true},
	{"GET", "/me", "read", "", false},
	{"GET", "/me/passkeys", "read", "", false},
	{"POST", "/me/passkeys/begin", "read", `{"origin":"http://localhost:3080"}`, false},
	{"POST", "/me/passkeys", "read", `{"id":"x","name":"laptop","response":{}}`, false},
	{"DELETE", "/me/passkeys/K", "read", "", false},
	{"GET", "/me/password", "read", "", false},
	{"POST", "/me/password", "read", `{"password":"short"}`, false},
	{"PUT", "/me/password", "read", `{"id":"x","code":"1"}`, false},
	{"DELETE", "/me/password", "read", "", false},
	{"GET", "/audit", "admin", "", false},
	{"GET", "/people", "admin", "", false},
	{"POST", "/people", "admin", `{"name":"Ada","role":"viewer"}`, false},
	{"PUT", "/people/W", "admin", `{"role":"viewer"}`, false},
	{"DELETE", "/people/W", "admin", "", false},
	{"POST", "/people/W/links", "read", "", false},
	{"GET", "/people/W/sessions", "read", "", false},
	{"DELETE", "/people/W/sessions/S", "read", "", false},
	{"POST", "/tokens", "admin", `{"name":"ci","scope":"read"}`, false},
	{"GET", "/tokens", "admin", "", false},
	{"DELETE", "/tokens/T", "admin", "", false},
	{"GET", "/status", "read", "", false},
	{"GET", "/doctor", "read", "", false},
}

type route struct {
	method, path string
	needs        anchor.Scope
	body         string
	inProject    bool
}

// limit is how long a body the route surely refuses is.
func (r route) limit() int {
	if strings.HasSuffix(r.path, "/deployments") {
		return 32 << 20
	}
	return 1 << 20
}

func TestRoutes_AreAllInTable(t *testing.T) {
	doc := openAPI(t, serve(t, apitest.New(t, apitest.Options{})))
	names := strings.NewReplacer("/P", "/{projectId}", "/D", "/{deploymentId}", "/T", "/{tokenId}", "/N", "/{domainId}", "/pulls/1/", "/pulls/{number}/", "/W", "/{personId}", "/S", "/{sessionId}", "/K", "/{passkeyId}", "/E", "/{errorId}", "/C", "/{channelId}", "/Y", "/{drainId}", "/backups/B", "/backups/{name}")
	known := map[string]bool{"GET /health": true, "GET /version": true, "POST /hooks/{projectId}/{host}": true, "POST /sessions": true, "POST /sessions/password": true, "POST /sessions/passkey": true, "POST /sessions/passkey/begin": true, "GET /sessions/oidc": true, "POST /sessions/oidc": true, "POST /sessions/oidc/begin": true, "POST /sign-in-links/look": true}
	for _, r := range routes {
		path := names.Replace(r.path)
		if strings.HasPrefix(path, "/projects/{projectId}/files/") {
			path = "/projects/{projectId}/files/{digest}"
		}
		known[r.method+" "+strings.Replace(path, "/env/A", "/env/{name}", 1)] = true
	}
	for path, methods := range doc.Paths {
		for method := range methods {
			if name := strings.ToUpper(method) + " " + path; !known[name] {
				t.Errorf("%s is not in the table of routes", name)
			}
			delete(known, strings.ToUpper(method)+" "+path)
		}
	}
	for name := range known {
		t.Errorf("%s is not in the OpenAPI document", name)
	}
}

func TestRoutes_Refuse(t *testing.T) {
	a := apitest.New(t, apitest.Options{})
	base := serve(t, a)
	tooSmall := map[anchor.Scope]string{anchor.ScopeDeploy: apitest.ReadToken, anchor.ScopeAdmin: apitest.DeployToken}
	for _, r := range routes {
		t.Run(r.method+" "+r.path, func(t *testing.T) {
			path := strings.Replace(r.path, "/P", "/nowhere", 1)
			do := func(token, body string) answer { return call(t, base, r.method, path, token, body, nil) }

			do("", r.body).isProblem(t, 401, "no_token")
			do("anchor_wrong", r.body).isProblem(t, 401, "bad_token")
			do(apitest.UnknownToken, r.body).isProblem(t, 401, "unknown_token")
			if token := tooSmall[r.needs]; token != "" {
				do(token, r.body).isProblem(t, 403, "scope_too_small")
			}
			if r.inProject {
				do(apitest.AdminToken, r.body).isProblem(t, 404, "unknown_project")
			}
			if strings.HasPrefix(r.body, "{") {
				do(apitest.AdminToken, `{`).isProblem(t, 400, "bad_json")
				do(apitest.AdminToken, "").isProblem(t, 400, "")
				unknown := do(apitest.AdminToken, `{"surprise":1,`+r.body[1:])
				unknown.isProblem(t, 400, "unknown_field")
				if !strings.Contains(unknown.problem.Detail, "surprise") {
					t.Errorf("the problem does not name the field: %q", unknown.problem.Detail)
				}
				huge := `{"slug":"` + strings.Repeat("x", r.limit()) + `"}`
				do(apitest.AdminToken, huge).isProblem(t, 413, "too_large")
				call(t, base, r.method, path, apitest.AdminToken, r.body, http.Header{"Content-Type": {"text/plain"}}).
					isProblem(t, 415, "unsupported_media_type")
			}
			call(t, base, "TRACE", path, apitest.AdminToken, "", nil).isProblem(t, 405, "method_not_allowed")
		})
	}
}

func TestUnauthorized_NamesScheme(t *testing.T) {
	base := serve(t, apitest.New(t, apitest.Options{}))
	for token, want := range map[string]string{"": `Bearer realm="anchor"`, "wrong": `Bearer realm="anchor", error="invalid_token"`} {
		got := call(t, base, "GET", "/projects", token, "", nil)
		if got.header.Get("WWW-Authenticate") != want {
			t.Errorf("token %q: WWW-Authenticate %q, want %q", token, got.header.Get("WWW-Authenticate"), want)
		}
	}
}

func TestToken_RevokedIsRefused(t *testing.T) {
	base := serve(t, apitest.New(t, apitest.Options{}))
	var tokens wire.Items[anchor.Token]
	call(t, base, "GET", "/tokens", apitest.AdminToken, "", nil).decode(t, &tokens)
	for _, token := range tokens.Items {
		if token.Scope == anchor.ScopeRead {
			call(t, base, "DELETE", "/tokens/"+token.ID, apitest.AdminToken, "", nil).is(t, 204)
		}
	}
	call(t, base, "GET", "/projects", apitest.ReadToken, "", nil).isProblem(t, 401, "revoked_token")
}

func TestHealthAndVersion_ArePublic(t *testing.T) {
	base := serve(t, apitest.New(t, apitest.Options{}))
	call(t, base, "GET", "/health", "", "", nil).is(t, 200)
	got := call(t, base, "GET", "/version", "", "", nil)
	got.is(t, 200)
	if got.body != `{"version":"v-test"}`+"\n" {
		t.Errorf("version is %s", got.body)
	}
}

func TestPanic_RevealsNothing(t *testing.T) {
	services := apitest.New(t, apitest.Options{}).Services()
	_, err := services.Projects.Create(t.Context(), "shop", "main")
	check(t, err)
	services.Sites = panicking{}
	base := apitest.Serve(t, services, api.Options{}, nil)
	got := call(t, base, "GET", "/projects/shop", apitest.AdminToken, "", nil)
	got.isProblem(t, 500, "internal")
	if strings.Contains(got.body, "secret") || strings.Contains(got.body, "goroutine") {
		t.Errorf("the client was told of the panic: %s", got.body)
	}
	if id := got.header.Get("X-Request-Id"); id == "" || got.problem.RequestID != id {
		t.Errorf("request id %q in the header, %q in the problem", id, got.problem.RequestID)
	}
}

type panicking struct{ api.Sites }

func (panicking) URLs(anchor.Project, anchor.DeploymentID) (site, deployment string) {
	panic("a bug, with a secret in it")
}

func TestUnknownPath_IsProblem(t *testing.T) {
	base := serve(t, apitest.New(t, apitest.Options{}))
	call(t, base, "GET", "/nothing", "", "", nil).isProblem(t, 404, "no_such_route")
	got := call(t, base, "PATCH", "/projects", apitest.AdminToken, "{}", nil)
	got.isProblem(t, 405, "method_not_allowed")
	if allow := got.header.Get("Allow"); !strings.Contains(allow, "POST") {
		t.Errorf("Allow is %q", allow)
	}
}

func TestQuery_UnknownParametersAreRefused(t *testing.T) {
	base := serve(t, apitest.New(t, apitest.Options{}))
	call(t, base, "GET", "/projects?limt=3", apitest.ReadToken, "", nil).isProblem(t, 400, "")
	call(t, base, "GET", "/projects?limit=0", apitest.ReadToken, "", nil).isProblem(t, 400, "bad_field")
}

func TestLists_ArePaged(t *testing.T) {
	base := serve(t, apitest.New(t, apitest.Options{}))
	for i := range 5 {
		call(t, base, "POST", "/projects", apitest.DeployToken, fmt.Sprintf(`{"slug":"p%d"}`, i), nil).is(t, 201)
	}
	var seen []string
	cursor := ""
	for pages := 0; ; pages++ {
		var list anchor.List[wire.Project]
		call(t, base, "GET", "/projects?limit=2&cursor="+cursor, apitest.ReadToken, "", nil).decode(t, &list)
		for _, p := range list.Items {
			seen = append(seen, p.Slug)
		}
		if cursor = list.Next; cursor == "" {
			break
		}
		if pages > 5 {
			t.Fatal("the cursor leads in a circle")
		}
	}
	if got := strings.Join(seen, " "); got != "p4 p3 p2 p1 p0" {
		t.Errorf("the pages hold %s", got)
	}
	empty := call(t, base, "GET", "/projects/p0/deployments", apitest.ReadToken, "", nil)
	if strings.TrimSpace(empty.body) != `{"items":[]}` {
		t.Errorf("an empty list is %s", empty.body)
	}
}

func TestEnv_ValuesStayHiddenUnlessRevealed(t *testing.T) {
	base := serve(t, apitest.New(t, apitest.Options{}))
	call(t, base, "POST", "/projects", apitest.DeployToken, `{"slug":"shop"}`, nil).is(t, 201)
	call(t, base, "PUT", "/projects/shop/env", apitest.DeployToken,
		`{"variables":[{"name":"KEY","value":"s3cret","for":"run"},{"name":"FLAG","value":"on","for":"build"}]}`, nil).is(t, 204)
	if got := call(t, base, "GET", "/projects/shop/env", apitest.AdminToken, "", nil); strings.Contains(got.body, "s3cret") {
		t.Errorf("the value was shown unasked: %s", got.body)
	}
	call(t, base, "GET", "/projects/shop/env?reveal=true", apitest.DeployToken, "", nil).isProblem(t, 403, "scope_too_small")
	if got := call(t, base, "GET", "/projects/shop/env?reveal=true", apitest.AdminToken, "", nil); !strings.Contains(got.body, "s3cret") {
		t.Errorf("the value was not revealed: %s", got.body)
	}
	build := call(t, base, "GET", "/projects/shop/env/build", apitest.DeployToken, "", nil)
	if !strings.HasPrefix(build.body, `{"variables":{"FLAG":"on","NEXT_SERVER_ACTIONS_ENCRYPTION_KEY":"`) {
		t.Errorf("a build is given %s", build.body)
	}
	call(t, base, "GET", "/projects/shop/env/build", apitest.ReadToken, "", nil).isProblem(t, 403, "scope_too_small")
	call(t, base, "PUT", "/projects/shop/env", apitest.DeployToken, `{"variables":[{"name":"CACHE_X","value":"y"}]}`, nil).
		isProblem(t, 400, "reserved_env")
	call(t, base, "PUT", "/projects/shop/env", apitest.DeployToken, `{"variables":[{"name":"X","value":"y","for":"lunch"}]}`, nil).
		isProblem(t, 400, "bad_field")
}

func TestOpenAPI_Document(t *testing.T) {
	doc := openAPI(t, serve(t, apitest.New(t, apitest.Options{})))
	if !strings.HasPrefix(doc.OpenAPI, "3.1.") || doc.Info.Version != "v-test" {
		t.Errorf("openapi %q, version %q", doc.OpenAPI, doc.Info.Version)
	}
	ids := map[string]bool{}
	for path, methods := range doc.Paths {
		for method, op := range methods {
			name := method + " " + path
			if op.OperationID == "" || ids[op.OperationID] {
				t.Errorf("%s: operationId %q is empty or taken", name, op.OperationID)
			}
			ids[op.OperationID] = true
			public := path == "/health" || path == "/version" || strings.HasPrefix(path, "/hooks/") || // signed
				strings.HasPrefix(path, "/sessions") || path == "/sign-in-links/look" // by the secret of a link
			if (len(op.Security) == 0) != public {
				t.Errorf("%s: security %v", name, op.Security)
			}
			if _, ok := op.Responses["400"].Content["application/problem+json"]; !ok {
				t.Errorf("%s reports no problem for 400: %v", name, op.Responses["400"].Content)
			}
			checkPathParameters(t, name, path, op.Parameters)
		}
	}
	for ref := range doc.refs {
		if _, ok := doc.Components.Schemas[strings.TrimPrefix(ref, "#/components/schemas/")]; !ok {
			t.Errorf("%s leads nowhere", ref)
		}
	}
}

func checkPathParameters(t *testing.T, name, path string, parameters []parameter) {
	t.Helper()
	declared := map[string]bool{}
	for _, p := range parameters {
		if p.In == "path" {
			declared[p.Name] = true
		}
	}
	if strings.Count(path, "{") != len(declared) {
		t.Errorf("%s declares the path parameters %v", name, declared)
	}
}

// document is the part of OpenAPI 3.1 (§4.8) that the tests look at.
type document struct {
	OpenAPI string `json:"openapi"`
	Info    struct{ Version string }
	Paths   map[string]map[string]struct {
		OperationID string `json:"operationId"`
		Security    []map[string][]string
		Parameters  []parameter
		Responses   map[string]struct{ Content map[string]any }
	}
	Components struct{ Schemas map[string]any }
	refs       map[string]bool
}

type parameter struct{ Name, In string }

func openAPI(t *testing.T, base string) document {
	t.Helper()
	got := call(t, base, "GET", "/openapi.json", "", "", nil)
	var doc document
	got.decode(t, &doc)
	var whole any
	if err := json.Unmarshal([]byte(got.body), &whole); err != nil {
		t.Fatal(err)
	}
	doc.refs = map[string]bool{}
	collectRefs(whole, doc.refs)
	return doc
}

func collectRefs(v any, refs map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		if ref, ok := v["$ref"].(string); ok {
			refs[ref] = true
		}
		for _, child := range v {
			collectRefs(child, refs)
		}
	case []any:
		for _, child := range v {
			collectRefs(child, refs)
		}
	}
}

func serve(t *testing.T, a *apitest.Anchor) string {
	t.Helper()
	return apitest.Serve(t, a.Services(), api.Options{Version: "v-test"}, nil)
}

// answer is a response, read.
type answer struct {
	status  int
	header  http.Header
	body    string
	problem wire.Problem
}

func call(t *testing.T, base, method, path, token, body string, header http.Header) answer {
	t.Helper()
	req, err := http.NewRequest(method, base+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case strings.Contains(path, "/files/"):
		req.Header.Set("Content-Type", "application/octet-stream")
	case strings.HasSuffix(path, "/files"):
		req.Header.Set("Content-Type", wire.PackType)
	case body != "":
		req.Header.Set("Content-Type", "application/json")
	}
	for name, values := range header {
		req.Header[name] = values
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	read, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	checkDocumented(t, req, res)
	a := answer{status: res.StatusCode, header: res.Header, body: string(read)}
	if res.Header.Get("Content-Type") == "application/problem+json" {
		if err := json.Unmarshal(read, &a.problem); err != nil {
			t.Fatalf("the problem is not JSON: %s", read)
		}
	}
	return a
}

func (a answer) is(t *testing.T, status int) {
	t.Helper()
	if a.status != status {
		t.Fatalf("answered %d, want %d: %s", a.status, status, a.body)
	}
}

// isProblem checks the members RFC 9457 §3.1 names and ours; code "" is any.
func (a answer) isProblem(t *testing.T, status int, code string) {
	t.Helper()
	p := a.problem
	whole := p.Type == "about:blank" && p.Title == http.StatusText(status) && p.Status == status && p.Detail != "" && p.Code != "" && p.Hint != ""
	if a.status != status || !whole || (code != "" && p.Code != code) {
		t.Errorf("answered %d %s, want the problem %q with %d", a.status, a.body, code, status)
	}
}

func (a answer) decode(t *testing.T, v any) {
	t.Helper()
	if a.status >= 300 {
		t.Fatalf("answered %d: %s", a.status, a.body)
	}
	if err := json.Unmarshal([]byte(a.body), v); err != nil {
		t.Fatalf("decode %s: %v", a.body, err)
	}
}
