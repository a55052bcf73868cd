package api

import (
	"context"
	"net/http"
	"slices"

	"github.com/anchor-deploy/anchor/internal/access"
	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

func (s *server) tokenRoutes() {
	create := newOperation("create-token", http.MethodPost, "/tokens", anchor.ScopeAdmin, "Create a token; only this response contains its secret", 404)
	create.DefaultStatus = http.StatusCreated
	handleRoute(s, create, s.createToken)
	handleRoute(s, newOperation("list-tokens", http.MethodGet, "/tokens", anchor.ScopeAdmin, "List tokens, without their secrets"), s.listTokens)
	handleRoute(s, newOperation("revoke-token", http.MethodDelete, "/tokens/{tokenId}", anchor.ScopeAdmin, "Revoke a token", 404), s.revokeToken)
}

func (s *server) createToken(ctx context.Context, in *struct{ Body wire.CreateToken }) (*body[wire.CreatedToken], error) {
	want := access.NewToken{Name: in.Body.Name, Scope: in.Body.Scope, ExpiresAt: in.Body.ExpiresAt}
	for _, idOrSlug := range in.Body.Projects {
		p, err := s.Projects.Get(ctx, idOrSlug)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(want.Projects, p.ID) {
			want.Projects = append(want.Projects, p.ID)
		}
	}
	secret, token, err := s.Access.CreateToken(ctx, actorOf(ctx), want)
	if err != nil {
		return nil, err
	}
	noteTarget(ctx, token.ID)
	noteChange(ctx, nil, token)
	return answerWith(wire.CreatedToken{Token: token, Secret: secret}), nil
}

func (s *server) listTokens(ctx context.Context, _ *none) (*body[wire.Items[anchor.Token]], error) {
	tokens, err := s.Access.List(ctx)
	if err != nil {
		return nil, err
	}
	return answerWith(wire.Items[anchor.Token]{Items: append([]anchor.Token{}, tokens...)}), nil
}

func (s *server) revokeToken(ctx context.Context, in *struct {
	TokenID string `path:"tokenId" maxLength:"64"`
}) (*empty, error) {
	return nil, s.Access.Revoke(ctx, in.TokenID)
}
