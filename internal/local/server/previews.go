package server

import (
	"context"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/dashboard"
	"github.com/anchor-deploy/anchor/internal/local/edge"
	"github.com/anchor-deploy/anchor/internal/local/previews"
	"github.com/anchor-deploy/anchor/internal/project/secret"
)

// openPreviews protects the previews of the projects that ask for it, before there are hosts of them.
func (a *app) openPreviews(ctx context.Context, box *secret.Box) (err error) {
	a.previews, err = previews.Open(ctx, previews.Config{Records: a.store, Box: box, SetGuard: a.setGuard, MayVisit: a.mayVisit, SignInAt: a.previewSignIn()})
	return err
}

// previewSignIn returns where visitors of previews sign in. Without a name of its own only browsers on this machine
// reach the dashboard for certain, as they reach sites below localhost.
func (a *app) previewSignIn() string {
	if a.admin.name == "" && !isLocal(a.BaseDomain) {
		return ""
	}
	return a.dashboardURL() + dashboard.PreviewPath
}

// mayVisit implements previews.MayVisit.
func (a *app) mayVisit(ctx context.Context, session string, p anchor.ProjectID) (bool, error) {
	actor, err := a.core.Access.SessionActor(ctx, session)
	if anchor.KindOf(err) == anchor.KindUnauthorized {
		return false, nil
	}
	return err == nil && actor.RequireIn(p, anchor.ScopeRead) == nil, err
}

func (a *app) setGuard(p anchor.ProjectID, refuse previews.Refuse) {
	if refuse == nil {
		a.platform.SetGuard(p, nil)
		return
	}
	a.platform.SetGuard(p, &edge.Guard{Refuse: refuse})
}
