package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/aws/aws-lambda-go/events"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact"
	"github.com/anchor-deploy/anchor/internal/deploy"
	"github.com/anchor-deploy/anchor/internal/project"
	"github.com/anchor-deploy/anchor/internal/release"
)

// Importer imports artifacts that a build left in the archive layout.
type Importer interface {
	// Import makes the artifact at path (s3://bucket/artifacts/<projectId>/<commitSha>/) the
	// deployment's and returns its manifest. Idempotent. An Invalid or NotFound error is final.
	Import(ctx context.Context, id anchor.DeploymentID, path string) (artifact.Manifest, error)
}

// Platform is what the handlers need of the platform beyond the use-cases' ports.
type Platform interface {
	// Reconcile finishes interrupted switches: traffic follows the pointers. Idempotent.
	Reconcile(ctx context.Context) error
	// Settle does what follows the switch of one project. Idempotent.
	Settle(ctx context.Context, p anchor.ProjectID) error
	// AfterSwitch makes a handler call Settle for the project of a promote or a rollback.
	AfterSwitch(ctx context.Context, live anchor.Live) error
	// ApplySettings applies the settings of a project that are not part of a version. again also
	// applies those that it applied before. Idempotent.
	ApplySettings(ctx context.Context, p anchor.ProjectID, again bool) error
}

// DeployEvent requests a deployment. CodeBuild's post_build and the API send it to the deploy
// handler.
type DeployEvent struct {
	DeploymentID anchor.DeploymentID `json:"deploymentId,omitempty"` // "": the project is retired and to be removed, or its settings have changed
	ProjectID    anchor.ProjectID    `json:"projectId"`
	// ArtifactPath is where a build left its artifact; "" when the files were uploaded.
	ArtifactPath string `json:"artifactPath,omitempty"`
	// Switched says that a switch of the project was made, or is being made: it is to be settled.
	Switched bool `json:"switched,omitempty"`
}

// Deployer is the deploy handler.
type Deployer struct {
	Deploys   *deploy.Service
	Records   deploy.Records
	Leases    Leases
	Remover   release.Remover
	Dispatch  Dispatcher
	Artifacts Artifacts
	Platform  Platform
	Projects  *project.Service
	Upkeep    *Upkeep
	Builder   BuilderWithEnv
	Shifter   *release.Shifter
	Log       *slog.Logger
}

// event is any of the events that the deploy and domains handlers receive.
type event struct {
	DeployEvent
	Reconcile  bool            `json:"reconcile"` // the schedule's
	Source     string          `json:"source"`    // EventBridge's
	DetailType string          `json:"detail-type"`
	Detail     json.RawMessage `json:"detail"`
}

// Handle processes one event. It may receive any event again. After an error, Lambda retries the
// event twice (Lambda, "Error handling for asynchronous invocation").
func (d *Deployer) Handle(ctx context.Context, raw json.RawMessage) error {
	var e event
	if err := json.Unmarshal(raw, &e); err != nil {
		return d.failed(ctx, "", "read", fmt.Errorf("read the event: %w", err))
	}
	switch {
	case e.Reconcile:
		return d.reconcile(ctx)
	case e.Source == events.CodeBuildEventSource && e.DetailType == events.CodeBuildStateChangeDetailType:
		return d.buildEnded(ctx, e.Detail)
	case e.Source == "aws.cloudwatch":
		return d.alarmFired(ctx)
	case e.Switched && e.ProjectID != "":
		return d.settle(ctx, e.ProjectID)
	case e.DeploymentID != "" && e.ProjectID != "":
		return d.deploy(ctx, e.DeployEvent)
	case e.ProjectID != "" && e.ArtifactPath == "":
		return d.followProject(ctx, e.ProjectID)
	}
	return d.failed(ctx, e.DeploymentID, "read", anchor.Invalid("unknown_event", "the deploy handler does not know the event").
		Hintf("Send deploymentId and projectId, or {\"reconcile\": true}."))
}

