package hooks

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/local/builder"
	"github.com/anchor-deploy/anchor/internal/local/forge"
	"github.com/anchor-deploy/anchor/internal/local/git"
	"github.com/anchor-deploy/anchor/internal/retry"
)

// handle does what an event asks for and returns what was done. A delivery only says that something
// has changed: what is built is what the branch is now, so that deliveries that are late, repeated
// or in another order cannot bring an older commit back.
func (l *link) handle(ctx context.Context, e forge.Event) (string, error) {
	switch e.Kind {
	case forge.Push:
		if e.Deleted {
			return l.removeBranch(ctx, e.Branch)
		}
		pull, _, err := l.openPull(ctx, e.Branch)
		if err != nil {
			return "", err
		}
		return l.buildBranch(ctx, e.Branch, e.Commit, pull.Number)
	case forge.Pull:
		return l.handlePull(ctx, e)
	case forge.Approval:
		pull, found, err := l.pull(ctx, e.Number)
		if err != nil || !found {
			return "pull request unknown", err
		}
		return l.buildFork(ctx, pull)
	}
	return e.Name + ": nothing to do", nil
}

// removeBranch removes the previews of a branch that was deleted, unless it is there again.
func (l *link) removeBranch(ctx context.Context, branch string) (string, error) {
	if branch == l.project.ProductionBranch {
		return "branch " + branch + " is deleted; it is the production branch, and what is live stays", nil
	}
	if _, err := l.fetch(ctx, "refs/heads/"+branch); err == nil {
		return "branch " + branch + " was deleted and is there again; nothing has changed", nil
	} else if anchor.CodeOf(err) != "branch_gone" {
		return "", err
	}
	removed, err := l.Deploys.RemoveBranch(ctx, l.project.ID, branch)
	if err != nil {
		return "", err
	}
	l.tell(ctx, func(ctx context.Context) error { return l.deactivate(ctx, branch) })
	return fmt.Sprintf("branch %s is deleted; %s", branch, removed), nil
}

// handlePull follows a pull request.
func (l *link) handlePull(ctx context.Context, e forge.Event) (string, error) {
	pull, current, err := l.storePull(ctx, e)
	switch {
	case err != nil:
		return "", err
	case !current:
		return fmt.Sprintf("pull request %d: older than what is known of it; nothing has changed", e.Number), nil
	case pull.Closed:
		return l.closePull(ctx, pull)
	case pull.Fork && pull.Approved != pull.Commit:
		return l.askForApproval(ctx, pull)
	case pull.Fork:
		return l.buildFork(ctx, pull)
	}
	return l.buildBranch(ctx, pull.Branch, pull.Commit, pull.Number)
}

// storePull stores what an event says of a pull request. current is false for an event that is older
// than what is stored.
func (l *link) storePull(ctx context.Context, e forge.Event) (pull anchor.PullRequest, current bool, err error) {
	defer l.pulls.Lock(l.project.ID)()
	old, known, err := l.pull(ctx, e.Number)
	if err != nil || known && e.UpdatedAt < old.UpdatedAt {
		return old, false, err
	}
	pull = anchor.PullRequest{
		Number: e.Number, Title: e.Title, Branch: e.Branch, Commit: e.Commit, Fork: e.Fork, Closed: e.Closed,
		UpdatedAt: e.UpdatedAt, Approved: old.Approved, Comment: old.Comment,
	}
	if pull.Fork {
		pull.Branch = fmt.Sprintf("%s%d", forkBranch, pull.Number)
	}
	return pull, true, l.Records.PutPullRequest(ctx, l.project.ID, pull)
}

func (l *link) askForApproval(ctx context.Context, pull anchor.PullRequest) (string, error) {
	l.tell(ctx, func(ctx context.Context) error {
		text := fmt.Sprintf("This pull request comes from a fork. Its commit %.12s is built when somebody with access to the server approves it:\n\n"+
			"`anchor connect approve %d --project %s`\n\nThe preview gets none of the project's variables.", pull.Commit, pull.Number, l.project.Slug)
		return errors.Join(l.comment(ctx, pull.Number, text, true), l.api.SetStatus(ctx, forge.Report{
			Commit: pull.Commit, Branch: pull.Branch, Context: l.statusName(), State: forge.Waiting, Description: "Waits for an approval: the commit is from a fork",
		}))
	})
	return fmt.Sprintf("pull request %d is from a fork: %.12s waits for anchor connect approve %d", pull.Number, pull.Commit, pull.Number), nil
}

