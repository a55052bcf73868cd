package recordstest

import (
	"context"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/google/go-cmp/cmp"
)

// Open returns a fresh, empty store that is closed when t ends, and reopen, which closes it and
// opens it again over the same data.
type Open func(t *testing.T) (s Store, reopen func() Store)

// Run checks the implementation that open returns against Store's comments.
func Run(t *testing.T, open Open) {
	for _, group := range []struct {
		name  string
		tests []test
	}{
		{"projects", projectTests},
		{"deployments", deploymentTests},
		{"live", liveTests},
		{"journal", journalTests},
		{"tokens", tokenTests},
		{"env", envTests},
		{"hostnames", hostnameTests},
		{"whole", wholeTests},
	} {
		t.Run(group.name, func(t *testing.T) {
			for _, one := range group.tests {
				t.Run(one.name, func(t *testing.T) {
					s, reopen := open(t)
					one.run(bench{t, t.Context(), s, reopen})
				})
			}
		})
	}
}

type test struct {
	name string
	run  func(bench)
}

// bench is one test's store with what the tests need around it.
type bench struct {
	*testing.T
	ctx    context.Context
	s      Store
	reopen func() Store
}

// ok ends the test when err is one.
func (b bench) ok(err error) {
	b.Helper()
	if err != nil {
		b.Fatalf("unexpected error: %v", err)
	}
}

// is fails the test unless err is of kind and, if code is not "", of that code.
func (b bench) is(err error, kind anchor.Kind, code string) {
	b.Helper()
	switch {
	case err == nil:
		b.Errorf("no error, want one of kind %s", kind)
	case !isKind(err, kind):
		b.Errorf("error %q is of kind %s, want %s", err, anchor.KindOf(err), kind)
	case code != "" && codeOf(err) != code:
		b.Errorf("error %q has the code %q, want %q", err, codeOf(err), code)
	}
}

// same fails the test unless got equals want.
func (b bench) same(got, want any) {
	b.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		b.Errorf("not the same (-want +got):\n%s", diff)
	}
}

// must returns v, and ends the test when err is not nil.
func must[T any](v T, err error) func(b bench) T {
	return func(b bench) T {
		b.Helper()
		b.ok(err)
		return v
	}
}

// project makes a project with a unique slug.
func (b bench) project(slug string) anchor.Project {
	b.Helper()
	p := anchor.Project{ID: anchor.ProjectID(anchor.NewID()), Slug: slug, ProductionBranch: "main", CreatedAt: now()}
	b.ok(b.s.CreateProject(b.ctx, p))
	return p
}

// deployment makes a deployment of the status.
func (b bench) deployment(p anchor.ProjectID, status anchor.Status) anchor.Deployment {
	b.Helper()
	d := anchor.Deployment{ID: anchor.DeploymentID(anchor.NewID()), ProjectID: p, Status: status, CreatedAt: now()}
	return b.create(d)
}

// create makes d and returns it with its Order.
func (b bench) create(d anchor.Deployment) anchor.Deployment {
	b.Helper()
	b.ok(b.s.CreateDeployment(b.ctx, d))
	stored := must(b.s.Deployment(b.ctx, d.ID))(b)
	if stored.Order < 1 {
		b.Errorf("the deployment has the Order %d, want one from 1", stored.Order)
	}
	d.Order = stored.Order
	return d
}

// accept has a request accepted.
func (b bench) accept(p anchor.ProjectID) int64 {
	b.Helper()
	return must(b.s.Accept(b.ctx, p))(b)
}

// release is a release of d, not moved to yet.
func release(d anchor.Deployment) anchor.Release {
	return anchor.Release{
		ID: anchor.ReleaseID(anchor.NewID()), ProjectID: d.ProjectID, Kind: anchor.ReleasePromote,
		Deployment: d.ID, Record: d.ID, Version: d.Version, CreatedAt: now(),
	}
}

// goLive moves the pointer to d from its current position.
func (b bench) goLive(d anchor.Deployment) anchor.Live {
	b.Helper()
	from, err := b.s.Live(b.ctx, d.ProjectID)
	if !isKind(err, anchor.KindNotFound) {
		b.ok(err)
	}
	return must(b.s.Move(b.ctx, from, release(d), nil))(b)
}

func now() int64 { return time.Now().UnixMilli() }
