package builder

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/deploy"
)

// job is the build of one deployment, from its record to the deployment's end.
type job struct {
	project    anchor.Project
	deployment anchor.Deployment
	output     *output
	forced     bool // build it, whatever the app's settings exclude

	ctx      context.Context // of the build's commands
	cancel   context.CancelCauseFunc
	watching context.Context // of the goroutine that watches the deployment
	unwatch  context.CancelFunc
	ran      chan struct{} // closed when the build has ended or will not begin
	done     chan struct{} // closed when the deployment has ended
	err      error         // why it is not deployed; valid when done is closed

	step    string // that runs; of the goroutine that builds
	stepped time.Time
}

var errEnded = errors.New("the deployment has ended")

// scope returns which of the project's variables the build sees.
func (j *job) scope() anchor.EnvScope {
	return j.project.ScopeOf(j.deployment.Branch, j.deployment.NoRelease)
}

// commit is what to build.
type commit struct {
	name, branch, subject string
	pull                  int64
	forced                bool // whatever the app's settings exclude
	fork                  bool // of somebody else: neither variables nor shared caches
}

// record records a deployment of a commit and prepares its build.
func (b *Builder) record(ctx context.Context, p anchor.Project, c commit) (*job, error) {
	author, err := b.Repositories.Of(p.ID).Author(ctx, c.name)
	if err != nil {
		return nil, err
	}
	d, err := b.Deploys.QueueBuild(ctx, p.ID, deploy.BuildRequest{
		CommitSha: c.name, CommitMessage: c.subject, Branch: c.branch, NoRelease: c.branch != p.ProductionBranch,
		Fork: c.fork, PullRequest: c.pull, By: author,
	})
	if err != nil {
		return nil, err
	}
	if err := b.Repositories.Of(p.ID).KeepCommit(ctx, d.ID, c.name); err != nil {
		b.end(context.WithoutCancel(ctx), d, stepCheckout, err)
		return nil, err
	}
	j := &job{project: p, deployment: d, forced: c.forced, ran: make(chan struct{}), done: make(chan struct{})}
	j.ctx, j.cancel = context.WithCancelCause(b.ctx)
	j.watching, j.unwatch = context.WithCancel(b.ctx)
	j.output = newOutput(d.ID, b.Limits.LogBytes, func(l anchor.LogLine) {
		if err := b.logs.Append(p.ID, l); err != nil {
			b.Log.Warn("store a line of a build's log", "deploymentId", d.ID, "error", err)
		}
	})
	b.jobs.Store(d.ID, j)
	b.running.Go(func() { b.watch(j) })
	return j, nil
}

// add queues a job and ends those that it makes pointless.
func (b *Builder) add(j *job) error {
	skipped, ahead, ok := b.queue.add(j)
	if !ok {
		close(j.ran)
		err := interrupted(j.deployment.ID)
		b.end(context.WithoutCancel(j.ctx), j.deployment, stepBuild, err)
		return err
	}
	if ahead > 0 {
		j.output.sayf("note", "Waiting for other builds: %d", ahead)
	}
	for _, old := range skipped {
		why := fmt.Sprintf("a newer commit of %s, %.7s, is built in its place", old.deployment.Branch, j.deployment.CommitSha)
		if err := b.Deploys.SkipBuild(context.WithoutCancel(j.ctx), old.project.ID, old.deployment.ID, why); err != nil {
			b.Log.Error("record a build that is skipped", "deploymentId", old.deployment.ID, "error", err)
		}
		close(old.ran)
	}
	return nil
}

// start builds in the background. The queue calls it.
func (b *Builder) start(j *job) {
	b.running.Go(func() {
		defer b.queue.done(j)
		defer close(j.ran)
		b.run(j)
	})
}

// watch follows the deployment to its end, which may come from elsewhere: a cancel, the removal of
// the project.
func (b *Builder) watch(j *job) {
	ctx := context.WithoutCancel(j.ctx)
	id := j.deployment.ID
	record, err := b.followDeployment(j)
	if errors.Is(context.Cause(b.ctx), errStopped) && !record.Status.Ended() {
		b.end(ctx, record, stepBuild, interrupted(id)) // a built one continues at the next start
	}
	j.cancel(errEnded)
	if b.queue.remove(j) {
		close(j.ran)
	}
	<-j.ran
	if now, e := b.Deploys.Get(ctx, j.project.ID, id); e == nil {
		record, err = now, nil
	}
	if err != nil {
		j.err = fmt.Errorf("follow deployment %s: %w", id, err)
	} else {
		j.err = b.outcome(record)
	}
	b.report(j, record)
	j.output.end()
	b.jobs.Delete(id)
	close(j.done)
}

