package apitest

import (
	"context"
	"fmt"
	"io"
	"iter"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact"
	"github.com/anchor-deploy/anchor/internal/deploy"
)

type deploys struct{ *Anchor }

func (a deploys) Start(ctx context.Context, p anchor.ProjectID, r deploy.Request) (deploy.Started, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if r.Delta != nil {
		base, err := a.get(p, r.Delta.Base)
		if err != nil {
			return deploy.Started{}, r.Delta.NoBase(err)
		}
		if r.Manifest, err = r.Delta.Apply(base.manifest); err != nil {
			return deploy.Started{}, err
		}
	}
	if len(r.Manifest.Files) == 0 {
		return deploy.Started{}, anchor.Invalid("empty_manifest", "the manifest names no files").Hintf("Build the app first.")
	}
	d := &deployment{manifest: r.Manifest, stop: make(chan struct{}), Deployment: anchor.Deployment{
		ID: anchor.DeploymentID(anchor.NewID()), ProjectID: p, Status: anchor.Building, CreatedAt: now(),
		CommitSha: r.CommitSha, CommitMessage: r.CommitMessage, Branch: r.Branch, NoRelease: r.NoRelease,
	}}
	a.deploys = append(a.deploys, d)
	if a.Bundles != nil {
		if err := a.Bundles.SaveManifest(ctx, d.ID, r.Manifest); err != nil {
			return deploy.Started{}, err
		}
	}
	missing, err := a.missing(ctx, d)
	return deploy.Started{Deployment: d.Deployment, Missing: missing}, err
}

// StartBuild begins a build. It ends at once when the commit has a message, which says
// how its pipeline goes; else never.
func (a deploys) StartBuild(_ context.Context, p anchor.ProjectID, r deploy.BuildRequest) (anchor.Deployment, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, d := range a.deploys {
		if r.Key != "" && d.ProjectID == p && d.key == r.Key {
			return d.Deployment, nil
		}
	}
	d := &deployment{key: r.Key, stop: make(chan struct{}), Deployment: anchor.Deployment{
		ID: anchor.DeploymentID(anchor.NewID()), ProjectID: p, Status: anchor.Building, CreatedAt: now(),
		CommitSha: r.CommitSha, CommitMessage: r.CommitMessage, Branch: r.Branch, NoRelease: r.NoRelease,
	}}
	a.deploys = append(a.deploys, d)
	shown := d.Deployment
	if d.CommitMessage != "" {
		d.Status = anchor.Deploying
		a.running.Go(func() { a.pipeline(d) })
	}
	return shown, nil
}

// missing needs mu.
func (a *Anchor) missing(ctx context.Context, d *deployment) ([]artifact.Digest, error) {
	if a.Bundles != nil {
		return a.Bundles.Missing(ctx, d.ID)
	}
	var out []artifact.Digest
	for digest := range d.manifest.Contents() {
		if _, ok := a.blobs[digest]; !ok {
			out = append(out, digest)
		}
	}
	return out, nil
}

// get needs mu.
func (a *Anchor) get(p anchor.ProjectID, id anchor.DeploymentID) (*deployment, error) {
	for _, d := range a.deploys {
		if d.ID == id && d.ProjectID == p {
			return d, nil
		}
	}
	return nil, anchor.NotFound("deployment_not_found", "there is no deployment %s in this project", id).
		Hintf("anchor deployments lists them.")
}

func (a deploys) Missing(ctx context.Context, p anchor.ProjectID, id anchor.DeploymentID) ([]artifact.Digest, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	d, err := a.get(p, id)
	if err != nil {
		return nil, err
	}
	return a.missing(ctx, d)
}

func (a deploys) Files(_ context.Context, p anchor.ProjectID, id anchor.DeploymentID, digests []artifact.Digest) ([]artifact.File, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	d, err := a.get(p, id)
	if err != nil {
		return nil, err
	}
	return d.manifest.Select(digests)
}

