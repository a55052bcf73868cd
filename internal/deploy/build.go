package deploy

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact"
)

// Builder makes artifacts of commits, elsewhere.
type Builder interface {
	// Check refuses a source that cannot be built, before anything is recorded.
	Check(s Source) error
	// Build starts the build of d and does not wait for it. Called again for the same d within
	// minutes it starts nothing. After an error that is not an *anchor.Error the build may or
	// may not run.
	Build(ctx context.Context, p anchor.Project, d anchor.Deployment, s Source) error
	// Cancel ends the build of a deployment, if it runs. Idempotent.
	Cancel(ctx context.Context, d anchor.DeploymentID) error
	// AccessHint explains in one sentence how to let builds clone a private repository.
	AccessHint() string
}

// The environment variables that identify the deployment to its build.
const (
	DeploymentVariable = "ANCHOR_DEPLOYMENT_ID"
	ProjectVariable    = "ANCHOR_PROJECT_ID"
	ProofVariable      = "ANCHOR_BUILD_PROOF" // shows that a report comes from this build, where builds report themselves
)

// Source is what to build.
type Source struct {
	Repository string // an https URL without credentials
	Version    string // a commit, a tag or a branch
}

// BuildRequest is a request to build a commit and to deploy the result.
type BuildRequest struct {
	Repository    string
	CommitSha     string
	CommitMessage string
	Branch        string // the project's production branch when this and CommitSha are ""
	NoRelease     bool
	Production    bool   // go live from any branch; without it only the production branch does
	Fork          bool   // of somebody else: it gets no variables and is never released
	PullRequest   int64  // number of the pull request at its host, 0 for none
	By            string // author of the commit, or who asked for the build
	Key           string // requests of the same key are one; "" is a key of its own
}

