package api

import (
	"context"
	"net/http"

	"github.com/anchor-deploy/anchor/internal/access"
	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

func (s *server) passwordRoutes() {
	signIn := newOperation("sign-in-by-password", http.MethodPost, "/sessions/password", "", "Begin a session by a password and a code (TOTP)", 401, 404, 409, 429, 503)
	signIn.DefaultStatus = http.StatusCreated
	handleRoute(s, signIn, s.signInByPassword)
	const own = "/me/password"
	get := newOperation("get-password", http.MethodGet, own, anchor.ScopeRead, "Get whether the person who asks has a password", 404)
	setUp := newOperation("set-up-password", http.MethodPost, own, anchor.ScopeRead, "Begin to set a password; the response contains the secret for codes", 404, 503)
	confirm := newOperation("confirm-password", http.MethodPut, own, anchor.ScopeRead, "Confirm a password by a code; it works from then on", 404, 409)
	remove := newOperation("remove-password", http.MethodDelete, own, anchor.ScopeRead, "Remove the password", 404, 409)
	setUp.Metadata[quietKey] = true
	for _, op := range []map[string]any{get.Metadata, setUp.Metadata, confirm.Metadata, remove.Metadata} {
		op[anywhereKey] = true
	}
	handleRoute(s, get, s.getPassword)
	handleRoute(s, setUp, s.setUpPassword)
	handleRoute(s, confirm, s.confirmPassword)
	handleRoute(s, remove, s.removePassword)
}

func (s *server) signInByPassword(ctx context.Context, in *struct {
	Caller
	Body wire.PasswordSignIn
}) (*body[access.NewSession], error) {
	from := s.clientAddress(in.request)
	session, err := s.Access.PasswordSignIn(ctx, in.Body.Name, in.Body.Password, in.Body.Code, from, in.request.UserAgent())
	if err != nil {
		return nil, s.refuseWrong(ctx, in.Caller, err)
	}
	return answerWith(session), s.recordSignIn(ctx, session, from)
}

func (s *server) getPassword(ctx context.Context, _ *none) (*body[wire.HasPassword], error) {
	has, err := s.Access.HasPassword(ctx, actorOf(ctx))
	if err != nil {
		return nil, err
	}
	return answerWith(wire.HasPassword{Set: has}), nil
}

func (s *server) setUpPassword(ctx context.Context, in *struct{ Body wire.SetPassword }) (*body[access.PasswordSetup], error) {
	setup, err := s.Access.SetUpPassword(ctx, actorOf(ctx), in.Body.Password)
	if err != nil {
		return nil, err
	}
	return answerWith(setup), nil
}

func (s *server) confirmPassword(ctx context.Context, in *struct{ Body wire.ConfirmPassword }) (*empty, error) {
	return nil, s.Access.ConfirmPassword(ctx, actorOf(ctx), in.Body.ID, in.Body.Code)
}

func (s *server) removePassword(ctx context.Context, _ *none) (*empty, error) {
	return nil, s.Access.RemovePassword(ctx, actorOf(ctx))
}
