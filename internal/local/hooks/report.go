package hooks

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/local/forge"
	"github.com/anchor-deploy/anchor/internal/retry"
)

// reportRetries is the policy for hosts that do not take a report.
var reportRetries = retry.Policy{First: time.Second, Longest: 30 * time.Second, Calls: 5}

// statusName is the name of Anchor's status among those of a commit.
func (l *link) statusName() string { return "anchor/" + l.project.Slug }

// tell calls do, which writes to the host, and again when the host fails for a while. Deployments do
// not depend on it: what goes wrong is shown with the connection.
func (l *link) tell(ctx context.Context, do func(ctx context.Context) error) {
	if l.api == nil {
		return
	}
	err := retry.Do(ctx, reportRetries, func() error {
		err := do(ctx)
		if forge.Temporary(err) {
			return retry.Again(err)
		}
		return err
	})
	if ctx.Err() != nil {
		return
	}
	problem := ""
	if err != nil {
		problem = withHint(err)
		l.Log.Warn("report to a host", "projectId", l.project.ID, "host", l.connection.Host, "error", err)
	}
	if problem == l.connection.Problem {
		return
	}
	l.connection.Problem = problem
	err = l.Records.ChangeConnection(context.WithoutCancel(ctx), l.project.ID, func(c *anchor.Connection) { c.Problem = problem })
	if err != nil && !errors.Is(err, anchor.ErrNotFound) {
		l.Log.Error("record a problem with a host", "projectId", l.project.ID, "error", err)
	}
}

// report makes sure that the state of a deployment is written to the host until it has ended, with a
// comment on the pull request unless that is 0. The record also lets Resume continue its build.
func (l *link) report(ctx context.Context, d anchor.Deployment, pull int64) error {
	unlock := l.reports.Lock(d.ID)
	r, found, err := l.findReport(ctx, d.ID)
	if !found {
		r = anchor.HostReport{Deployment: d.ID, Commit: d.CommitSha, Branch: d.Branch}
	}
	if err == nil && (!found || pull != 0 && r.Pull != pull) {
		r.Pull, r.State, r.Done = pull, "", false // the comment is missing
		err = l.Records.PutReport(ctx, l.project.ID, r)
	}
	unlock()
	if err != nil {
		return fmt.Errorf("record a report to the host: %w", err)
	}
	l.follow(l.project.ID, d.ID)
	return nil
}

func (l *link) findReport(ctx context.Context, id anchor.DeploymentID) (anchor.HostReport, bool, error) {
	all, err := l.Records.Reports(ctx, l.project.ID, false)
	for _, r := range all {
		if r.Deployment == id {
			return r, true, err
		}
	}
	return anchor.HostReport{}, false, err
}

// follow writes a deployment's states to the host in the background. One goroutine does that for each
// deployment; when there is one, it looks again.
func (s *Service) follow(p anchor.ProjectID, id anchor.DeploymentID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if again := s.follows[id]; again != nil {
		select {
		case again <- struct{}{}:
		default: // it will look anyway
		}
		return
	}
	if s.closed {
		return
	}
	again := make(chan struct{}, 1)
	s.follows[id] = again
	s.running.Go(func() { s.followUntilDone(p, id, again) })
}

func (s *Service) followUntilDone(p anchor.ProjectID, id anchor.DeploymentID, again chan struct{}) {
	for {
		s.followToEnd(p, id)
		s.mu.Lock()
		select {
		case <-again:
			if s.ctx.Err() == nil {
				s.mu.Unlock()
				continue
			}
		default:
		}
		delete(s.follows, id)
		s.mu.Unlock()
		return
	}
}

// followToEnd writes each state of a deployment to the host, until it has ended.
func (s *Service) followToEnd(p anchor.ProjectID, id anchor.DeploymentID) {
	events, err := s.Deploys.Watch(s.ctx, p, id, 0)
	if err != nil {
		s.Log.Warn("follow a deployment for its host", "deploymentId", id, "error", err)
		return
	}
	for e, err := range events {
		if err != nil {
			return
		}
		if e.Phase != anchor.StatusChange {
			continue
		}
		d, err := s.Deploys.Get(s.ctx, p, id)
		if err != nil {
			return
		}
		if err := s.writeState(s.ctx, p, d); err != nil {
			if s.ctx.Err() == nil {
				s.Log.Warn("report a deployment to its host", "deploymentId", id, "error", err)
			}
			return
		}
	}
}

// writeState writes the state of a deployment to the host unless it is there.
func (s *Service) writeState(ctx context.Context, p anchor.ProjectID, d anchor.Deployment) error {
	l, err := s.open(ctx, p)
	if err != nil {
		return err
	}
	defer s.reports.Lock(d.ID)()
	r, found, err := l.findReport(ctx, d.ID)
	out := l.describe(d)
	if err != nil || !found || r.State == string(out.State) || r.State == string(forge.Inactive) {
		return err
	}
	hostID := r.ID
	l.tell(ctx, func(ctx context.Context) (err error) {
		if err := l.api.SetStatus(ctx, out); err != nil {
			return err
		}
		if hostID, err = l.api.SetDeployment(ctx, hostID, out); err != nil || r.Pull == 0 {
			return err
		}
		return l.comment(ctx, r.Pull, l.table(d, out), false)
	})
	if ctx.Err() != nil {
		return ctx.Err() // the next start repeats it
	}
	r.ID, r.State, r.Done = hostID, string(out.State), d.Status.Ended()
	return l.Records.PutReport(ctx, p, r)
}

