package server

import (
	"context"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/local/edge"
	"github.com/anchor-deploy/anchor/internal/local/previews"
	"github.com/anchor-deploy/anchor/internal/project/secret"
)

// openPreviews protects the previews of the projects that ask for it, before there are hosts of them.
func (a *app) openPreviews(ctx context.Context, box *secret.Box) (err error) {
	a.previews, err = previews.Open(ctx, previews.Config{Records: a.store, Box: box, SetGuard: a.setGuard})
	return err
}

func (a *app) setGuard(p anchor.ProjectID, refuse previews.Refuse) {
	if refuse == nil {
		a.platform.SetGuard(p, nil)
		return
	}
	a.platform.SetGuard(p, &edge.Guard{Refuse: refuse})
}