// followDeployment logs the steps of the deployment after its build, and returns its record at its
// end or when Anchor stops.
func (b *Builder) followDeployment(j *job) (anchor.Deployment, error) {
	ctx := j.watching
	defer j.unwatch()
	events, err := b.Deploys.Watch(ctx, j.project.ID, j.deployment.ID, 0)
	if err != nil {
		return j.deployment, err
	}
	for e, err := range events {
		if err != nil {
			break // Anchor stops, or the record is gone
		}
		switch {
		case ofBuild(e.Step): // logged where they happen
		case e.Phase == anchor.StepStart:
			j.output.sayf("note", "%s…", label(e.Step))
		case e.Phase == anchor.StepNote, e.Phase == anchor.StepFail:
			j.output.sayf("note", "%s", e.Message)
		}
	}
	d, err := b.Deploys.Get(context.WithoutCancel(ctx), j.project.ID, j.deployment.ID)
	if err != nil {
		return j.deployment, err
	}
	return d, nil
}

// outcome is the error of a deployment that did not end as deployed.
func (b *Builder) outcome(d anchor.Deployment) error {
	switch d.Status {
	case anchor.Deployed, anchor.Skipped:
		return nil
	case anchor.Built, anchor.Deploying:
		return anchor.Failed("build_interrupted", "%s", "the server stopped before the deployment had ended").
			Hintf("It continues when the server is back; to see how it ends, run anchor deployments")
	}
	return anchor.Failed(string(d.Status), "deployment %s ended as %s: %s", d.ID, d.Status, d.ErrorMessage)
}

// report logs how a build ended.
func (b *Builder) report(j *job, d anchor.Deployment) {
	if j.err != nil {
		j.output.sayf("error", "%s", withHint(j.err))
		return
	}
	j.output.sayf("note", "%s", b.describeURLs(j.project, d))
}

// describeURLs returns lines that say where a deployment can be seen.
func (b *Builder) describeURLs(p anchor.Project, d anchor.Deployment) string {
	if d.Status == anchor.Skipped {
		return fmt.Sprintf("%.7s of %s is not built: %s", d.CommitSha, d.Branch, d.ErrorMessage)
	}
	site, own := b.URLs(p, d.ID)
	if branch := b.BranchURL(p.ID, d.Branch); d.NoRelease && branch != "" {
		return "Deployment: " + own + "\nBranch: " + branch
	}
	if d.NoRelease {
		return "Deployment: " + own
	}
	return "Deployment: " + own + "\nLive: " + site
}

// end records that a build failed.
func (b *Builder) end(ctx context.Context, d anchor.Deployment, step string, err error) {
	if err := b.Deploys.BuildFailed(ctx, d.ID, step, withHint(err)); err != nil && !errors.Is(err, anchor.ErrNotFound) {
		b.Log.Error("record the end of a build", "deploymentId", d.ID, "error", err)
	}
}

func withHint(err error) string {
	if hint := anchor.HintOf(err); hint != "" {
		return err.Error() + "\n" + hint
	}
	return err.Error()
}

// Begin implements build.Progress.
func (j *jobProgress) Begin(name string) {
	j.step, j.stepped = stepOf(name), time.Now()
	j.builder.Deploys.BuildStep(j.ctx, j.deployment.ID, anchor.Event{Step: j.step, Phase: anchor.StepStart})
	j.output.sayf("note", "%s…", name)
}

// Done implements build.Progress.
func (j *jobProgress) Done(step, detail string) {
	took := time.Since(j.stepped)
	j.builder.Deploys.BuildStep(j.ctx, j.deployment.ID, anchor.Event{
		Step: step, Phase: anchor.StepEnd, Message: detail, DurationMS: took.Milliseconds(),
	})
	j.output.sayf("note", "%s: %s, %s", label(step), detail, took.Round(100*time.Millisecond))
}

// jobProgress logs the steps of a build.
type jobProgress struct {
	*job
	builder *Builder
}

// The steps of a build, before those of a deployment.
const (
	stepCheckout = "checkout"
	stepTools    = "tools"
	stepInstall  = "install"
	stepBuild    = "build"
	stepImport   = "import"
)

func ofBuild(step string) bool {
	return step == stepCheckout || step == stepTools || step == stepInstall || step == stepBuild || step == stepImport
}

// label makes a heading of a step's name.
func label(step string) string {
	if step == "" {
		return step
	}
	return string(step[0]&^0x20) + step[1:]
}

// stepOf is the reverse of label.
func stepOf(label string) string { return string(label[0]|0x20) + label[1:] }