// describe is the report of a deployment.
func (l *link) describe(d anchor.Deployment) forge.Report {
	r := forge.Report{
		Commit: d.CommitSha, Branch: d.Branch, Context: l.statusName(), Environment: previewOf(d.Branch), Production: !d.NoRelease,
	}
	site, own := l.URLs(l.project, d.ID)
	if r.Production {
		r.Environment, own = "production", site
	}
	switch d.Status {
	case anchor.Queued:
		r.State, r.Description = forge.Waiting, "Waits to be built"
	case anchor.Building, anchor.Built:
		r.State, r.Description = forge.Building, "Is being built"
	case anchor.Deploying:
		r.State, r.Description = forge.Building, "Is being deployed"
	case anchor.Deployed:
		r.State, r.Description, r.URL = forge.Success, "Deployed", own
	case anchor.Skipped:
		r.State, r.Description = forge.Success, "Not built: "+d.ErrorMessage
	case anchor.Superseded, anchor.Canceled:
		r.State, r.Description = forge.Canceled, "Not deployed: "+d.ErrorMessage
	default:
		r.State, r.Description = forge.Failure, strings.TrimSpace(d.ErrorStep+" failed: "+d.ErrorMessage)
	}
	return r
}

// table is the comment about a deployment.
func (l *link) table(d anchor.Deployment, r forge.Report) string {
	at := r.URL
	if at == "" {
		at = "–"
	}
	text := fmt.Sprintf("| Preview | State | Commit | Updated (UTC) |\n|---|---|---|---|\n| %s | %s | %.12s | %s |",
		at, clean(r.Description), d.CommitSha, l.Now().UTC().Format("2006-01-02 15:04:05"))
	if branch := l.BranchURL(l.project.ID, d.Branch); branch != "" && d.NoRelease {
		text += "\n\nNewest preview of the branch: " + branch
	}
	if r.State == forge.Failure {
		text += fmt.Sprintf("\n\nTo see what the build printed: `anchor builds logs %s --project %s`", d.ID, l.project.Slug)
	}
	return text
}

// clean makes a text one cell of a table: what a build printed must not become markup.
func clean(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return strings.NewReplacer("|", "\\|", "<", "&lt;", ">", "&gt;", "`", "'", "@", "@\u200b", "[", "\\[", "!", "\\!").Replace(line)
}

// comment writes the one comment of a pull request. Of a closed one only the last word counts.
func (l *link) comment(ctx context.Context, number int64, text string, last bool) error {
	defer l.pulls.Lock(l.project.ID)()
	pull, found, err := l.pull(ctx, number)
	if err != nil || !found || pull.Closed && !last {
		return err
	}
	marker := "<!-- anchor " + string(l.project.ID) + " -->"
	body := marker + "\n**Anchor · " + l.project.Slug + "**\n\n" + text
	id, err := l.api.Comment(ctx, number, pull.Comment, marker, body)
	if err != nil || id == pull.Comment {
		return err
	}
	pull.Comment = id
	return l.Records.PutPullRequest(ctx, l.project.ID, pull)
}

// deactivate marks the deployments of a branch's previews as gone, and removes their environment from the host.
func (l *link) deactivate(ctx context.Context, branch string) error {
	all, err := l.Records.Reports(ctx, l.project.ID, false)
	known := false
	for _, r := range all {
		if r.Branch == branch {
			known = true
			err = errors.Join(err, l.deactivateOne(ctx, r.Deployment))
		}
	}
	if err != nil || !known {
		return err
	}
	return l.api.RemoveEnvironment(ctx, previewOf(branch))
}

// previewOf names the environment of a branch's previews for the host.
func previewOf(branch string) string { return "preview/" + branch }

// deactivateOne also keeps a state that is being written from coming later.
func (l *link) deactivateOne(ctx context.Context, id anchor.DeploymentID) error {
	defer l.reports.Lock(id)()
	r, found, err := l.findReport(ctx, id)
	if err != nil || !found || r.State == string(forge.Inactive) {
		return err
	}
	if r.ID != "" {
		_, err = l.api.SetDeployment(ctx, r.ID, forge.Report{
			Commit: r.Commit, Branch: r.Branch, State: forge.Inactive, Description: "The preview is removed", Environment: previewOf(r.Branch),
		})
	}
	if err != nil {
		return err
	}
	r.State, r.Done = string(forge.Inactive), true
	return l.Records.PutReport(ctx, l.project.ID, r)
}
