package lambda

import (
	"context"
	"log/slog"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/domains"
	"github.com/anchor-deploy/anchor/internal/project"
)

// projects are the projects whose removal takes longer than a request may.
type projects struct {
	*project.Service
	retire    func(context.Context, anchor.ProjectID) error
	dispatch  func(context.Context, anchor.ProjectID, anchor.DeploymentID) error
	hostnames *domains.Service // nil without domains
	log       *slog.Logger
}

// Delete begins the removal of a project, whose domains go first. From when it returns
// the project takes nothing new; it is there, as Removing, until all it has is gone.
// Called again, it begins again what did not begin.
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
