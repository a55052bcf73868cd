package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/anchor-deploy/anchor/internal/access"
	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

func (s *server) sessionRoutes() {
	me := newOperation("get-me", http.MethodGet, "/me", anchor.ScopeRead, "Get who the token or the session belongs to")
	me.Metadata[anywhereKey] = true
	handleRoute(s, me, s.getMe)
	signIn := newOperation("sign-in", http.MethodPost, "/sessions", "", "Begin a session by a sign-in link", 401, 404, 429)
	signIn.DefaultStatus = http.StatusCreated
	handleRoute(s, signIn, s.signIn)
	handleRoute(s, newOperation("look-at-link", http.MethodPost, "/sign-in-links/look", "",
		"See whom a sign-in link signs in, without using it", 401, 404, 429), s.lookAtLink)
	const all = "/people/{personId}/sessions"
	list := newOperation("list-sessions", http.MethodGet, all, anchor.ScopeRead, "List the sessions of a person; others' are for admins", 404)
	list.Metadata[anywhereKey] = true
	handleRoute(s, list, s.listSessions)
	end := newOperation("end-session", http.MethodDelete, all+"/{sessionId}", anchor.ScopeRead, "End a session; others' are for admins", 404)
	end.Metadata[anywhereKey] = true
	handleRoute(s, end, s.endSession)
}

func (s *server) getMe(ctx context.Context, _ *none) (*body[wire.Me], error) {
	a := actorOf(ctx)
	return answerWith(wire.Me{Kind: a.Kind, ID: a.ID, Name: a.Name, SessionID: a.Session, Role: a.Role, Projects: a.Projects}), nil
}

// Caller (exported, as huma reads embedded inputs only then) is the client of a public route.
type Caller struct{ request *http.Request }

// Resolve implements huma.Resolver.
func (c *Caller) Resolve(ctx huma.Context) []error {
	c.request, _ = humago.Unwrap(ctx)
	return nil
}

// refuseWrong slows an address that sends wrong secrets, as for wrong tokens.
func (s *server) refuseWrong(ctx context.Context, c Caller, err error) error {
	if anchor.KindOf(err) == anchor.KindUnauthorized {
		return s.refuse(ctx, c.request, err)
	}
	return err
}

func (s *server) signIn(ctx context.Context, in *struct {
	Caller
	Body wire.SignIn
}) (*body[access.NewSession], error) {
	from := s.clientAddress(in.request)
	session, err := s.Access.SignIn(ctx, in.Body.Link, from, in.request.UserAgent())
	if err != nil {
		return nil, s.refuseWrong(ctx, in.Caller, err)
	}
	return answerWith(session), s.recordSignIn(ctx, session, from)
}

func (s *server) recordSignIn(ctx context.Context, session access.NewSession, from string) error {
	return s.Access.Record(ctx, anchor.AuditEntry{
		Action: "sign-in", ActorKind: access.KindPerson, ActorID: session.PersonID, Actor: session.Person.Name, Target: session.ID, From: from,
	})
}

func (s *server) lookAtLink(ctx context.Context, in *struct {
	Caller
	Body wire.SignIn
}) (*body[wire.LinkHolder], error) {
	p, err := s.Access.LookAtLink(ctx, in.Body.Link)
	if err != nil {
		return nil, s.refuseWrong(ctx, in.Caller, err)
	}
	return answerWith(wire.LinkHolder{Name: p.Name}), nil
}

func (s *server) listSessions(ctx context.Context, in *InPerson) (*body[wire.Items[anchor.Session]], error) {
	sessions, err := s.Access.Sessions(ctx, actorOf(ctx), in.PersonID)
	if err != nil {
		return nil, err
	}
	return answerWith(wire.Items[anchor.Session]{Items: append([]anchor.Session{}, sessions...)}), nil
}

func (s *server) endSession(ctx context.Context, in *struct {
	InPerson
	SessionID string `path:"sessionId" maxLength:"64" doc:"current: the one of the request"`
}) (*empty, error) {
	return nil, s.Access.EndSession(ctx, actorOf(ctx), in.PersonID, in.SessionID)
}