func (a deploys) PutFile(ctx context.Context, _ anchor.ProjectID, digest artifact.Digest, size int64, content io.Reader) error {
	if a.Bundles != nil {
		return a.Bundles.Put(ctx, digest, size, content)
	}
	read, err := io.ReadAll(io.LimitReader(content, size+1))
	if err != nil {
		return fmt.Errorf("read the upload of %s: %w", digest, err)
	}
	if int64(len(read)) != size || artifact.DigestOf(read) != digest {
		return anchor.Invalid("digest_mismatch", "the content is not %s", digest).Hintf("Upload it again.")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.blobs[digest] = size
	return nil
}

func (a deploys) Finish(ctx context.Context, p anchor.ProjectID, id anchor.DeploymentID) (anchor.Deployment, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	d, err := a.get(p, id)
	if err != nil {
		return anchor.Deployment{}, err
	}
	missing, err := a.missing(ctx, d)
	if err != nil {
		return anchor.Deployment{}, err
	}
	if len(missing) > 0 {
		return d.Deployment, anchor.Conflict("files_missing", "%d files have not arrived", len(missing)).Hintf("Upload them.")
	}
	if d.Status == anchor.Building {
		d.Status = anchor.Deploying
		a.running.Go(func() { a.pipeline(d) })
	}
	return d.Deployment, nil
}

// pipeline does what the commit's message says: "fail STEP" fails there, "hang"
// waits to be canceled, "superseded" loses to a newer one, all else goes live.
func (a *Anchor) pipeline(d *deployment) {
	for _, step := range []string{"check", "publish", "probe", "release"} {
		a.append(d, anchor.Event{Step: step, Phase: anchor.StepStart})
		if d.CommitMessage == "hang" {
			<-d.stop
			return
		}
		if strings.TrimPrefix(d.CommitMessage, "fail ") == step {
			a.append(d, anchor.Event{Step: step, Phase: anchor.StepFail, Message: "it answered 500", DurationMS: 5})
			a.end(d, anchor.DeployFailed, step, "it answered 500")
			return
		}
		a.append(d, anchor.Event{Step: step, Phase: anchor.StepEnd, Message: step + " is done", DurationMS: 5})
	}
	if d.CommitMessage == "superseded" {
		a.end(d, anchor.Superseded, "release", "a newer deployment is live")
		return
	}
	a.end(d, anchor.Deployed, "", "")
}

func (a *Anchor) append(d *deployment, e anchor.Event) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.record(d, e)
}

// record needs mu.
func (a *Anchor) record(d *deployment, e anchor.Event) {
	e.DeploymentID, e.Seq, e.Time = d.ID, int64(len(d.events)+1), now()
	d.events = append(d.events, e)
	a.notify()
}

func (a *Anchor) end(d *deployment, status anchor.Status, step, message string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	d.Status, d.ErrorStep, d.ErrorMessage = status, step, message
	if status == anchor.Deployed {
		d.DeployedAt, d.Version = now(), fmt.Sprintf("v%d", a.count(d.ProjectID)+1)
		d.StaticAssetsPath = "assets/" + string(d.ID)
		if !d.NoRelease {
			a.move(d.Deployment, anchor.ReleaseDeploy, d.ID)
		}
	}
	a.record(d, anchor.Event{Phase: anchor.StatusChange, Status: status})
}

// count is how many of a project's deployments got a version; it needs mu.
func (a *Anchor) count(p anchor.ProjectID) int {
	n := 0
	for _, d := range a.deploys {
		if d.ProjectID == p && d.Version != "" && !d.IsRollback {
			n++
		}
	}
	return n
}

func (a deploys) Cancel(_ context.Context, p anchor.ProjectID, id anchor.DeploymentID) (anchor.Deployment, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	d, err := a.get(p, id)
	if err != nil {
		return anchor.Deployment{}, err
	}
	if d.Status.Ended() {
		return d.Deployment, anchor.Conflict("ended", "deployment %s has ended as %s", id, d.Status).Hintf("Nothing is left to cancel.")
	}
	d.Status = anchor.Canceled
	d.halt()
	a.record(d, anchor.Event{Phase: anchor.StatusChange, Status: anchor.Canceled})
	return d.Deployment, nil
}

// halt lets a hanging pipeline go; it needs mu.
func (d *deployment) halt() {
	select {
	case <-d.stop:
	default:
		close(d.stop)
	}
}

func (a deploys) Get(_ context.Context, p anchor.ProjectID, id anchor.DeploymentID) (anchor.Deployment, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	d, err := a.get(p, id)
	if err != nil {
		return anchor.Deployment{}, err
	}
	return d.Deployment, nil
}

func (a deploys) List(_ context.Context, p anchor.ProjectID, pg anchor.Page) (anchor.List[anchor.Deployment], error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var rows []anchor.Deployment
	for _, d := range a.deploys {
		if d.ProjectID == p {
			rows = append(rows, d.Deployment)
		}
	}
	return page(rows, pg, func(d anchor.Deployment) string { return string(d.ID) })
}

func (a deploys) Watch(ctx context.Context, p anchor.ProjectID, id anchor.DeploymentID, after int64) (iter.Seq2[anchor.Event, error], error) {
	a.mu.Lock()
	d, err := a.get(p, id)
	a.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return func(yield func(anchor.Event, error) bool) {
		for {
			a.mu.Lock()
			events, changed, ended := d.events[min(int(after), len(d.events)):], a.changed, d.Status.Ended()
			a.mu.Unlock()
			for _, e := range events {
				after = e.Seq
				if !yield(e, nil) {
					return
				}
			}
			if ended {
				return
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
		}
	}, nil
}

// Await returns once the newest deployment has the status and its pipeline has
// begun, or with an error when ctx ends before.
func (a *Anchor) Await(ctx context.Context, status anchor.Status) error {
	for {
		a.mu.Lock()
		changed := a.changed
		n := len(a.deploys)
		there := n > 0 && a.deploys[n-1].Status == status && len(a.deploys[n-1].events) > 0
		a.mu.Unlock()
		if there {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("wait for a deployment that is %s: %w", status, ctx.Err())
		}
	}
}
