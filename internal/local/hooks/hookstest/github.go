package hookstest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-github/v88/github"
)

// Token is the one that GitHub accepts.
const Token = "ghp_of_the_tests"

// GitHub is GitHub's API as far as Anchor calls it. Bodies with members that the API does not have,
// or without those that it requires, fail the test.
type GitHub struct {
	URL string

	t  testing.TB
	mu sync.Mutex

	changed     chan struct{}
	next        int64
	statuses    map[string][]string // commit → "context state description"
	comments    map[int64]string
	ofPull      map[string][]int64 // pull request → comments
	deployments map[string][]string
	hooks       []github.Hook
	keys        []github.Key
	removed     []string // environments
	failing     int      // answers that fail
	reportsOnly bool
}

// NewGitHub starts a GitHub. It ends with the test.
func NewGitHub(t testing.TB) *GitHub {
	h := &GitHub{
		t: t, changed: make(chan struct{}), next: 100, statuses: map[string][]string{}, comments: map[int64]string{},
		ofPull: map[string][]int64{}, deployments: map[string][]string{},
	}
	mux := http.NewServeMux()
	const repository = "/repos/{owner}/{name}"
	mux.HandleFunc("POST "+repository+"/statuses/{commit}", h.createStatus)
	mux.HandleFunc("POST "+repository+"/deployments", h.createDeployment)
	mux.HandleFunc("POST "+repository+"/deployments/{id}/statuses", h.createDeploymentStatus)
	mux.HandleFunc("DELETE "+repository+"/environments/{environment}", h.deleteEnvironment)
	mux.HandleFunc("GET "+repository+"/issues/{pull}/comments", h.listComments)
	mux.HandleFunc("POST "+repository+"/issues/{pull}/comments", h.createComment)
	mux.HandleFunc("PATCH "+repository+"/issues/comments/{id}", h.editComment)
	mux.HandleFunc("GET "+repository+"/hooks", func(w http.ResponseWriter, _ *http.Request) { h.list(w, h.hooks) })
	mux.HandleFunc("GET "+repository+"/keys", func(w http.ResponseWriter, _ *http.Request) { h.list(w, h.keys) })
	mux.HandleFunc("POST "+repository+"/hooks", h.createHook)
	mux.HandleFunc("POST "+repository+"/keys", h.createKey)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("GitHub has no %s %s", r.Method, r.URL.Path)
		http.NotFound(w, r)
	})
	server := httptest.NewServer(h.authorize(mux))
	t.Cleanup(server.Close)
	h.URL = server.URL
	return h
}