func (d *Deployer) deploy(ctx context.Context, e DeployEvent) error {
	log := d.Log.With("deploymentId", e.DeploymentID, "projectId", e.ProjectID)
	log.InfoContext(ctx, "deploy", "build", e.ArtifactPath != "")
	defer d.discard(ctx, e.DeploymentID)
	if e.ArtifactPath != "" {
		if err := d.checkProof(ctx, e); err != nil {
			return d.failed(ctx, e.DeploymentID, "import", err)
		}
		d.forget(ctx, e.DeploymentID)
		adopted, err := d.adopt(ctx, e)
		if err != nil {
			return d.failed(ctx, e.DeploymentID, "import", err)
		}
		if adopted.Status.Ended() {
			d.tell(ctx, adopted)
			return nil
		}
	} else if _, err := d.Deploys.Get(ctx, e.ProjectID, e.DeploymentID); err != nil {
		return d.failed(ctx, e.DeploymentID, "read", err)
	}
	err := d.process(ctx, e.DeploymentID)
	if errors.Is(err, deploy.ErrUnfinished) {
		log.InfoContext(ctx, "out of time; another invocation continues", "cause", err.Error())
		err = d.Dispatch(ctx, e.ProjectID, e.DeploymentID)
	}
	if err != nil {
		return d.failed(ctx, e.DeploymentID, "process", err)
	}
	if ended, err := d.Records.Deployment(ctx, e.DeploymentID); err == nil {
		d.tell(ctx, ended)
	}
	return nil
}

func (d *Deployer) adopt(ctx context.Context, e DeployEvent) (anchor.Deployment, error) {
	commit, err := commitOf(e)
	if err != nil {
		return anchor.Deployment{}, err
	}
	return d.Deploys.Adopt(ctx, e.ProjectID, e.DeploymentID, commit, func(ctx context.Context) (artifact.Manifest, error) {
		return d.Artifacts.Import(ctx, e.DeploymentID, e.ArtifactPath)
	})
}

// commitOf reads the commit from the path, which must belong to the project.
func commitOf(e DeployEvent) (string, error) {
	path := e.ArtifactPath
	if rest, ok := strings.CutPrefix(path, "s3://"); ok {
		_, path, _ = strings.Cut(rest, "/")
	}
	rest, ok := strings.CutPrefix(path, "artifacts/"+string(e.ProjectID)+"/")
	commit, _, _ := strings.Cut(rest, "/")
	if !ok || commit == "" || commit == "." || commit == ".." {
		return "", anchor.Invalid("bad_artifact_path", "%q is not an artifact of project %s", e.ArtifactPath, e.ProjectID).
			Hintf("Artifacts are stored under artifacts/<projectId>/<commitSha>/ in the artifact bucket.")
	}
	return commit, nil
}

// checkProof refuses an artifact that the deployment's own build did not leave: the path ends with the
// deployment's id and the build's proof. A deployment that is queued is not an exception: its build may have
// started, and the event would make it built. A proof counts once, because a deployment that is built
// accepts no artifact.
func (d *Deployer) checkProof(ctx context.Context, e DeployEvent) error {
	record, err := d.Records.Deployment(ctx, e.DeploymentID)
	if errors.Is(err, anchor.ErrNotFound) || err == nil && record.Status.Ended() {
		return nil // adopt reports it
	}
	if err != nil {
		return fmt.Errorf("read deployment %s: %w", e.DeploymentID, err)
	}
	_, proof, found := strings.Cut(strings.TrimSuffix(e.ArtifactPath, "/"), "/"+string(e.DeploymentID)+"/")
	if !found || !d.Builder.Proves(e.ProjectID, e.DeploymentID, proof) {
		return anchor.Invalid("unproven_build", "the artifact for deployment %s does not come from its build", e.DeploymentID).
			Hintf("A build leaves it below artifacts/<projectId>/<commitSha>/<deploymentId>/$%s/. Start a new build: anchor builds start", deploy.ProofVariable)
	}
	return nil
}