// closePull removes the previews of a pull request with their variables, unless another one of its
// branch is open.
func (l *link) closePull(ctx context.Context, pull anchor.PullRequest) (string, error) {
	if pull.Branch == l.project.ProductionBranch {
		return fmt.Sprintf("pull request %d is closed; %s is the production branch and stays", pull.Number, pull.Branch), nil
	}
	other, found, err := l.openPull(ctx, pull.Branch)
	if err != nil {
		return "", err
	}
	if found && !pull.Fork {
		l.tell(ctx, func(ctx context.Context) error {
			text := fmt.Sprintf("The pull request is closed. Its preview stays, because pull request %d is of the same branch.", other.Number)
			return l.comment(ctx, pull.Number, text, true)
		})
		return fmt.Sprintf("pull request %d is closed; its preview stays for pull request %d", pull.Number, other.Number), nil
	}
	removed, err := l.Deploys.RemoveBranch(ctx, l.project.ID, pull.Branch)
	if err != nil {
		return "", err
	}
	l.tell(ctx, func(ctx context.Context) error {
		text := "The pull request is closed. Its preview is removed."
		return errors.Join(l.comment(ctx, pull.Number, text, true), l.deactivate(ctx, pull.Branch))
	})
	return fmt.Sprintf("pull request %d is closed; %s", pull.Number, removed), nil
}

// buildFork builds the approved commit of a fork, and no other.
func (l *link) buildFork(ctx context.Context, pull anchor.PullRequest) (string, error) {
	ref, err := pullRef(l.connection.Host, pull.Number)
	if err != nil {
		return "", err
	}
	commit, err := l.fetch(ctx, ref)
	if err != nil {
		return "", err
	}
	if !strings.HasPrefix(commit, pull.Approved) || pull.Approved == "" {
		return fmt.Sprintf("pull request %d is at %.12s now, which is not the approved commit", pull.Number, commit), nil
	}
	return l.build(ctx, builder.Commit{Name: commit, Branch: pull.Branch, Fork: true, Pull: pull.Number}, pull.Number)
}

// pullRef returns the ref under which a host shows the commit of a pull request.
func pullRef(h anchor.Host, number int64) (string, error) {
	switch h {
	case anchor.GitHub, anchor.Gitea:
		return fmt.Sprintf("refs/pull/%d/head", number), nil
	case anchor.GitLab:
		return fmt.Sprintf("refs/merge-requests/%d/head", number), nil
	}
	return "", anchor.Conflict("no_pull_refs", "%s does not show the commits of forks", h).
		Hintf("Push the commit to a branch of the repository to build it.")
}

// buildBranch builds what a branch is now. The delivery is about the commit told, which gets the status
// when the clone fails. pull is the number of the branch's pull request, 0 for none.
func (l *link) buildBranch(ctx context.Context, branch, told string, pull int64) (string, error) {
	commit, err := l.fetch(ctx, "refs/heads/"+branch)
	if err != nil {
		if told != "" && anchor.CodeOf(err) != "branch_gone" {
			l.tellFailure(ctx, told, branch, err)
		}
		return "", err
	}
	skip, err := l.unwatched(ctx, branch, commit)
	if err != nil {
		return "", err
	}
	if skip {
		l.tell(ctx, func(ctx context.Context) error {
			return l.api.SetStatus(ctx, forge.Report{Commit: commit, Branch: branch, Context: l.statusName(), State: forge.Success,
				Description: "Not built: nothing that is watched has changed"})
		})
		return fmt.Sprintf("%.12s of %s is not built: it changes nothing in %s", commit, branch, strings.Join(l.connection.WatchPaths, ", ")), nil
	}
	return l.build(ctx, builder.Commit{Name: commit, Branch: branch, Pull: pull}, pull)
}

