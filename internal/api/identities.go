package api

import (
	"context"
	"net/http"

	"github.com/anchor-deploy/anchor/internal/access"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

func (s *server) identityRoutes() {
	const path = "/sessions/oidc"
	handleRoute(s, newOperation("get-identity-provider", http.MethodGet, path, "", "Get the identity provider by which people sign in"), s.getIdentityProvider)
	begin := newOperation("begin-provider-sign-in", http.MethodPost, path+"/begin", "", "Begin to sign in at the identity provider", 404, 503)
	handleRoute(s, begin, s.beginProviderSignIn)
	signIn := newOperation("sign-in-by-provider", http.MethodPost, path, "", "Begin a session by what the identity provider answered", 401, 404, 429, 503)
	signIn.DefaultStatus = http.StatusCreated
	handleRoute(s, signIn, s.signInByProvider)
}

func (s *server) getIdentityProvider(context.Context, *none) (*body[wire.IdentityProvider], error) {
	return answerWith(wire.IdentityProvider{Name: s.Access.ProviderName()}), nil
}

func (s *server) beginProviderSignIn(ctx context.Context, in *struct{ Body wire.BeginProviderSignIn }) (*body[wire.ProviderSignInBegun], error) {
	id, to, err := s.Access.BeginProviderSignIn(ctx, in.Body.Redirect)
	if err != nil {
		return nil, err
	}
	return answerWith(wire.ProviderSignInBegun{ID: id, URL: to}), nil
}

func (s *server) signInByProvider(ctx context.Context, in *struct {
	Caller
	Body wire.ProviderSignIn
}) (*body[access.NewSession], error) {
	from := s.clientAddress(in.request)
	session, err := s.Access.ProviderSignIn(ctx, in.Body.ID, in.Body.State, in.Body.Code, from, in.request.UserAgent())
	if err != nil {
		return nil, s.refuseWrong(ctx, in.Caller, err)
	}
	return answerWith(session), s.recordSignIn(ctx, session, from)
}