func (h *GitHub) authorize(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		defer h.mu.Unlock()
		switch {
		case h.failing > 0:
			h.failing--
			w.WriteHeader(http.StatusBadGateway)
		case r.Header.Get("Authorization") != "Bearer "+Token:
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"message":"Bad credentials"}`)
		default:
			next.ServeHTTP(w, r)
		}
		close(h.changed)
		h.changed = make(chan struct{})
	})
}

// Fail answers the next n requests with 502.
func (h *GitHub) Fail(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failing = n
}

// read decodes a body strictly.
func (h *GitHub) read(r *http.Request, into any) {
	content, err := io.ReadAll(r.Body)
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	if err == nil {
		err = decoder.Decode(into)
	}
	if err != nil {
		h.t.Errorf("%s %s: %v in %s", r.Method, r.URL.Path, err, content)
	}
}

func (h *GitHub) require(r *http.Request, members map[string]string, allowed ...string) {
	for name, value := range members {
		if value == "" {
			h.t.Errorf("%s %s has no %s", r.Method, r.URL.Path, name)
		}
	}
	for _, a := range allowed {
		if a == members["state"] {
			return
		}
	}
	if len(allowed) > 0 {
		h.t.Errorf("%s %s: the state %q is none of %q", r.Method, r.URL.Path, members["state"], allowed)
	}
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func (h *GitHub) list(w http.ResponseWriter, v any) { answer(w, http.StatusOK, v) }

func (h *GitHub) createStatus(w http.ResponseWriter, r *http.Request) {
	var s github.RepoStatus
	h.read(r, &s)
	h.require(r, map[string]string{"state": s.GetState(), "context": s.GetContext()}, "error", "failure", "pending", "success")
	if len([]rune(s.GetDescription())) > 140 {
		h.t.Errorf("the description of a status has %d characters", len(s.GetDescription()))
	}
	commit := r.PathValue("commit")
	h.statuses[commit] = append(h.statuses[commit], s.GetContext()+" "+s.GetState()+" "+s.GetDescription()+" "+s.GetTargetURL())
	answer(w, http.StatusCreated, s)
}

func (h *GitHub) createDeployment(w http.ResponseWriter, r *http.Request) {
	var d github.DeploymentRequest
	h.read(r, &d)
	h.require(r, map[string]string{"ref": d.GetRef(), "environment": d.GetEnvironment()})
	if d.RequiredContexts == nil || len(*d.RequiredContexts) != 0 || d.GetAutoMerge() {
		h.t.Error("the deployment waits for other statuses, or merges")
	}
	h.next++
	h.deployments[strconv.FormatInt(h.next, 10)] = []string{d.GetEnvironment()}
	answer(w, http.StatusCreated, github.Deployment{ID: &h.next})
}

func (h *GitHub) createDeploymentStatus(w http.ResponseWriter, r *http.Request) {
	var s github.DeploymentStatusRequest
	h.read(r, &s)
	h.require(r, map[string]string{"state": s.GetState()}, "error", "failure", "inactive", "in_progress", "queued", "pending", "success")
	id := r.PathValue("id")
	if h.deployments[id] == nil {
		http.NotFound(w, r)
		return
	}
	h.deployments[id] = append(h.deployments[id], s.GetState())
	answer(w, http.StatusCreated, github.DeploymentStatus{State: s.State})
}

func (h *GitHub) deleteEnvironment(w http.ResponseWriter, r *http.Request) {
	if h.reportsOnly {
		answer(w, http.StatusForbidden, map[string]string{"message": "Resource not accessible by integration"})
		return
	}
	h.removed = append(h.removed, r.PathValue("environment"))
	w.WriteHeader(http.StatusNoContent)
}

// Forbid lets the token do nothing that takes the permission to administer the repository.
func (h *GitHub) Forbid() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.reportsOnly = true
}

// Removed returns the environments that were removed. Call it in Wait or when nothing is sent.
func (h *GitHub) Removed() []string { return h.removed }

func (h *GitHub) listComments(w http.ResponseWriter, r *http.Request) {
	all := []github.IssueComment{}
	for _, id := range h.ofPull[r.PathValue("pull")] {
		all = append(all, github.IssueComment{ID: &id, Body: github.Ptr(h.comments[id])})
	}
	answer(w, http.StatusOK, all)
}

func (h *GitHub) createComment(w http.ResponseWriter, r *http.Request) {
	var c github.IssueComment
	h.read(r, &c)
	h.require(r, map[string]string{"body": c.GetBody()})
	h.next++
	id, pull := h.next, r.PathValue("pull")
	h.comments[id] = c.GetBody()
	h.ofPull[pull] = append(h.ofPull[pull], id)
	answer(w, http.StatusCreated, github.IssueComment{ID: &id})
}

func (h *GitHub) editComment(w http.ResponseWriter, r *http.Request) {
	var c github.IssueComment
	h.read(r, &c)
	id, _ := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if _, found := h.comments[id]; !found {
		http.NotFound(w, r)
		return
	}
	h.comments[id] = c.GetBody()
	answer(w, http.StatusOK, github.IssueComment{ID: &id})
}

func (h *GitHub) createHook(w http.ResponseWriter, r *http.Request) {
	var made github.Hook
	h.read(r, &made)
	h.require(r, map[string]string{"url": made.GetConfig().GetURL(), "secret": made.GetConfig().GetSecret()})
	h.next++
	made.ID = github.Ptr(h.next)
	h.hooks = append(h.hooks, made)
	answer(w, http.StatusCreated, made)
}

func (h *GitHub) createKey(w http.ResponseWriter, r *http.Request) {
	var k github.Key
	h.read(r, &k)
	h.require(r, map[string]string{"title": k.GetTitle(), "key": k.GetKey()})
	if !k.GetReadOnly() {
		h.t.Error("the deploy key may write")
	}
	h.keys = append(h.keys, k)
	answer(w, http.StatusCreated, k)
}

// Wait waits until cond holds, which it asks after each request. cond runs with the state locked.
func (h *GitHub) Wait(ctx context.Context, what string, cond func() bool) {
	h.t.Helper()
	for {
		h.mu.Lock()
		ok, changed := cond(), h.changed
		state := fmt.Sprint(h.statuses, h.comments, h.deployments)
		h.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			h.t.Fatalf("GitHub did not get %s; it has %s", what, state)
		}
	}
}

// Status returns the newest status of a commit. Call it in Wait or when nothing is sent.
func (h *GitHub) Status(commit string) string {
	if all := h.statuses[commit]; len(all) > 0 {
		return all[len(all)-1]
	}
	return ""
}

// Statuses returns the states of a commit in their order.
func (h *GitHub) Statuses(commit string) (states []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.statuses[commit] {
		states = append(states, strings.Fields(s)[1])
	}
	return states
}

// Comments returns the comments of a pull request. Call it in Wait or when nothing is sent.
func (h *GitHub) Comments(pull int) (all []string) {
	for _, id := range h.ofPull[strconv.Itoa(pull)] {
		all = append(all, h.comments[id])
	}
	return all
}

// Deployments returns environment and states of each deployment.
func (h *GitHub) Deployments() (all []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, d := range h.deployments {
		all = append(all, strings.Join(d, " "))
	}
	return all
}

// Hooks returns URL and secret of each webhook, and the deploy keys.
func (h *GitHub) Hooks() (hooks, keys []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, hook := range h.hooks {
		hooks = append(hooks, hook.GetConfig().GetURL()+" "+hook.GetConfig().GetSecret())
	}
	for _, k := range h.keys {
		keys = append(keys, k.GetKey())
	}
	return hooks, keys
}
