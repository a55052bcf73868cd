package deploy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact"
	"github.com/anchor-deploy/anchor/internal/artifact/opennext"
	"github.com/anchor-deploy/anchor/internal/release"
)

// Platform is all a pipeline asks of the place it deploys to.
type Platform interface {
	Limits
	Assets
	Functions
	Cache
}

// Projects finds a deployment's project.
type Projects interface {
	Project(ctx context.Context, id anchor.ProjectID) (anchor.Project, error)
	// Projects returns a page of all projects.
	Projects(ctx context.Context, page anchor.Page) (anchor.List[anchor.Project], error)
}

// Ports are what the use-case works with.
type Ports struct {
	Projects  Projects
	Records   Records
	Journal   Journal
	Bundles   Bundles
	Env       Env
	Platform  Platform
	Releases  *release.Service
	Retention release.Retention
	Remover   release.Remover
	Runner    Runner
	Builder   Builder // nil where nothing is built
}

// Options tune the use-case. The zero value is ready for production.
type Options struct {
	Quota Quota

	// URLs returns where a project and a deployment can be seen, "" while that is not known. nil: never.
	URLs func(p anchor.Project, d anchor.DeploymentID) (site, deployment string)

	// BeforeStep is called before each step. Tests end the process in it.
	BeforeStep func(step string)

	// OnEvent is called with each event of a deployment after it was written; nil: nothing. It must not wait.
	OnEvent func(anchor.DeploymentID, anchor.Event)
}

// Service takes artifacts in and runs the pipeline over them.
type Service struct {
	Ports
	Options
	notifier  notifier
	removals  backgroundTasks
	admission sync.Mutex
	ctx       context.Context // ends with Close
	stop      context.CancelFunc
}

// New returns a service over the ports. Close ends it and its Runner.
func New(p Ports, o Options) *Service {
	if o.BeforeStep == nil {
		o.BeforeStep = func(string) {}
	}
	s := &Service{Ports: p, Options: o}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.removals.ctx = s.ctx
	return s
}

// Close interrupts the passes that run and waits for them. Interrupted deployments continue when
// a service resumes over the same records.
func (s *Service) Close() {
	s.stop()
	s.Runner.Close()
	s.removals.Wait()
}

// Resume continues every deployment whose artifact is complete and that no pass works on. Those
// whose files did not arrive within a day are canceled. It may be called at any time. A deployment
// that cannot be started does not stop the others.
func (s *Service) Resume(ctx context.Context) error {
	unfinished, err := s.Records.Unfinished(ctx)
	if err != nil {
		return fmt.Errorf("list unfinished deployments: %w", err)
	}
	var failed error
	for _, d := range unfinished {
		switch {
		case d.Status == anchor.Built || d.Status == anchor.Deploying:
			failed = errors.Join(failed, s.Runner.Resume(ctx, d, s.passOver(d.ID)))
		case time.Since(time.UnixMilli(d.CreatedAt)) > uploadPatience:
			ended := withOutcome(d, anchor.Canceled, "upload", "its files did not arrive within a day")
			if _, err := s.abandonDeployment(ctx, ended, d.Status); err != nil && !errors.Is(err, anchor.ErrConflict) {
				return err
			}
		}
	}
	return failed
}

// uploadPatience is the age at which an unfinished upload is canceled.
const uploadPatience = 24 * time.Hour

// Start records a deployment that waits for its files and returns which are missing. Nothing is
// recorded when the manifest is refused, or when the base of its delta is missing, a Conflict.
func (s *Service) Start(ctx context.Context, p anchor.ProjectID, req Request) (Started, error) {
	if req.Split != nil {
		if err := checkSplit(req); err != nil {
			return Started{}, err
		}
	}
	if req.Delta != nil {
		var err error
		if req.Manifest, err = s.expandDelta(ctx, p, *req.Delta); err != nil {
			return Started{}, err
		}
	}
	var err error
	if req.FilesOf != "" {
		if req.Manifest, err = s.manifestOf(ctx, p, req.FilesOf); err != nil {
			return Started{}, err
		}
	}
	if req.Manifest, err = s.checkManifest(ctx, p, req); err != nil {
		return Started{}, err
	}
	d := anchor.Deployment{
		ID:            anchor.DeploymentID(anchor.NewID()),
		ProjectID:     p,
		CommitSha:     req.CommitSha,
		CommitMessage: req.CommitMessage,
		Branch:        req.Branch,
		PullRequest:   req.PullRequest,
		NoRelease:     req.NoRelease,
		ForceReload:   req.ForceReload,
		Split:         req.Split,
		CreatedBy:     req.By,
		Status:        anchor.Building,
		CreatedAt:     time.Now().UnixMilli(),
		Functions:     map[string]anchor.FunctionVersion{},
	}
	// The record goes first: whatever happens, the rest is found by it.
	if err := s.createWithinQuota(ctx, d); err != nil {
		return Started{}, err
	}
	s.appendEvent(ctx, d.ID, anchor.Event{Phase: anchor.StatusChange, Status: d.Status})
	if err := s.Bundles.SaveManifest(ctx, d.ID, req.Manifest); err != nil {
		_, unwritten := s.abandonDeployment(ctx, withOutcome(d, anchor.BuildFailed, "upload", messageWithHint(err)), anchor.Building)
		return Started{}, errors.Join(err, unwritten)
	}
	missing, err := s.Bundles.Missing(ctx, d.ID)
	return Started{Deployment: d, Missing: missing}, err
}

