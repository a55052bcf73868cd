package forge

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// hostServer answers the calls it knows and records what it is sent.
type hostServer struct {
	*testing.T
	url   string
	mu    sync.Mutex
	calls []string // method, path and body
}

// serveHost starts a server. answers has a JSON document for each method and path; a status other
// than 200 precedes it.
func serveHost(t *testing.T, token, value string, answers map[string]string) *hostServer {
	t.Helper()
	h := &hostServer{T: t}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		call := r.Method + " " + r.URL.EscapedPath()
		h.mu.Lock()
		h.calls = append(h.calls, strings.TrimSpace(call+" "+string(body)))
		h.mu.Unlock()
		if r.Header.Get(token) != value {
			t.Errorf("%s has %s %q", call, token, r.Header.Get(token))
		}
		answer, known := answers[call]
		if !known {
			t.Errorf("the host has no %s", call)
		}
		status := http.StatusOK
		if code, rest, found := strings.Cut(answer, " "); found && len(code) == 3 {
			status, answer = map[string]int{"201": 201, "403": 403, "404": 404, "502": 502, "401": 401}[code], rest
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(s.Close)
	h.url = s.URL
	return h
}

// got compares the recorded calls: each has to contain the texts of its line, which blanks separate.
func (h *hostServer) got(lines ...string) {
	h.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.calls) != len(lines) {
		h.Errorf("the host got %d calls, not %d: %s", len(h.calls), len(lines), strings.Join(h.calls, "\n"))
	}
	for i, line := range lines[:min(len(lines), len(h.calls))] {
		for _, text := range strings.Fields(line) {
			if !strings.Contains(h.calls[i], text) {
				h.Errorf("call %d is %s, without %s", i, h.calls[i], text)
			}
		}
	}
	h.calls = nil
}

func openHost(t *testing.T, host anchor.Host, url string, change func(*Access)) API {
	t.Helper()
	a := Access{Host: host, APIURL: url, Name: "acme/shop", Token: "t0ken", HTTP: NewClient()}
	t.Cleanup(a.HTTP.CloseIdleConnections)
	if change != nil {
		change(&a)
	}
	api, err := Open(a)
	if err != nil {
		t.Fatal(err)
	}
	return api
}

var deployed = Report{
	Commit: "c0ffee", Branch: "x", Context: "anchor/shop", State: Success, Description: strings.Repeat("é", 200),
	URL: "https://x--shop.example.com", Environment: "preview/x",
}

const publicKey = "ssh-ed25519 AAAA anchor-shop"

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestGitLab_Calls(t *testing.T) {
	const project = "/api/v4/projects/acme%2Fshop"
	h := serveHost(t, "Private-Token", "t0ken", map[string]string{
		"POST " + project + "/statuses/c0ffee":         "201 {}",
		"POST " + project + "/deployments":             `201 {"id":5}`,
		"PUT " + project + "/deployments/5":            `{"id":5}`,
		"GET " + project + "/merge_requests/7/notes":   `[{"id":1,"body":"hello"},{"id":2,"body":"<!-- anchor --> old"}]`,
		"PUT " + project + "/merge_requests/7/notes/2": `{"id":2}`,
		"PUT " + project + "/merge_requests/7/notes/9": `404 {"message":"404 Not found"}`,
		"POST " + project + "/merge_requests/7/notes":  `201 {"id":3}`,
		"GET " + project + "/environments":             `[{"id":8,"name":"preview/x"}]`,
		"POST " + project + "/environments/8/stop":     `{"id":8}`,
		"DELETE " + project + "/environments/8":        `403 {"message":"403 Forbidden"}`,
		"GET " + project + "/hooks":                    `[{"id":4,"url":"https://anchor.example.com/hooks/shop/gitlab"}]`,
		"PUT " + project + "/hooks/4":                  `{"id":4}`,
		"GET " + project + "/deploy_keys":              `[]`,
		"POST " + project + "/deploy_keys":             `201 {"id":6}`,
	})
	api := openHost(t, anchor.GitLab, h.url, nil)
	must(t, api.SetStatus(t.Context(), deployed))
	h.got(`POST "state":"success" "name":"anchor/shop" "target_url":"https://x--shop.example.com"`)
	id, err := api.SetDeployment(t.Context(), "", Report{State: Waiting})
	if err != nil || id != "" {
		t.Errorf("a deployment that waits: %q, %v", id, err)
	}
	id, err = api.SetDeployment(t.Context(), "", deployed)
	must(t, err)
	_, err = api.SetDeployment(t.Context(), id, deployed)
	must(t, err)
	h.got(`POST "environment":"preview/x" "ref":"x" "sha":"c0ffee" "status":"success"`, `PUT /deployments/5 "status":"success"`)
	must(t, api.RemoveEnvironment(t.Context(), "preview/x"))
	h.got("GET /environments", "POST /environments/8/stop", "DELETE /environments/8")
	for known, want := range map[string]string{"": "2", "2": "2", "9": "3"} {
		if id, err := api.Comment(t.Context(), 7, known, "<!-- anchor -->", "text"); id != want || err != nil {
			t.Errorf("the comment %q is %q then, %v", known, id, err)
		}
	}
	h.calls = nil
	must(t, api.SetUp(t.Context(), Setup{URL: "https://anchor.example.com/hooks/shop/gitlab", Secret: "s3cret", Title: "Anchor: shop", Key: publicKey}))
	h.got("GET /hooks", `PUT /hooks/4 "token":"s3cret" "push_events":true "merge_requests_events":true`, "GET /deploy_keys", `POST "key":"`+publicKey[:16]+` "can_push":false`)
}

