package builder

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/local/git"
)

// Receive builds and deploys what is pushed to a project, and prints what happens to out. The
// production branch goes live, every other branch becomes a preview. An error refuses the push: no
// branch moves then. A push whose client leaves is canceled.
func (b *Builder) Receive(ctx context.Context, p anchor.Project, push git.Push, out io.Writer) error {
	err := b.receive(ctx, p, push, out)
	if err == nil || ctx.Err() != nil {
		return err
	}
	if printed := (*printedError)(nil); !errors.As(err, &printed) {
		fmt.Fprintf(out, "Error: %s\n", withHint(err))
	}
	fmt.Fprintln(out, "The push is refused: no branch has changed.")
	return err
}

// printedError is an error that the output of a build contains already.
type printedError struct{ error }

func (b *Builder) receive(ctx context.Context, p anchor.Project, push git.Push, out io.Writer) error {
	if p.Removing {
		return anchor.Conflict("removing", "project %s is being removed", p.Slug).Hintf("Push to another project.")
	}
	if err := push.KeepObjects(); err != nil {
		return err
	}
	if err := push.Check(ctx, p.ProductionBranch); err != nil {
		return err
	}
	commits, err := b.commits(ctx, p, push, out)
	if err != nil {
		return err
	}
	for _, c := range commits {
		if err := b.deploy(ctx, p, c, out); err != nil {
			return err
		}
	}
	return b.removePreviews(ctx, p, push, out)
}

// removePreviews removes the previews of the branches that a push deletes, with their variables.
func (b *Builder) removePreviews(ctx context.Context, p anchor.Project, push git.Push, out io.Writer) error {
	for _, u := range push.Updates {
		switch branch := u.Branch(); {
		case u.New != "":
		case branch == "" || branch == p.ProductionBranch:
			fmt.Fprintf(out, "%s is deleted.\n", u.Ref)
		default:
			removed, err := b.Deploys.RemoveBranch(ctx, p.ID, branch)
			if err != nil {
				return err
			}
			fmt.Fprintf(out, "%s is deleted; %s\n", u.Ref, removed)
		}
	}
	return nil
}

// commits returns what a push asks to build, the production branch last: it goes live when the
// previews have succeeded. It says what becomes of the other refs.
func (b *Builder) commits(ctx context.Context, p anchor.Project, push git.Push, out io.Writer) (all []commit, err error) {
	for _, u := range push.Updates {
		switch branch := u.Branch(); {
		case u.New == "": // see removePreviews
		case branch == "":
			fmt.Fprintf(out, "%s is stored. Only branches are built.\n", u.Ref)
		default:
			if err := push.Repository.CheckTree(ctx, u.New); err != nil {
				return nil, err
			}
			c := commit{name: u.New, branch: branch}
			if c.subject, err = push.Repository.Subject(ctx, u.New); err != nil {
				return nil, err
			}
			all = append(all, c)
		}
	}
	slices.SortStableFunc(all, func(x, y commit) int {
		return cmp.Compare(rank(x, p.ProductionBranch), rank(y, p.ProductionBranch))
	})
	return all, nil
}

func rank(c commit, production string) int {
	if c.branch == production {
		return 1
	}
	return 0
}

// deploy builds and deploys a commit unless the newest deployment of its branch is of this commit:
// the answer to an earlier push may have been lost.
func (b *Builder) deploy(ctx context.Context, p anchor.Project, c commit, out io.Writer) error {
	if d, found, err := b.deployed(ctx, p, c); err != nil || found {
		switch {
		case err != nil:
		case d.Status == anchor.Skipped:
			fmt.Fprintln(out, b.describeURLs(p, d))
		default:
			fmt.Fprintf(out, "%.7s of %s is deployed already.\n%s\n", c.name, c.branch, b.describeURLs(p, d))
		}
		return err
	}
	j, err := b.record(ctx, p, c)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "Building %.7s of %s as deployment %s\n", c.name, c.branch, j.deployment.ID)
	if err := b.add(j); err != nil {
		return err
	}
	for line, err := range j.output.follow(ctx) {
		if err != nil {
			break
		}
		if _, err := fmt.Fprintln(out, line.Text); err != nil {
			break
		}
	}
	select {
	case <-j.done:
	case <-ctx.Done():
		// The branch will not move, so what is built must not go live either.
		_, err := b.Deploys.Cancel(context.WithoutCancel(ctx), p.ID, j.deployment.ID)
		if err != nil && !errors.Is(err, anchor.ErrConflict) {
			b.Log.Error("cancel the build of a push whose client has left", "deploymentId", j.deployment.ID, "error", err)
		}
		return ctx.Err()
	}
	if j.err != nil {
		return &printedError{j.err}
	}
	return nil
}

// deployed returns the newest deployment of the commit's branch when it is of this commit and, on the
// production branch, live.
func (b *Builder) deployed(ctx context.Context, p anchor.Project, c commit) (d anchor.Deployment, found bool, err error) {
	newest, err := b.Records.Deployments(ctx, p.ID, anchor.Page{Limit: anchor.MaxPage})
	if err != nil {
		return d, false, fmt.Errorf("list the deployments of project %s: %w", p.Slug, err)
	}
	i := slices.IndexFunc(newest.Items, func(d anchor.Deployment) bool { return d.Branch == c.branch && !d.IsRollback })
	if i < 0 {
		return d, false, nil
	}
	d = newest.Items[i]
	if d.CommitSha == c.name && d.Status == anchor.Skipped {
		return d, true, nil
	}
	if d.CommitSha != c.name || d.Status != anchor.Deployed || !d.CanServe() {
		return d, false, nil
	}
	if c.branch != p.ProductionBranch {
		return d, true, nil
	}
	live, err := b.Records.Live(ctx, p.ID)
	if errors.Is(err, anchor.ErrNotFound) {
		return d, false, nil
	}
	return d, err == nil && live.Deployment == d.ID, err
}

// Retry builds the commit of an earlier build again.
func (b *Builder) Retry(ctx context.Context, p anchor.Project, id anchor.DeploymentID) (anchor.Deployment, error) {
	old, err := b.Deploys.Get(ctx, p.ID, id)
	if err != nil {
		return old, err
	}
	if old.Source != anchor.SourcePush {
		return old, anchor.Conflict("not_pushed", "deployment %s was not built from a pushed commit", id).
			Hintf("To list the builds, run anchor builds.")
	}
	if !old.Status.Ended() {
		return old, anchor.Conflict("build_running", "build %s has not ended; its status is %s", id, old.Status).
			Hintf("To follow it, run anchor builds logs -f %s", id)
	}
	repository := b.Repositories.Of(p.ID)
	name, err := repository.CommitOf(ctx, id)
	if err != nil {
		return old, err
	}
	j, err := b.record(ctx, p, commit{name: name, branch: old.Branch, subject: old.CommitMessage, fork: old.Fork, pull: old.PullRequest, forced: true})
	if err != nil {
		return old, err
	}
	if err := b.add(j); err != nil {
		return old, err
	}
	return j.deployment, nil
}
