package domains

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Ports are what the use-case works with.
type Ports struct {
	Records      Records
	Directory    Directory
	Certificates Certificates
	Front        Front
	Resolver     Resolver
}

// Options tune the use-case.
type Options struct {
	// Parallel is how many names the reconciler works on at once; 0 means 16.
	Parallel int
	// Reserved is a name of the server's own, which no project may have. "": none.
	Reserved string
	Now      func() time.Time // time.Now when nil
	Log      *slog.Logger     // slog.Default() when nil
}

// Service is the use-case. Its methods are safe for concurrent use; a Service
// must not be copied. One process may serve the API and another run the
// reconciler: the records are all they share.
type Service struct {
	Ports
	Options

	lanes  lanes
	kicked chan struct{}
}

// New returns the use-case over its ports.
func New(p Ports, o Options) *Service {
	return &Service{Ports: p, Options: o, kicked: make(chan struct{}, 1)}
}

func (s *Service) now() time.Time {
	if s.Now == nil {
		return time.Now()
	}
	return s.Now()
}

func (s *Service) log() *slog.Logger { return cmp.Or(s.Log, slog.Default()) }

// wakeReconciler makes Run look for due names now.
func (s *Service) wakeReconciler() {
	select {
	case s.kicked <- struct{}{}:
	default: // it is awake already
	}
}

// findInProject returns the project's hostname by id or name. One of another project is NotFound like
// one that does not exist.
func (s *Service) findInProject(ctx context.Context, p anchor.ProjectID, idOrName string) (anchor.Hostname, error) {
	h, err := s.findByIDOrName(ctx, idOrName)
	switch {
	case errors.Is(err, anchor.ErrNotFound) || err == nil && h.ProjectID != p:
		return anchor.Hostname{}, errUnknown(idOrName)
	case err != nil:
		return anchor.Hostname{}, err
	}
	return h, nil
}

func (s *Service) findByIDOrName(ctx context.Context, idOrName string) (anchor.Hostname, error) {
	if anchor.ValidID(idOrName) {
		return s.Directory.Hostname(ctx, anchor.HostnameID(idOrName))
	}
	name, err := Parse(idOrName)
	if err != nil {
		return anchor.Hostname{}, errUnknown(idOrName)
	}
	return s.Directory.HostnameByName(ctx, name.ASCII)
}

func errUnknown(idOrName string) error {
	return anchor.NotFound("unknown_domain", "the project has no domain %q", idOrName).
		Hintf("List its domains with: anchor domains ls")
}