// discard frees space on the disk, which outlives the invocation.
func (d *Deployer) discard(ctx context.Context, id anchor.DeploymentID) {
	if err := d.Artifacts.Discard(ctx, id); err != nil {
		d.Log.WarnContext(ctx, "free the disk", "deploymentId", id, "cause", err.Error())
	}
}

// forget deletes the variables of a build that has ended.
func (d *Deployer) forget(ctx context.Context, id anchor.DeploymentID) {
	if err := d.Builder.Forget(ctx, id); err != nil {
		d.Log.WarnContext(ctx, "the variables of a build stay in its parameter", "deploymentId", id, "cause", err.Error())
	}
}

// tell logs the state of a deployment.
func (d *Deployer) tell(ctx context.Context, now anchor.Deployment) {
	level := slog.LevelInfo
	if now.Status == anchor.DeployFailed || now.Status == anchor.BuildFailed {
		level = slog.LevelError
	}
	d.Log.Log(ctx, level, "deployment "+string(now.Status), "deploymentId", now.ID, "projectId", now.ProjectID,
		"status", now.Status, "version", now.Version, "step", now.ErrorStep, "cause", now.ErrorMessage)
}

// failed logs an error of the handler itself. The deployment's own errors are in its record.
func (d *Deployer) failed(ctx context.Context, id anchor.DeploymentID, step string, err error) error {
	d.Log.ErrorContext(ctx, "the deploy handler failed", "deploymentId", id, "step", step, "cause", err.Error(), "hint", anchor.HintOf(err))
	return err
}

// settle does what follows a switch. Lambda retries it; what it leaves, the schedule's rounds do.
func (d *Deployer) settle(ctx context.Context, p anchor.ProjectID) error {
	working, stop := soonerThan(ctx, margin)
	defer stop()
	if err := d.Platform.Settle(working, p); err != nil {
		return d.failed(ctx, "", "settle", err)
	}
	return nil
}

// followProject starts the removal of a retired project, and applies the settings of another one. The
// schedule continues a removal that must wait for AWS.
func (d *Deployer) followProject(ctx context.Context, p anchor.ProjectID) error {
	working, stop := soonerThan(ctx, margin)
	defer stop()
	record, err := d.Projects.Get(working, string(p))
	switch {
	case errors.Is(err, anchor.ErrNotFound):
		return nil
	case err == nil && !record.Removing:
		if err := d.Platform.ApplySettings(working, p, false); err != nil {
			return d.failed(ctx, "", "settings", err)
		}
		return nil
	case err == nil:
		_, err = d.Projects.FinishRemoval(working, p)
	}
	if anchor.KindOf(err) == anchor.KindBusy {
		d.Log.InfoContext(ctx, "the removal of a project continues in a minute", "projectId", p, "cause", err.Error())
		return nil
	}
	if err != nil {
		return d.failed(ctx, "", "remove", err)
	}
	return nil
}

// reconcile is the schedule's round. It does what is cheap and urgent first.
func (d *Deployer) reconcile(ctx context.Context) error {
	working, stop := soonerThan(ctx, margin)
	defer stop()
	err := errors.Join(d.Deploys.Resume(working), d.Platform.Reconcile(working), d.shift(working), d.Projects.FinishRemovals(working), d.Upkeep.Sweep(working))
	if err != nil {
		return d.failed(ctx, "", "reconcile", err)
	}
	return nil
}

// alarmFired looks at the splits when an alarm of the installation fires: it may be that of a candidate. The
// guard reads which alarms have fired, so that nothing of the event has to be trusted.
func (d *Deployer) alarmFired(ctx context.Context) error {
	working, stop := soonerThan(ctx, margin)
	defer stop()
	if err := d.shift(working); err != nil {
		return d.failed(ctx, "", "alarm", err)
	}
	return nil
}

// shift takes the steps of splits that are due.
func (d *Deployer) shift(ctx context.Context) error {
	lives, err := d.Upkeep.Store.Lives(ctx)
	if err != nil {
		return fmt.Errorf("read the live pointers: %w", err)
	}
	d.Shifter.Tick(ctx, slices.DeleteFunc(lives, func(live anchor.Live) bool { return live.Split == nil }))
	return nil
}