func TestGitea_Calls(t *testing.T) {
	const repository = "/api/v1/repos/acme/shop"
	h := serveHost(t, "Authorization", "token t0ken", map[string]string{
		"POST " + repository + "/statuses/c0ffee":    "201 {}",
		"GET " + repository + "/issues/7/comments":   `[{"id":2,"body":"<!-- anchor --> old"}]`,
		"PATCH " + repository + "/issues/comments/2": `{"id":2}`,
		"PATCH " + repository + "/issues/comments/9": `404 {"message":"gone"}`,
		"POST " + repository + "/issues/7/comments":  `201 {"id":3}`,
		"GET " + repository + "/hooks":               `[]`,
		"POST " + repository + "/hooks":              `201 {"id":4}`,
		"GET " + repository + "/keys":                `[{"id":1,"key":"` + publicKey[:16] + `"}]`,
	})
	api := openHost(t, anchor.Gitea, h.url, nil)
	must(t, api.SetStatus(t.Context(), deployed))
	h.got(`POST "state":"success" "context":"anchor/shop"`)
	if id, err := api.SetDeployment(t.Context(), "", deployed); id != "" || err != nil {
		t.Errorf("Gitea has no deployments, but %q, %v", id, err)
	}
	for known, want := range map[string]string{"": "2", "2": "2", "9": "3"} {
		if id, err := api.Comment(t.Context(), 7, known, "<!-- anchor -->", "text"); id != want || err != nil {
			t.Errorf("the comment %q is %q then, %v", known, id, err)
		}
	}
	h.calls = nil
	must(t, api.SetUp(t.Context(), Setup{URL: "https://anchor.example.com/hooks/shop/gitea", Secret: "s3cret", Title: "Anchor: shop", Key: publicKey}))
	h.got("GET /hooks", `POST "secret":"s3cret" "content_type":"json" "pull_request_sync"`, "GET /keys")
	if _, err := Open(Access{Host: anchor.Gitea, Name: "a/b", Token: "t"}); anchor.CodeOf(err) != "no_api_url" {
		t.Errorf("without a server: %v", err)
	}
}

