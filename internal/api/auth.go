package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/anchor-deploy/anchor/internal/access"
	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Keys of an operation's metadata.
const (
	scopeKey    = "scope"
	anywhereKey = "anywhere" // a role in one project is enough; the handler shows those projects only
	quietKey    = "quiet"    // changes nothing that the audit log should name
)

type admittedKey struct{}

// admitted is a request that its actor may make.
type admitted struct {
	actor  access.Actor
	change anchor.AuditEntry
}

// admittedOf returns the request that ctx belongs to. It is not nil in the handler of a route that is not public.
func admittedOf(ctx context.Context) *admitted {
	a, _ := ctx.Value(admittedKey{}).(*admitted)
	if a == nil {
		a = &admitted{}
	}
	return a
}

func actorOf(ctx context.Context) access.Actor { return admittedOf(ctx).actor }

// authorize accepts a request whose bearer token (RFC 6750) may do what its operation needs. It runs
// before the body is read.
func (s *server) authorize(ctx huma.Context, next func(huma.Context)) {
	op := ctx.Operation()
	needs, _ := op.Metadata[scopeKey].(anchor.Scope)
	if needs == "" {
		next(ctx)
		return
	}
	a := &admitted{}
	var err error
	if a.actor, err = s.authenticate(ctx); err == nil {
		err = s.admit(ctx, a, needs)
	}
	if err != nil {
		_, w := humago.Unwrap(ctx)
		writeProblem(w, problemOf(ctx.Context(), s.Log, err))
		return
	}
	next(huma.WithValue(ctx, admittedKey{}, a))
}

// admit returns an error unless the actor may do what needs the scope, in the project of the path if it
// names one. A project that the actor has no role in is as unknown as one that does not exist.
func (s *server) admit(ctx huma.Context, a *admitted, needs anchor.Scope) error {
	id := ctx.Param("projectId")
	anywhere, _ := ctx.Operation().Metadata[anywhereKey].(bool)
	switch {
	case id == "" && anywhere:
		return a.actor.RequireAnywhere(needs)
	case id == "":
		return a.actor.Require(needs)
	case !a.actor.IsBound():
		return a.actor.Require(needs)
	}
	if err := a.actor.RequireAnywhere(needs); err != nil {
		return err
	}
	p, err := s.Projects.Get(ctx.Context(), id)
	if err != nil {
		return err
	}
	if !a.actor.Sees(p.ID) {
		return unknownProject(id)
	}
	return a.actor.RequireIn(p.ID, needs)
}

// unknownProject is the error of the records for a project that does not exist.
func unknownProject(idOrSlug string) error {
	return anchor.NotFound("unknown_project", "there is no project %q", idOrSlug).
		Hintf("List the projects with: anchor projects")
}

func (s *server) authenticate(ctx huma.Context) (access.Actor, error) {
	scheme, secret, _ := strings.Cut(ctx.Header("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || secret == "" {
		p := newProblem(http.StatusUnauthorized, "no_token", "the request has no token",
			"Send Authorization: Bearer <token>. To create a token, run anchor tokens create.")
		p.header = http.Header{"WWW-Authenticate": {`Bearer realm="anchor"`}}
		return access.Actor{}, p
	}
	actor, err := s.Access.Authenticate(ctx.Context(), strings.TrimSpace(secret))
	if anchor.KindOf(err) == anchor.KindUnauthorized {
		r, _ := humago.Unwrap(ctx)
		err = s.refuse(ctx.Context(), r, err)
	}
	return actor, err
}