// checkSplit refuses a plan that a release could not follow.
func checkSplit(req Request) error {
	if req.NoRelease {
		return anchor.Invalid("bad_split", "a deployment that does not go live cannot get a share of the traffic").
			Hintf("Leave out the weight, and give the deployment a share later with `anchor promote ID --weight 10`.")
	}
	return release.CheckSplit(*req.Split, req.ForceReload)
}

// checkManifest refuses a manifest before anything is recorded, and returns it without the links
// that cannot stay links.
func (s *Service) checkManifest(ctx context.Context, p anchor.ProjectID, req Request) (artifact.Manifest, error) {
	m, err := req.Manifest.Inline(opennext.LinkHome, artifact.DefaultLimits)
	if err != nil {
		return m, err
	}
	project, err := s.Projects.Project(ctx, p)
	if err != nil {
		return m, fmt.Errorf("find project %s: %w", p, err)
	}
	env, err := s.Env.ForRun(ctx, p, project.ScopeOf(req.Branch, req.NoRelease))
	if err != nil {
		return m, fmt.Errorf("read the environment variables: %w", err)
	}
	return m, s.Platform.CheckManifest(project, m, env)
}

// manifestOf returns the files of another deployment of the project, a Conflict when they were removed.
func (s *Service) manifestOf(ctx context.Context, p anchor.ProjectID, id anchor.DeploymentID) (artifact.Manifest, error) {
	d, err := s.Get(ctx, p, id)
	if err == nil {
		err = redeployable(d)
	}
	if err != nil {
		return artifact.Manifest{}, err
	}
	m, err := s.Bundles.Manifest(ctx, d.Serves())
	if d.PrunedAt != 0 || errors.Is(err, anchor.ErrNotFound) {
		return m, anchor.Conflict("files_gone", "the files of deployment %s were removed", id).Because(err).
			Hintf("Deploy its commit again, or choose a deployment whose files are kept: `anchor deployments`.")
	}
	return m, err
}

// Contents returns the manifest of a deployment of the project, or NotFound when it is not kept.
func (s *Service) Contents(ctx context.Context, p anchor.ProjectID, id anchor.DeploymentID) (artifact.Manifest, error) {
	if _, err := s.Get(ctx, p, id); err != nil {
		return artifact.Manifest{}, err
	}
	return s.Bundles.Manifest(ctx, id)
}

// expandDelta returns the whole manifest that a delta describes.
func (s *Service) expandDelta(ctx context.Context, p anchor.ProjectID, delta artifact.Delta) (artifact.Manifest, error) {
	_, err := s.Get(ctx, p, delta.Base)
	var before artifact.Manifest
	if err == nil {
		before, err = s.Bundles.Manifest(ctx, delta.Base)
	}
	switch {
	case errors.Is(err, anchor.ErrNotFound), errors.Is(err, anchor.ErrInvalid):
		return artifact.Manifest{}, delta.NoBase(err)
	case err != nil:
		return artifact.Manifest{}, err
	}
	return delta.Apply(before)
}

// Get returns a deployment of the project.
func (s *Service) Get(ctx context.Context, p anchor.ProjectID, id anchor.DeploymentID) (anchor.Deployment, error) {
	d, err := s.Records.Deployment(ctx, id)
	if errors.Is(err, anchor.ErrNotFound) || err == nil && d.ProjectID != p {
		return anchor.Deployment{}, anchor.NotFound("unknown_deployment", "this project has no deployment %s", id).
			Hintf("To list its deployments, run `anchor deployments`.")
	}
	return d, err
}

