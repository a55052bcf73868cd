package deploy

import (
	"context"
	"errors"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// QueueBuild records a deployment whose commit this server builds. It is queued until StartedBuild;
// what the build makes comes to Adopt, its failure to BuildFailed.
func (s *Service) QueueBuild(ctx context.Context, p anchor.ProjectID, r BuildRequest) (anchor.Deployment, error) {
	d := anchor.Deployment{
		ID: anchor.DeploymentID(anchor.NewID()), ProjectID: p, Status: anchor.Queued, CreatedAt: time.Now().UnixMilli(),
		CommitSha: r.CommitSha, CommitMessage: r.CommitMessage, Branch: r.Branch, NoRelease: r.NoRelease || r.Fork, Fork: r.Fork, Source: anchor.SourcePush,
		PullRequest: r.PullRequest, CreatedBy: r.By,
		Functions: map[string]anchor.FunctionVersion{},
	}
	if err := s.createWithinQuota(ctx, d); err != nil {
		return anchor.Deployment{}, err
	}
	s.appendEvent(ctx, d.ID, anchor.Event{Phase: anchor.StatusChange, Status: d.Status})
	return d, nil
}

// StartedBuild records that the build of a queued deployment runs. A deployment that is no longer
// queued is returned as it is.
func (s *Service) StartedBuild(ctx context.Context, p anchor.ProjectID, id anchor.DeploymentID) (anchor.Deployment, error) {
	d, err := s.Get(ctx, p, id)
	if err != nil || d.Status != anchor.Queued {
		return d, err
	}
	return s.setStatus(ctx, d, anchor.Building)
}

// SkipBuild ends a queued deployment as superseded: a newer commit is built in its place. One that
// is no longer queued stays as it is.
func (s *Service) SkipBuild(ctx context.Context, p anchor.ProjectID, id anchor.DeploymentID, why string) error {
	d, err := s.Get(ctx, p, id)
	if err != nil || d.Status != anchor.Queued {
		return err
	}
	_, err = s.abandonDeployment(ctx, withOutcome(d, anchor.Superseded, "build", why), anchor.Queued)
	if errors.Is(err, anchor.ErrConflict) {
		return nil
	}
	return err
}

// NotNeeded ends a deployment that is being built as skipped: its commit need not be built. One that has
// ended stays as it is.
func (s *Service) NotNeeded(ctx context.Context, p anchor.ProjectID, id anchor.DeploymentID, why string) error {
	d, err := s.Get(ctx, p, id)
	if err != nil || d.Status != anchor.Building {
		return err
	}
	_, err = s.abandonDeployment(ctx, withOutcome(d, anchor.Skipped, "ignore", why), anchor.Building)
	if errors.Is(err, anchor.ErrConflict) {
		return nil
	}
	return err
}

// BuildStep adds a step of a build to the deployment's journal.
func (s *Service) BuildStep(ctx context.Context, id anchor.DeploymentID, e anchor.Event) {
	s.appendEvent(ctx, id, e)
}
