package recordstest

import (
	"context"
	"errors"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

var wholeTests = []test{
	{"outlives a restart", func(b bench) {
		p := b.project("shop")
		b.furnish(p.ID)
		t := b.token("one")
		b.ok(b.s.RevokeToken(b.ctx, t.ID, 7))
		t.RevokedAt = 7
		numbered := must(b.s.Kept(b.ctx, p.ID))(b)[0]
		number := must(b.s.Number(b.ctx, numbered.ID))(b)
		before := b.snapshot(p.ID)

		b.s = b.reopen()
		b.same(b.snapshot(p.ID), before)
		b.same(must(b.s.Tokens(b.ctx))(b), []anchor.Token{t})
		b.same(must(b.s.Number(b.ctx, numbered.ID))(b), number)
		if next := must(b.s.Number(b.ctx, b.deployment(p.ID, anchor.Built).ID))(b); next <= number {
			b.Errorf("after the restart the number %d follows %d", next, number)
		}
		b.same(b.goLive(numbered).Revision, before.Live.Revision+1)
	}},
	{"does nothing for a call that is over", func(b bench) {
		p := b.project("shop")
		b.furnish(p.ID)
		t := b.token("one")
		before := b.snapshot(p.ID)
		ended, cancel := context.WithCancel(b.ctx)
		cancel()
		for name, call := range b.calls(ended, before, t) {
			if err := call(); !errors.Is(err, context.Canceled) {
				b.Errorf("%s: error %v, want %v", name, err, context.Canceled)
			}
		}
		b.same(b.snapshot(p.ID), before)
		b.same(must(b.s.Tokens(b.ctx))(b), []anchor.Token{t})
	}},
	{"lets reads through while writes run", func(b bench) {
		d := b.deployment(b.project("shop").ID, anchor.Deployed)
		b.goLive(d)
		b.race(40, func(i int) error {
			if i%2 == 0 {
				_, err := b.s.Append(b.ctx, anchor.Event{DeploymentID: d.ID})
				return err
			}
			l, err := b.s.Live(b.ctx, d.ProjectID)
			if err == nil && l.Deployment != d.ID {
				err = errors.New("the pointer is elsewhere")
			}
			return err
		})
	}},
}

// calls is every method, called with ctx so that it would succeed and change
// something.
func (b bench) calls(ctx context.Context, have snapshot, t anchor.Token) map[string]func() error {
	p, d, h := have.Project.ID, have.Deployments[0], have.Hostnames[0]
	queued := have.Unfinished[0]
	moved := queued
	moved.Status = anchor.Building
	return map[string]func() error{
		"CreateProject":       func() error { return b.s.CreateProject(ctx, anchor.Project{ID: "x", Slug: "x"}) },
		"SetLimits":           func() error { return b.s.SetLimits(ctx, p, anchor.Limits{Processes: 1}) },
		"SetPreviewRetention": func() error { return b.s.SetPreviewRetention(ctx, p, anchor.PreviewRetention{Keep: 1}) },
		"RetireProject":       func() error { return b.s.RetireProject(ctx, p) },
		"DeleteProject":       func() error { return b.s.DeleteProject(ctx, p) },
		"CreateDeployment": func() error {
			return b.s.CreateDeployment(ctx, anchor.Deployment{ID: "x", ProjectID: p, Status: anchor.Queued})
		},
		"UpdateDeployment": func() error { return b.s.UpdateDeployment(ctx, moved, queued.Status) },
		"PutEnv":           func() error { return b.s.PutEnv(ctx, p, []anchor.EnvVar{{Name: "Z"}}) },
		"DeleteEnv":        func() error { return b.s.DeleteEnv(ctx, p, anchor.EnvSlot{Name: "A"}) },
		"CreateToken":      func() error { return b.s.CreateToken(ctx, anchor.Token{ID: "x", Hash: []byte("x")}) },
		"RevokeToken":      func() error { return b.s.RevokeToken(ctx, t.ID, 1) },
		"CreateHostname": func() error {
			return b.s.CreateHostname(ctx, anchor.Hostname{ID: "x", ProjectID: p, Name: "x.example"})
		},
		"UpdateHostname": last(b.s.UpdateHostname(ctx, h)),
		"DeleteHostname": func() error { return b.s.DeleteHostname(ctx, h.ID) },
		"Hostname":       last(b.s.Hostname(ctx, h.ID)),
		"HostnameByName": last(b.s.HostnameByName(ctx, h.Name)),
		"Hostnames":      last(b.s.Hostnames(ctx, p, anchor.Page{})),
		"DueHostnames":   last(b.s.DueHostnames(ctx, 1, 1)),
		"Move":           last(b.s.Move(ctx, have.Live, release(d), nil)),
		"Undo":           last(b.s.Undo(ctx, have.Live, undoOf(have.Live, have.Live), nil)),
		"SetDivided":     func() error { return b.s.SetDivided(ctx, have.Live, 1) },
		"Accept":         last(b.s.Accept(ctx, p)),
		"Number":         last(b.s.Number(ctx, queued.ID)),
		"Append":         last(b.s.Append(ctx, anchor.Event{DeploymentID: d.ID})),
		"LockEnv":        last(b.s.LockEnv(ctx, queued.ID, []byte("x"))),
		"Project":        last(b.s.Project(ctx, p)),
		"ProjectBySlug":  last(b.s.ProjectBySlug(ctx, have.Project.Slug)),
		"Projects":       last(b.s.Projects(ctx, anchor.Page{})),
		"Deployment":     last(b.s.Deployment(ctx, d.ID)),
		"Deployments":    last(b.s.Deployments(ctx, p, anchor.Page{})),
		"Unfinished":     last(b.s.Unfinished(ctx)),
		"Kept":           last(b.s.Kept(ctx, p)),
		"Live":           last(b.s.Live(ctx, p)),
		"Lives":          last(b.s.Lives(ctx)),
		"Releases":       last(b.s.Releases(ctx, p, anchor.Page{})),
		"LastLive":       last(b.s.LastLive(ctx, p)),
		"Events":         last(b.s.Events(ctx, d.ID, 0)),
		"TokenByHash":    last(b.s.TokenByHash(ctx, t.Hash)),
		"Tokens":         last(b.s.Tokens(ctx)),
		"EnvRows":        last(b.s.EnvRows(ctx, p)),
		"LockedEnv":      last(b.s.LockedEnv(ctx, d.ID)),
	}
}

func last[T any](_ T, err error) func() error { return func() error { return err } }
