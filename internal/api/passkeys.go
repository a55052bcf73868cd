package api

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/anchor-deploy/anchor/internal/access"
	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

func (s *server) passkeyRoutes() {
	begin := newOperation("begin-passkey-sign-in", http.MethodPost, "/sessions/passkey/begin", "", "Begin to sign in by a passkey", 404, 503)
	handleRoute(s, begin, s.beginPasskeySignIn)
	signIn := newOperation("sign-in-by-passkey", http.MethodPost, "/sessions/passkey", "", "Begin a session by a passkey", 401, 404, 429)
	signIn.DefaultStatus = http.StatusCreated
	handleRoute(s, signIn, s.signInByPasskey)

	const own = "/me/passkeys"
	list := newOperation("list-passkeys", http.MethodGet, own, anchor.ScopeRead, "List the passkeys of the person who asks", 404)
	list.Metadata[anywhereKey] = true
	handleRoute(s, list, s.listPasskeys)
	register := newOperation("begin-passkey", http.MethodPost, own+"/begin", anchor.ScopeRead, "Begin to register a passkey", 404, 503)
	register.Metadata[anywhereKey], register.Metadata[quietKey] = true, true
	handleRoute(s, register, s.beginPasskey)
	add := newOperation("add-passkey", http.MethodPost, own, anchor.ScopeRead, "Store a passkey", 404, 409)
	add.DefaultStatus = http.StatusCreated
	add.Metadata[anywhereKey] = true
	handleRoute(s, add, s.addPasskey)
	remove := newOperation("remove-passkey", http.MethodDelete, own+"/{passkeyId}", anchor.ScopeRead, "Remove a passkey", 404, 409)
	remove.Metadata[anywhereKey] = true
	handleRoute(s, remove, s.removePasskey)
}

func (s *server) beginPasskeySignIn(_ context.Context, in *struct{ Body wire.BeginPasskey }) (*body[access.Ceremony], error) {
	c, err := s.Access.BeginPasskeySignIn(in.Body.Origin)
	if err != nil {
		return nil, err
	}
	return answerWith(c), nil
}

func (s *server) signInByPasskey(ctx context.Context, in *struct {
	Caller
	Body wire.PasskeySignIn
}) (*body[access.NewSession], error) {
	response, err := json.Marshal(in.Body.Response)
	if err != nil {
		return nil, err
	}
	from := s.clientAddress(in.request)
	session, err := s.Access.PasskeySignIn(ctx, in.Body.ID, response, from, in.request.UserAgent())
	if err != nil {
		return nil, s.refuseWrong(ctx, in.Caller, err)
	}
	return answerWith(session), s.recordSignIn(ctx, session, from)
}

func (s *server) listPasskeys(ctx context.Context, _ *none) (*body[wire.Items[anchor.Passkey]], error) {
	all, err := s.Access.ListPasskeys(ctx, actorOf(ctx))
	if err != nil {
		return nil, err
	}
	return answerWith(wire.Items[anchor.Passkey]{Items: all}), nil
}

func (s *server) beginPasskey(ctx context.Context, in *struct{ Body wire.BeginPasskey }) (*body[access.Ceremony], error) {
	c, err := s.Access.BeginPasskey(ctx, actorOf(ctx), in.Body.Origin)
	if err != nil {
		return nil, err
	}
	return answerWith(c), nil
}

func (s *server) addPasskey(ctx context.Context, in *struct{ Body wire.AddPasskey }) (*body[anchor.Passkey], error) {
	response, err := json.Marshal(in.Body.Response)
	if err != nil {
		return nil, err
	}
	added, err := s.Access.AddPasskey(ctx, actorOf(ctx), in.Body.ID, in.Body.Name, response)
	if err != nil {
		return nil, err
	}
	noteTarget(ctx, added.ID)
	noteChange(ctx, nil, added.Name)
	return answerWith(added), nil
}

func (s *server) removePasskey(ctx context.Context, in *struct {
	PasskeyID string `path:"passkeyId" maxLength:"64"`
}) (*empty, error) {
	return nil, s.Access.RemovePasskey(ctx, actorOf(ctx), in.PasskeyID)
}