func TestBitbucket_Calls(t *testing.T) {
	const repository = "/2.0/repositories/acme/shop"
	h := serveHost(t, "Authorization", "Bearer t0ken", map[string]string{
		"POST " + repository + "/commit/c0ffee/statuses/build": "201 {}",
		"GET " + repository + "/pullrequests/7/comments":       `{"values":[{"id":1,"deleted":true,"content":{"raw":"<!-- anchor -->"}},{"id":2,"content":{"raw":"<!-- anchor --> old"}}]}`,
		"PUT " + repository + "/pullrequests/7/comments/2":     `{"id":2}`,
		"PUT " + repository + "/pullrequests/7/comments/9":     `404 {}`,
		"POST " + repository + "/pullrequests/7/comments":      `201 {"id":3}`,
		"GET " + repository + "/hooks":                         `{"values":[],"next":"https://elsewhere.example.com/2.0/hooks"}`,
		"POST " + repository + "/hooks":                        `201 {}`,
		"GET " + repository + "/deploy-keys":                   `{"values":[]}`,
		"POST " + repository + "/deploy-keys":                  `201 {}`,
	})
	api := openHost(t, anchor.Bitbucket, h.url+"/2.0", nil)
	must(t, api.SetStatus(t.Context(), Report{Commit: "c0ffee", Context: "anchor/shop", State: Building}))
	h.got(`POST "state":"INPROGRESS" "url":"https://bitbucket.org/acme/shop/commits/c0ffee"`)
	for known, want := range map[string]string{"": "2", "2": "2", "9": "3"} {
		if id, err := api.Comment(t.Context(), 7, known, "<!-- anchor -->", "text"); id != want || err != nil {
			t.Errorf("the comment %q is %q then, %v", known, id, err)
		}
	}
	h.calls = nil
	must(t, api.SetUp(t.Context(), Setup{URL: "https://anchor.example.com/hooks/shop/bitbucket", Secret: "s3cret", Title: "Anchor: shop", Key: publicKey}))
	h.got("GET /hooks", `POST "secret":"s3cret" "pullrequest:rejected"`, "GET /deploy-keys", `POST "key":"ssh-ed25519`)
}

// TestGitHub_App covers the token of an app's installation, which clones and calls the API.
func TestGitHub_App(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	file := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	var calls []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		kind, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		calls = append(calls, r.Method+" "+r.URL.EscapedPath())
		w.WriteHeader(http.StatusCreated)
		if strings.HasSuffix(r.URL.Path, "/access_tokens") {
			if strings.Count(token, ".") != 2 {
				t.Errorf("the app shows no JWT: %s", kind)
			}
			_, _ = io.WriteString(w, `{"token":"inst","expires_at":"`+time.Now().Add(time.Hour).Format(time.RFC3339)+`"}`)
			return
		}
		if token != "inst" {
			t.Errorf("%s has the token %q", r.URL.Path, token)
		}
		_, _ = io.WriteString(w, "{}")
	}))
	defer s.Close()
	api := openHost(t, anchor.GitHub, s.URL, func(a *Access) { a.Token, a.AppID, a.Install, a.AppKey = "", 12, 34, string(file) })
	must(t, api.SetStatus(t.Context(), deployed))
	must(t, api.RemoveEnvironment(t.Context(), "preview/feature/x"))
	user, password, err := api.CloneToken(t.Context())
	if user != "x-access-token" || password != "inst" || err != nil {
		t.Errorf("a clone has %q %q, %v", user, password, err)
	}
	if want := []string{"POST /app/installations/34/access_tokens", "POST /repos/acme/shop/statuses/c0ffee", "DELETE /repos/acme/shop/environments/preview%2Ffeature%2Fx"}; !slices.Equal(calls, want) {
		t.Errorf("the calls are %q", calls)
	}
	if _, err := Open(Access{Host: anchor.GitHub, Name: "a/b", AppID: 1, Install: 2, AppKey: "x", HTTP: NewClient()}); anchor.CodeOf(err) != "bad_app_key" {
		t.Errorf("with a bad key: %v", err)
	}
}

// TestHosts_Failures covers what all hosts have in common.
func TestHosts_Failures(t *testing.T) {
	for _, host := range []anchor.Host{anchor.GitHub, anchor.GitLab, anchor.Gitea, anchor.Bitbucket} {
		status := http.StatusBadGateway
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		api := openHost(t, host, s.URL, nil)
		for _, c := range []struct {
			status    int
			temporary bool
		}{{http.StatusBadGateway, true}, {http.StatusTooManyRequests, true}, {http.StatusUnauthorized, false}, {http.StatusUnprocessableEntity, false}} {
			status = c.status
			err := api.SetStatus(t.Context(), deployed)
			if anchor.CodeOf(err) != "host_refused" || Temporary(err) != c.temporary || anchor.HintOf(err) == "" {
				t.Errorf("%s that answers %d: %v, temporary %t", host, c.status, err, Temporary(err))
			}
		}
		s.Close()
		if err := api.SetStatus(t.Context(), deployed); !Temporary(err) {
			t.Errorf("%s that is down: %v", host, err)
		}
	}
}
