package builder

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Commit is a commit in the project's repository that a host asks to build.
type Commit struct {
	Name   string
	Branch string // of the deployment; of a fork it is not one of the repository's branches
	Fork   bool
	Pull   int64 // number of its pull request, 0 for none
}

// BuildCommit builds a commit and deploys it, without waiting for it. It returns the deployment that
// exists when the branch serves this commit already or builds it now: fresh is false then.
func (b *Builder) BuildCommit(ctx context.Context, p anchor.Project, c Commit) (d anchor.Deployment, fresh bool, err error) {
	repository := b.Repositories.Of(p.ID)
	if d, found, err := b.underWay(ctx, p, c); err != nil || found {
		return d, false, err
	}
	if err := repository.CheckTree(ctx, c.Name); err != nil {
		return d, false, err
	}
	asked := commit{name: c.Name, branch: c.Branch, fork: c.Fork, pull: c.Pull}
	if d, found, err := b.deployed(ctx, p, asked); err != nil || found {
		return d, false, err
	}
	if asked.subject, err = repository.Subject(ctx, c.Name); err != nil {
		return d, false, err
	}
	j, err := b.record(ctx, p, asked)
	if err != nil {
		return d, false, err
	}
	return j.deployment, true, b.add(j)
}

// Interrupted reports whether a build failed because the server ended.
func Interrupted(d anchor.Deployment) bool {
	return d.Status == anchor.BuildFailed && strings.HasPrefix(d.ErrorMessage, errStopped.Error())
}

// underWay returns the deployment of the commit that has not ended, if it is the newest of its branch.
func (b *Builder) underWay(ctx context.Context, p anchor.Project, c Commit) (d anchor.Deployment, found bool, err error) {
	newest, found, err := b.NewestOf(ctx, p, c.Branch)
	return newest, found && newest.CommitSha == c.Name && !newest.Status.Ended(), err
}

// NewestOf returns the newest deployment of a branch that was not a rollback.
func (b *Builder) NewestOf(ctx context.Context, p anchor.Project, branch string) (d anchor.Deployment, found bool, err error) {
	newest, err := b.Records.Deployments(ctx, p.ID, anchor.Page{Limit: anchor.MaxPage})
	if err != nil {
		return d, false, fmt.Errorf("list the deployments of project %s: %w", p.Slug, err)
	}
	i := slices.IndexFunc(newest.Items, func(d anchor.Deployment) bool { return d.Branch == branch && !d.IsRollback })
	if i < 0 {
		return d, false, nil
	}
	return newest.Items[i], true, nil
}
