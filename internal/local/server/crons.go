package server

import (
	"context"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/crons"
)

// openCrons opens what runs the crons of live deployments.
func (a *app) openCrons(ctx context.Context) error {
	a.crons = crons.New(crons.Config{Records: a.store, Log: a.Log, Ask: a.askCron})
	a.onClose(a.crons.Close)
	return a.crons.Resume(ctx, a.store)
}

func (a *app) askCron(ctx context.Context, d anchor.Deployment, path, id, schedule string) (int, string, error) {
	p, err := a.store.Project(ctx, d.ProjectID)
	if err != nil {
		return 0, "", err
	}
	site, _ := a.URLs(p, "")
	return a.platform.AskCron(ctx, d, site, path, id, schedule)
}
