package lambda

import (
	"context"
	"log/slog"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/domains"
	"github.com/anchor-deploy/anchor/internal/project"
)

// projects removes projects, which takes longer than a request may.
type projects struct {
	*project.Service
	retire    func(context.Context, anchor.ProjectID) error
	dispatch  Dispatcher
	hostnames *domains.Service // nil without domains
	log       *slog.Logger
}

// Delete starts the removal of a project, whose domains are removed first. Once it returns,
// nothing can be added to the project, which exists as Removing until everything is removed. A
// repeated call starts again what could not be started.
func (p projects) Delete(ctx context.Context, idOrSlug string) error {
	found, err := p.Get(ctx, idOrSlug)
	if err != nil {
		return err
	}
	if p.hostnames != nil {
		if err := p.hostnames.RemoveAll(ctx, found.ID); err != nil {
			return err
		}
	}
	if err := p.retire(ctx, found.ID); err != nil {
		return err
	}
	if err := p.dispatch(ctx, found.ID, ""); err != nil {
		p.log.WarnContext(ctx, "the removal begins with the schedule's next round", "projectId", found.ID, "error", err)
	}
	return nil
}
