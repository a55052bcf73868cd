package api

import (
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

const scopeKey = "scope"

type tokenKey struct{}

// authorize accepts a request whose bearer token (RFC 6750) has the scope that its operation
// needs. It runs before the body is read.
func (s *server) authorize(ctx huma.Context, next func(huma.Context)) {
	needs, _ := ctx.Operation().Metadata[scopeKey].(anchor.Scope)
	if needs == "" {
		next(ctx)
		return
	}
	token, err := s.token(ctx)
	if err == nil {
		err = require(token, needs)
	}
	if err != nil {
		_, w := humago.Unwrap(ctx)
		writeProblem(w, problemOf(ctx.Context(), s.Log, err))
		return
	}
	next(huma.WithValue(ctx, tokenKey{}, token))
}

func (s *server) token(ctx huma.Context) (anchor.Token, error) {
	scheme, secret, _ := strings.Cut(ctx.Header("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || secret == "" {
		p := newProblem(http.StatusUnauthorized, "no_token", "the request has no token",
			"Send Authorization: Bearer <token>. To create a token, run anchor tokens create.")
		p.header = http.Header{"WWW-Authenticate": {`Bearer realm="anchor"`}}
		return anchor.Token{}, p
	}
	token, err := s.Access.Check(ctx.Context(), strings.TrimSpace(secret))
	if anchor.KindOf(err) == anchor.KindUnauthorized {
		r, _ := humago.Unwrap(ctx)
		err = s.refuse(ctx.Context(), r, err)
	}
	return token, err
}

func require(t anchor.Token, needs anchor.Scope) error {
	if t.Scope.Allows(needs) {
		return nil
	}
	e := &anchor.Error{Kind: anchor.KindForbidden, Code: "scope_too_small",
		Message: "the token " + t.Name + " has scope " + string(t.Scope) + ", but this request needs " + string(needs)}
	return e.Hintf("Use a token created with anchor tokens create --scope %s.", needs)
}