// version is what git checkout takes and no option of it.
var version = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._/+-]*$`)

func (r BuildRequest) sourceOf(p anchor.Project, accessHint string) (Source, error) {
	at, err := url.Parse(r.Repository)
	if err != nil || at.Scheme != "https" || at.Host == "" || at.User != nil {
		return Source{}, anchor.Invalid("bad_repository", "the repository is not an https URL without credentials").
			Hintf("Send the URL to clone. %s", accessHint)
	}
	s := Source{Repository: r.Repository, Version: r.CommitSha}
	for _, other := range []string{r.Branch, p.ProductionBranch} {
		if s.Version == "" {
			s.Version = other
		}
	}
	if !version.MatchString(s.Version) || strings.Contains(s.Version, "..") {
		return Source{}, anchor.Invalid("bad_version", "%q is not a commit, tag or branch", s.Version).
			Hintf("Send commitSha or branch.")
	}
	return s, nil
}

// StartBuild records a deployment and starts its build. What the build makes comes
// to Adopt, its failure to BuildFailed.
func (s *Service) StartBuild(ctx context.Context, id anchor.ProjectID, r BuildRequest) (anchor.Deployment, error) {
	p, err := s.Projects.Project(ctx, id)
	if err != nil {
		return anchor.Deployment{}, err
	}
	source, err := r.sourceOf(p, s.Builder.AccessHint())
	if err == nil {
		err = s.Builder.Check(source)
	}
	if err != nil {
		return anchor.Deployment{}, err
	}
	if !r.Production && p.ScopeOf(r.Branch, true).Environment == anchor.EnvPreview {
		r.NoRelease = true
	}
	d, err := s.findOrCreate(ctx, p, r)
	if err != nil || d.Status != anchor.Queued {
		return d, err
	}
	if err := s.Builder.Build(ctx, p, d, source); err != nil {
		return d, s.endRefusedBuild(ctx, d, err)
	}
	return s.setStatus(ctx, d, anchor.Building)
}

// stopBuild ends the build of a deployment that was canceled, where builds run elsewhere.
func (s *Service) stopBuild(ctx context.Context, d anchor.Deployment) error {
	if s.Builder == nil || d.Source != anchor.SourceRepository {
		return nil
	}
	if err := s.Builder.Cancel(context.WithoutCancel(ctx), d.ID); err != nil {
		return anchor.Failed("build_not_stopped", "deployment %s is canceled, but its build continues: it could not be stopped", d.ID).
			Because(err).Hintf("What it makes is not deployed. %s", anchor.HintOf(err))
	}
	return nil
}

// endRefusedBuild ends a deployment whose build was refused. One whose build may run nevertheless
// stays as it is: a request of the same key continues it.
func (s *Service) endRefusedBuild(ctx context.Context, d anchor.Deployment, err error) error {
	if refused := (*anchor.Error)(nil); !errors.As(err, &refused) {
		return fmt.Errorf("start the build of deployment %s: %w", d.ID, err)
	}
	_, unwritten := s.abandonDeployment(context.WithoutCancel(ctx), withOutcome(d, anchor.BuildFailed, "build", messageWithHint(err)), anchor.Queued)
	return errors.Join(err, unwritten)
}

// findOrCreate returns the deployment of the request's key, and creates it if there is none. Two
// requests of one key do not meet here, so they do not create one each.
func (s *Service) findOrCreate(ctx context.Context, p anchor.Project, r BuildRequest) (d anchor.Deployment, err error) {
	if r.Key == "" {
		return s.createDeployment(ctx, p.ID, r, anchor.NewID())
	}
	err = s.Runner.Exclusive(ctx, p.ID, BuildStarts, func(ctx context.Context) (err error) {
		id := newKeyedID(p.ID, r.Key)
		if d, err = s.findKeyed(ctx, p.ID, id); errors.Is(err, anchor.ErrNotFound) {
			d, err = s.createDeployment(ctx, p.ID, r, id)
		}
		return err
	})
	if errors.Is(err, ErrHeld) {
		e := &anchor.Error{Kind: anchor.KindBusy, Code: "build_starting", Message: "another build of project " + p.Slug + " is being started", Err: err}
		return d, e.Hintf("Try again in a few seconds.")
	}
	return d, err
}

// findKeyed returns the deployment with the key of id among the project's newest, or ErrNotFound.
func (s *Service) findKeyed(ctx context.Context, p anchor.ProjectID, id string) (anchor.Deployment, error) {
	newest, err := s.Records.Deployments(ctx, p, anchor.Page{Limit: anchor.MaxPage})
	if err != nil {
		return anchor.Deployment{}, err
	}
	for _, d := range newest.Items {
		if hasSameKey(string(d.ID), id) {
			return d, nil
		}
	}
	return anchor.Deployment{}, anchor.ErrNotFound
}

// createDeployment inserts the record of a requested build.
func (s *Service) createDeployment(ctx context.Context, p anchor.ProjectID, r BuildRequest, id string) (anchor.Deployment, error) {
	d := anchor.Deployment{
		ID: anchor.DeploymentID(id), ProjectID: p, Status: anchor.Queued, CreatedAt: time.Now().UnixMilli(),
		CommitSha: r.CommitSha, CommitMessage: r.CommitMessage, Branch: r.Branch, NoRelease: r.NoRelease, Source: anchor.SourceRepository,
		Functions: map[string]anchor.FunctionVersion{},
	}
	if err := s.Records.CreateDeployment(ctx, d); err != nil {
		return anchor.Deployment{}, fmt.Errorf("record deployment %s: %w", d.ID, err)
	}
	s.appendEvent(ctx, d.ID, anchor.Event{Phase: anchor.StatusChange, Status: d.Status})
	return d, nil
}

// newKeyedID is a deployment id of now whose random part is the key's.
func newKeyedID(p anchor.ProjectID, key string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "build\x00%s\x00%s", p, key))
	var id ulid.ULID
	_ = id.SetTime(ulid.Timestamp(time.Now())) // fails after the year 10889
	_ = id.SetEntropy(sum[:10])                // fails for other sizes
	return strings.ToLower(id.String())
}

// hasSameKey compares the random parts of two ids, which follow 10 characters of time.
func hasSameKey(a, b string) bool {
	return len(a) == ulid.EncodedSize && len(b) == ulid.EncodedSize && a[10:] == b[10:]
}

// setStatus writes the deployment's next status. When something else changed the record
// first, it returns the record as it is now.
func (s *Service) setStatus(ctx context.Context, d anchor.Deployment, to anchor.Status) (anchor.Deployment, error) {
	from := d.Status
	d.Status = to
	err := s.Records.UpdateDeployment(ctx, d, from)
	if errors.Is(err, anchor.ErrConflict) {
		return s.Get(ctx, d.ProjectID, d.ID)
	}
	if err != nil {
		return d, fmt.Errorf("record deployment %s as %s: %w", d.ID, to, err)
	}
	s.appendEvent(ctx, d.ID, anchor.Event{Phase: anchor.StatusChange, Status: to})
	return d, nil
}

// Adopt takes the artifact of a build. bring makes it the deployment's artifact and returns its
// manifest; it may run more than once. The deployment is built then. One that is further or
// ended is returned as it is; a refused artifact ends it as build_failed. commit is what was
// markBuilt, for a record without one.
func (s *Service) Adopt(ctx context.Context, p anchor.ProjectID, id anchor.DeploymentID, commit string,
	bring func(context.Context) (artifact.Manifest, error),
) (anchor.Deployment, error) {
	d, err := s.Get(ctx, p, id)
	if err == nil && d.Status == anchor.Queued {
		d, err = s.setStatus(ctx, d, anchor.Building)
	}
	if err != nil || d.Status != anchor.Building {
		return d, err
	}
	m, err := bring(ctx)
	if err == nil {
		err = s.Bundles.SaveManifest(ctx, id, m)
	}
	if refused := (*anchor.Error)(nil); errors.As(err, &refused) && refused.Kind != anchor.KindFailed && refused.Kind != anchor.KindBusy {
		return s.abandonDeployment(ctx, withOutcome(d, anchor.BuildFailed, "import", messageWithHint(err)), anchor.Building)
	}
	if err != nil {
		return d, fmt.Errorf("import the artifact of deployment %s: %w", id, err)
	}
	if d.CommitSha == "" {
		d.CommitSha = commit
	}
	return s.markBuilt(ctx, d)
}

// BuildFailed ends a deployment whose build failed: step is the build's phase. One whose
// artifact has arrived, or that has ended, stays as it is.
func (s *Service) BuildFailed(ctx context.Context, id anchor.DeploymentID, step, why string) error {
	for {
		d, err := s.Records.Deployment(ctx, id)
		if err != nil {
			return fmt.Errorf("read deployment %s: %w", id, err)
		}
		if d.Status != anchor.Queued && d.Status != anchor.Building {
			return nil
		}
		_, err = s.abandonDeployment(ctx, withOutcome(d, anchor.BuildFailed, step, why), d.Status)
		if !errors.Is(err, anchor.ErrConflict) {
			return err
		}
	}
}