// unwatched reports whether a commit changes nothing that is watched since the branch's last build.
func (l *link) unwatched(ctx context.Context, branch, commit string) (bool, error) {
	if len(l.connection.WatchPaths) == 0 {
		return false, nil
	}
	newest, found, err := l.Builder.NewestOf(ctx, l.project, branch)
	if err != nil || !found || newest.CommitSha == commit || newest.Status != anchor.Deployed {
		return false, err
	}
	changes, err := l.Repositories.Of(l.project.ID).Changes(ctx, newest.CommitSha, commit, l.connection.WatchPaths)
	return !changes, err
}

// build builds a commit unless it is built or deployed already, and reports it to the host.
func (l *link) build(ctx context.Context, c builder.Commit, pull int64) (string, error) {
	d, fresh, err := l.Builder.BuildCommit(ctx, l.project, c)
	if err != nil {
		l.tellFailure(ctx, c.Name, c.Branch, err)
		return "", err
	}
	if err := l.report(ctx, d, pull); err != nil {
		return "", err
	}
	if !fresh {
		return fmt.Sprintf("%.12s of %s is deployment %s already", c.Name, c.Branch, d.ID), nil
	}
	return fmt.Sprintf("%.12s of %s is built as deployment %s", c.Name, c.Branch, d.ID), nil
}

// tellFailure sets the status of a commit that no deployment was made of.
func (l *link) tellFailure(ctx context.Context, commit, branch string, why error) {
	if ctx.Err() != nil {
		return // the next start tries again
	}
	description := "Anchor failed; its log says why"
	if e := (*anchor.Error)(nil); errors.As(why, &e) { // others name files and addresses of the server
		description = e.Message
	}
	l.tell(ctx, func(ctx context.Context) error {
		return l.api.SetStatus(ctx, forge.Report{Commit: commit, Branch: branch, Context: l.statusName(), State: forge.Failure, Description: description})
	})
}

// fetchRetries is the policy for hosts that cannot be reached.
var fetchRetries = retry.Policy{First: 2 * time.Second, Longest: 30 * time.Second, Calls: 4}

// fetch brings a ref here. It pins the key of an ssh server at the first clone.
func (l *link) fetch(ctx context.Context, ref string) (commit string, err error) {
	select {
	case l.slots <- struct{}{}:
		defer func() { <-l.slots }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	repository := l.Repositories.Of(l.project.ID)
	if err := repository.Create(ctx, l.project.ProductionBranch); err != nil {
		return "", err
	}
	remote := git.Remote{URL: l.connection.Repository, Key: l.secrets.Key, HostKey: l.connection.HostKey}
	if l.api != nil && !git.IsSSH(remote.URL) {
		if remote.User, remote.Password, err = l.api.CloneToken(ctx); err != nil {
			return "", err
		}
	}
	hostKey := ""
	err = retry.Do(ctx, fetchRetries, func() error {
		if commit, hostKey, err = repository.Fetch(ctx, remote, ref); anchor.CodeOf(err) == git.Unreachable {
			return retry.Again(err)
		}
		return err
	})
	if err != nil || hostKey == "" || l.connection.HostKey != "" {
		return commit, err
	}
	l.connection.HostKey = hostKey
	return commit, l.Records.ChangeConnection(ctx, l.project.ID, func(c *anchor.Connection) {
		if c.HostKey == "" {
			c.HostKey = hostKey
		}
	})
}

// pull returns what is known of a pull request.
func (l *link) pull(ctx context.Context, number int64) (anchor.PullRequest, bool, error) {
	return l.findPull(ctx, func(p anchor.PullRequest) bool { return p.Number == number })
}

// openPull returns the open pull request of a branch of the repository itself.
func (l *link) openPull(ctx context.Context, branch string) (anchor.PullRequest, bool, error) {
	return l.findPull(ctx, func(p anchor.PullRequest) bool { return p.Branch == branch && !p.Closed && !p.Fork })
}

func (l *link) findPull(ctx context.Context, matches func(anchor.PullRequest) bool) (anchor.PullRequest, bool, error) {
	all, err := l.Records.PullRequests(ctx, l.project.ID)
	if err != nil {
		return anchor.PullRequest{}, false, err
	}
	for _, p := range all {
		if matches(p) {
			return p, true, nil
		}
	}
	return anchor.PullRequest{}, false, nil
}