// List returns the deployments of a project, newest first.
func (s *Service) List(ctx context.Context, p anchor.ProjectID, page anchor.Page) (anchor.List[anchor.Deployment], error) {
	return s.Records.Deployments(ctx, p, page)
}

// Missing returns the digests that have not arrived, for an upload that continues.
func (s *Service) Missing(ctx context.Context, p anchor.ProjectID, id anchor.DeploymentID) ([]artifact.Digest, error) {
	d, err := s.Get(ctx, p, id)
	if err != nil {
		return nil, err
	}
	if d.Status != anchor.Building {
		return nil, notUploadingError(d)
	}
	return s.Bundles.Missing(ctx, id)
}

// Files returns, for each digest, one of the deployment's files: Invalid for an unknown digest,
// a Conflict once the deployment no longer waits for files.
func (s *Service) Files(ctx context.Context, p anchor.ProjectID, id anchor.DeploymentID, digests []artifact.Digest) ([]artifact.File, error) {
	d, err := s.Get(ctx, p, id)
	if err != nil {
		return nil, err
	}
	if d.Status != anchor.Building {
		return nil, notUploadingError(d)
	}
	m, err := s.Bundles.Manifest(ctx, id)
	if err != nil {
		return nil, err
	}
	return m.Select(digests)
}

func notUploadingError(d anchor.Deployment) error {
	return anchor.Conflict("not_uploading", "deployment %s does not accept files: its status is %s", d.ID, d.Status).
		Hintf("Start a new deployment.")
}

// PutFile stores one file's content.
func (s *Service) PutFile(ctx context.Context, _ anchor.ProjectID, digest artifact.Digest, size int64, content io.Reader) error {
	return s.Bundles.Put(ctx, digest, size, content)
}

// Finish closes the upload: the deployment is built and waits for its turn. It
// may be called again, at the same time and after a lost answer too.
func (s *Service) Finish(ctx context.Context, p anchor.ProjectID, id anchor.DeploymentID) (anchor.Deployment, error) {
	d, err := s.Get(ctx, p, id)
	if err == nil && d.Status == anchor.Building {
		d, err = s.markBuilt(ctx, d)
	}
	if err != nil {
		return d, err
	}
	switch d.Status {
	case anchor.Built, anchor.Deploying:
		return d, s.Runner.Start(ctx, d, s.passOver(d.ID))
	case anchor.Deployed:
		return d, nil
	}
	return d, notUploadingError(d)
}

// markBuilt makes the files durable and records that they have arrived. When another finish or a
// cancel came first, it returns the deployment as that left it.
func (s *Service) markBuilt(ctx context.Context, d anchor.Deployment) (anchor.Deployment, error) {
	missing, err := s.Bundles.Missing(ctx, d.ID)
	if err != nil {
		return d, err
	}
	if len(missing) > 0 {
		return d, anchor.Conflict("files_missing", "%d files of deployment %s have not arrived", len(missing), d.ID).
			Hintf("Upload them, then finish again.")
	}
	if err := s.Bundles.Sync(ctx, d.ID); err != nil {
		return d, err
	}
	return s.setStatus(ctx, d, anchor.Built)
}

// Cancel ends a deployment that is not deployed yet. One whose release has begun ends as
// deployed; the returned record shows which.
func (s *Service) Cancel(ctx context.Context, p anchor.ProjectID, id anchor.DeploymentID) (anchor.Deployment, error) {
	for {
		d, err := s.Get(ctx, p, id)
		if err != nil {
			return d, err
		}
		if d.Status.Ended() {
			return d, anchor.Conflict("ended", "deployment %s has the status %s and cannot be canceled", id, d.Status).
				Hintf("To return to the previous deployment, run `anchor rollback`.")
		}
		if s.Runner.Cancel(id, ErrCanceled) {
			return s.waitForEnd(ctx, p, id)
		}
		before := d.Status
		d, err = s.abandonDeployment(ctx, withOutcome(d, anchor.Canceled, "", ErrCanceled.Error()), before)
		if err == nil && (before == anchor.Queued || before == anchor.Building) {
			err = s.stopBuild(ctx, d)
		}
		if !errors.Is(err, anchor.ErrConflict) {
			return d, err
		}
		// It moved on between the two reads: its upload was finished or its pass began.
	}
}
