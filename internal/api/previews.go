package api

import (
	"context"
	"net/http"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

func (s *server) previewRoutes() {
	const one = "/projects/{projectId}/preview-protection"
	handleRoute(s, newOperation("get-preview-protection", http.MethodGet, one, anchor.ScopeRead, "Get how previews are protected", 404, 501), s.getProtection)
	protect := newOperation("protect-previews", http.MethodPut, one, anchor.ScopeAdmin, "Let previews ask for a password or a sign-in", 404, 409, 501)
	protect.Description += " It replaces what was set before. Visitors have to enter the password, or sign in, again; a bypass token stays."
	handleRoute(s, protect, s.protectPreviews)
	handleRoute(s, newOperation("unprotect-previews", http.MethodDelete, one, anchor.ScopeAdmin, "Let everybody see previews", 404, 501), s.unprotectPreviews)
	visit := newOperation("visit-preview", http.MethodPost, one+"/visits", anchor.ScopeRead, "Get the address that admits a browser to a preview", 404, 501)
	visit.Description += " For the dashboard: the session of the request is that of the visitor, who has a role in the project."
	handleRoute(s, visit, s.visitPreview)
	bypass := newOperation("create-preview-bypass", http.MethodPost, one+"/bypass", anchor.ScopeAdmin, "Create the bypass token of previews", 404, 409, 501)
	bypass.Description += " It replaces the token before. Tests send it in the header `X-Anchor-Protection-Bypass`, or as a parameter" +
		" of this name; with `X-Anchor-Set-Bypass-Cookie: true` the response sets a cookie that admits the browser."
	handleRoute(s, bypass, s.createBypass)

	const retention = "/projects/{projectId}/preview-retention"
	handleRoute(s, newOperation("get-preview-retention", http.MethodGet, retention, anchor.ScopeRead, "Get which previews are kept", 404), s.getPreviewRetention)
	set := newOperation("set-preview-retention", http.MethodPut, retention, anchor.ScopeDeploy, "Replace which previews are kept", 404)
	set.Description += " What the body leaves out has the server's default. Previews that are not kept any more are removed after the" +
		" next deployment, those that are too old within an hour; on AWS within a day."
	handleRoute(s, set, s.setPreviewRetention)
}

func (s *server) getPreviewRetention(ctx context.Context, in *InProject) (*body[anchor.ProjectPreviewRetention], error) {
	return answerOr(s.Projects.PreviewRetention(ctx, in.ProjectID))
}

func (s *server) setPreviewRetention(ctx context.Context, in *struct {
	InProject
	Body anchor.PreviewRetention
}) (*body[anchor.ProjectPreviewRetention], error) {
	before, err := s.Projects.PreviewRetention(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	kept, err := s.Projects.SetPreviewRetention(ctx, in.ProjectID, in.Body)
	if err != nil {
		return nil, err
	}
	noteChange(ctx, before.Set, kept.Set)
	return answerWith(kept), nil
}

// protectable returns the project of a route about protection, and refuses a platform without it.
func (s *server) protectable(ctx context.Context, in InProject) (anchor.Project, error) {
	p, err := s.Projects.Get(ctx, in.ProjectID)
	if err == nil && s.Previews == nil {
		err = newProblem(http.StatusNotImplemented, "no_preview_protection", "this server does not protect previews; only a server on one machine does",
			"Check visitors in the middleware of the app when ANCHOR_ENV is preview.")
	}
	return p, err
}

func (s *server) getProtection(ctx context.Context, in *InProject) (*body[anchor.PreviewProtection], error) {
	p, err := s.protectable(ctx, *in)
	if err != nil {
		return nil, err
	}
	return answerOr(s.Previews.Show(ctx, p.ID))
}

// answerOr answers with v unless there is an error.
func answerOr[T any](v T, err error) (*body[T], error) {
	if err != nil {
		return nil, err
	}
	return answerWith(v), nil
}

func (s *server) protectPreviews(ctx context.Context, in *struct {
	InProject
	Body wire.ProtectPreviews
}) (*body[anchor.PreviewProtection], error) {
	p, err := s.protectable(ctx, in.InProject)
	if err != nil {
		return nil, err
	}
	switch {
	case in.Body.SignIn == (in.Body.Password != ""):
		return nil, anchor.Invalid("bad_protection", "previews are protected by a password or by signing in").
			Hintf("Send either password or signIn.")
	case in.Body.SignIn:
		return answerOr(s.Previews.ProtectBySignIn(ctx, p.ID))
	}
	return answerOr(s.Previews.Protect(ctx, p.ID, in.Body.Password))
}

func (s *server) visitPreview(ctx context.Context, in *struct {
	InProject
	Body wire.VisitPreview
}) (*body[wire.PreviewVisit], error) {
	p, err := s.protectable(ctx, in.InProject)
	if err != nil {
		return nil, err
	}
	session := actorOf(ctx).Session
	if session == "" {
		e := &anchor.Error{Kind: anchor.KindForbidden, Code: "person_needed", Message: "a token cannot open a preview in a browser"}
		return nil, e.Hintf("Sign in to the dashboard, or send a bypass token: anchor previews bypass")
	}
	at, err := s.Previews.Admit(ctx, p.ID, session, in.Body.Ticket)
	return answerOr(wire.PreviewVisit{URL: at}, err)
}

func (s *server) unprotectPreviews(ctx context.Context, in *InProject) (*empty, error) {
	p, err := s.protectable(ctx, *in)
	if err != nil {
		return nil, err
	}
	return nil, s.Previews.Unprotect(ctx, p.ID)
}

func (s *server) createBypass(ctx context.Context, in *InProject) (*body[wire.PreviewBypass], error) {
	p, err := s.protectable(ctx, *in)
	if err != nil {
		return nil, err
	}
	token, err := s.Previews.NewBypass(ctx, p.ID)
	return answerOr(wire.PreviewBypass{Token: token}, err)
}
