package api

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/anchor-deploy/anchor/internal/access"
	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Git serves the repositories that users push to.
type Git interface {
	// Scope returns what a token needs for a request of Git's smart HTTP protocol; path is what
	// follows the repository's name. ok is false for any other request.
	Scope(r *http.Request, path string) (needs anchor.Scope, ok bool)
	// Serve answers such a request. An error means that nothing has been written.
	Serve(w http.ResponseWriter, r *http.Request, p anchor.Project, path string) error
}

// gitRoot begins the paths of repositories: /git/<project>.git/….
const gitRoot = "/git/"

func (s *server) gitRoutes(mux *http.ServeMux) {
	if s.Git != nil {
		mux.HandleFunc(gitRoot+"{repository}/{path...}", s.git)
	}
}

// git answers Git itself, which shows its user the text of an error and nothing of JSON.
func (s *server) git(w http.ResponseWriter, r *http.Request) {
	err := s.serveGit(w, r)
	if err == nil {
		return
	}
	p := problemOf(r.Context(), s.Log, err)
	for name, values := range p.header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(p.Status)
	fmt.Fprintln(w, p.Detail)
	if p.Hint != "" {
		fmt.Fprintln(w, p.Hint)
	}
}

func (s *server) serveGit(w http.ResponseWriter, r *http.Request) error {
	path := "/" + r.PathValue("path")
	needs, ok := s.Git.Scope(r, path)
	if !ok {
		return newProblem(http.StatusNotFound, "no_such_route", "this is the URL of a Git repository, and the request is not Git's",
			"Clone it or push to it with Git over HTTP.")
	}
	actor, err := s.authorizeGit(r, needs)
	if err != nil {
		return err
	}
	slug := strings.TrimSuffix(r.PathValue("repository"), ".git")
	p, err := s.Projects.Get(r.Context(), slug)
	if err == nil && !actor.Sees(p.ID) {
		err = unknownProject(slug)
	}
	if unknown := (*anchor.Error)(nil); errors.As(err, &unknown) && unknown.Kind == anchor.KindNotFound {
		return unknown.Hintf("Check the URL of the remote, or create the project: anchor projects create %s", anchor.Slugify(slug))
	}
	if err == nil {
		err = actor.RequireIn(p.ID, needs)
	}
	if err == nil && r.Method == http.MethodPost && needs != anchor.ScopeRead {
		err = s.Access.Record(r.Context(), withActor(anchor.AuditEntry{
			Action: "git-push", ProjectID: p.ID, Project: p.Slug, From: s.clientAddress(r),
		}, actor))
	}
	if err != nil {
		return err
	}
	return s.Git.Serve(w, r, p, path)
}

// authorizeGit accepts a token as the password of Basic credentials (RFC 7617), with any user name,
// as well as a bearer token.
func (s *server) authorizeGit(r *http.Request, needs anchor.Scope) (access.Actor, error) {
	_, secret, _ := r.BasicAuth()
	if scheme, bearer, _ := strings.Cut(r.Header.Get("Authorization"), " "); strings.EqualFold(scheme, "Bearer") {
		secret = strings.TrimSpace(bearer)
	}
	if secret == "" {
		return access.Actor{}, asksForPassword("no_token", "the request has no token",
			"Enter a token as the password. To let Git find it, run anchor git; to create one, anchor tokens create.")
	}
	actor, err := s.Access.Authenticate(r.Context(), secret)
	if anchor.KindOf(err) == anchor.KindUnauthorized {
		err = s.refuse(r.Context(), r, err)
		if anchor.KindOf(err) == anchor.KindUnauthorized {
			return actor, asksForPassword(anchor.CodeOf(err), err.Error(), anchor.HintOf(err))
		}
	}
	if err != nil {
		return actor, err
	}
	return actor, actor.RequireAnywhere(needs)
}

// asksForPassword makes Git ask its credential helpers, and then its user.
func asksForPassword(code, detail, hint string) error {
	p := newProblem(http.StatusUnauthorized, code, detail, hint)
	p.header = http.Header{"WWW-Authenticate": {`Basic realm="anchor", charset="UTF-8"`}}
	return p
}
