package project

import (
	"cmp"
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// defaultBranch is the production branch of a project that names none.
const defaultBranch = "main"

// Ports are what the use-case works with.
type Ports struct {
	Records     Records
	Domains     Domains // nil where no domains can be attached
	Deployments Deployments
	Remover     Remover
	Limiter     Limiter         // nil where the platform has no limits per project
	Settings    SettingsRecords // nil where settings for AWS have no effect

	// Dispatch makes another process call FinishRemoval, or apply the settings of a project that is not
	// being removed. nil means that Remove calls it, and that settings are applied by the next deployment.
	Dispatch func(ctx context.Context, p anchor.ProjectID) error
}

// Options tune the use-case. The zero value is ready for production.
type Options struct {
	Now         func() time.Time // time.Now when nil
	MaxProjects int              // how many projects there may be; 0 means any number
	LimitsHint  string           // what bounds a project instead, where there is no Limiter
	// Previews is the server's default of the retention of previews.
	Previews anchor.PreviewRetention
	Log      *slog.Logger // slog.Default() when nil

	// BeforeStep is called before each step of a removal. Tests end the process in it.
	BeforeStep func(step string)
}

// Service creates, finds and removes projects.
type Service struct {
	Ports
	Options
	admission sync.Mutex // held from the count of the projects to the new record
}

// New returns the use-case over its ports.
func New(p Ports, o Options) *Service {
	if o.BeforeStep == nil {
		o.BeforeStep = func(string) {}
	}
	o.Log = cmp.Or(o.Log, slog.Default())
	return &Service{Ports: p, Options: o}
}

// Create makes a project. Invalid when the slug or branch cannot be one, a
// Conflict "slug_taken" when there is such a project.
func (s *Service) Create(ctx context.Context, slug, productionBranch string) (anchor.Project, error) {
	if productionBranch == "" {
		productionBranch = defaultBranch
	}
	if err := cmp.Or(checkSlug(slug), checkBranch(productionBranch)); err != nil {
		return anchor.Project{}, err
	}
	p := anchor.Project{
		ID:               anchor.ProjectID(anchor.NewID()),
		Slug:             slug,
		ProductionBranch: productionBranch,
		CreatedAt:        now(s.Now),
	}
	if err := s.admitProject(ctx, p); err != nil {
		return anchor.Project{}, err
	}
	return p, nil
}

// checkSlug also refuses a slug of the form of an id, because projects are looked up by either.
func checkSlug(slug string) error {
	if anchor.ValidID(slug) {
		return anchor.Invalid("bad_slug", "%q has the form of an id and cannot be the slug of a project", slug).
			Hintf("Choose another slug.")
	}
	return anchor.CheckSlug(slug)
}

func checkBranch(branch string) error {
	if len(branch) <= 255 && strings.IndexFunc(branch, notInBranch) < 0 {
		return nil
	}
	return anchor.Invalid("bad_branch", "%q is not a valid branch name", branch).
		Hintf("Use at most 255 characters without spaces.")
}

func notInBranch(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }

// Get returns the project of an id or slug, or NotFound.
func (s *Service) Get(ctx context.Context, idOrSlug string) (anchor.Project, error) {
	if anchor.ValidID(idOrSlug) {
		return s.Records.Project(ctx, anchor.ProjectID(idOrSlug))
	}
	return s.Records.ProjectBySlug(ctx, idOrSlug)
}

// List returns a page of all projects, newest first.
func (s *Service) List(ctx context.Context, page anchor.Page) (anchor.List[anchor.Project], error) {
	return s.Records.Projects(ctx, page)
}

func now(clock func() time.Time) int64 {
	if clock == nil {
		clock = time.Now
	}
	return clock().UnixMilli()
}
