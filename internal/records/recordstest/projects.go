package recordstest

import (
	"fmt"
	"sync"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

var projectTests = []test{
	{"come back whole", func(b bench) {
		var p anchor.Project
		fill(&p)
		p.Removing = false // no project begins so
		p.ID = anchor.ProjectID(anchor.NewID())
		b.ok(b.s.CreateProject(b.ctx, p))
		b.same(must(b.s.Project(b.ctx, p.ID))(b), p)
		b.same(must(b.s.ProjectBySlug(b.ctx, p.Slug))(b), p)
		b.same(must(b.s.Projects(b.ctx, anchor.Page{}))(b).Items, []anchor.Project{p})
	}},
	{"have a slug and an id of their own", func(b bench) {
		p := b.project("shop")
		b.is(b.s.CreateProject(b.ctx, anchor.Project{ID: "x", Slug: "shop"}), anchor.KindConflict, "slug_taken")
		b.is(b.s.CreateProject(b.ctx, anchor.Project{ID: p.ID, Slug: "other"}), anchor.KindConflict, "id_taken")
		b.same(must(b.s.Project(b.ctx, p.ID))(b), p)
		_, err := b.s.ProjectBySlug(b.ctx, "other")
		b.is(err, anchor.KindNotFound, "unknown_project")
	}},
	{"assign a slug to one of many who race for it", func(b bench) {
		won := b.race(20, func(int) error {
			return b.s.CreateProject(b.ctx, anchor.Project{ID: anchor.ProjectID(anchor.NewID()), Slug: "shop"})
		})
		b.same(won, 1)
		b.same(len(must(b.s.Projects(b.ctx, anchor.Page{}))(b).Items), 1)
	}},
	{"are not found when unknown", func(b bench) {
		unknown := anchor.ProjectID(anchor.NewID())
		_, err := b.s.Project(b.ctx, unknown)
		b.is(err, anchor.KindNotFound, "unknown_project")
		_, err = b.s.ProjectBySlug(b.ctx, "unknown")
		b.is(err, anchor.KindNotFound, "unknown_project")
		b.is(b.s.DeleteProject(b.ctx, unknown), anchor.KindNotFound, "unknown_project")
	}},
	{"are listed newest first, page by page", func(b bench) {
		var want []anchor.Project
		for i := range 7 {
			want = append([]anchor.Project{b.project(fmt.Sprintf("p%d", i))}, want...)
		}
		got := b.pages(3, func(page anchor.Page) ([]string, string) {
			list := must(b.s.Projects(b.ctx, page))(b)
			b.project("between-" + anchor.NewID())
			return keys(list.Items, func(p anchor.Project) string { return string(p.ID) }), list.Next
		})
		b.same(got, keys(want, func(p anchor.Project) string { return string(p.ID) }))
		_, err := b.s.Projects(b.ctx, anchor.Page{Cursor: "nonsense"})
		b.is(err, anchor.KindInvalid, "bad_cursor")
	}},
	{"keep the limits that were set last", func(b bench) {
		p, other := b.project("shop"), b.project("other")
		for _, l := range []anchor.Limits{{MemoryBytes: 1 << 40, CPUMillis: 1500, Processes: 200}, {CPUMillis: 7}, {}} {
			b.ok(b.s.SetLimits(b.ctx, p.ID, l))
			p.Limits = l
			b.same(must(b.s.Project(b.ctx, p.ID))(b), p)
			b.same(must(b.s.ProjectBySlug(b.ctx, p.Slug))(b), p)
			b.same(must(b.s.Projects(b.ctx, anchor.Page{}))(b).Items, []anchor.Project{other, p})
		}
		b.is(b.s.SetLimits(b.ctx, anchor.ProjectID(anchor.NewID()), anchor.Limits{}), anchor.KindNotFound, "unknown_project")
	}},
	{"keep the retention of previews that was set last", func(b bench) {
		p := b.project("shop")
		b.ok(b.s.SetLimits(b.ctx, p.ID, anchor.Limits{CPUMillis: 7}))
		p.Limits.CPUMillis = 7
		for _, r := range []anchor.PreviewRetention{{Keep: 3, Days: 30}, {Days: 1}, {}} {
			b.ok(b.s.SetPreviewRetention(b.ctx, p.ID, r))
			p.Previews = r
			b.same(must(b.s.Project(b.ctx, p.ID))(b), p)
			b.same(must(b.s.ProjectBySlug(b.ctx, p.Slug))(b), p)
		}
		b.is(b.s.SetPreviewRetention(b.ctx, anchor.ProjectID(anchor.NewID()), anchor.PreviewRetention{}), anchor.KindNotFound, "unknown_project")
	}},
	{"are retired before they are deleted", retireProject},
	{"refuse everything new once they are retired", refuseInRetired},
	{"let what they have end once they are retired", endInRetired},
	{"are retired in one step, while others use them", retireInRace},
	{"take all that hangs on them along", deleteProject},
	{"are remembered by the ids of their deployments", rememberRemoved},
	{"leave their slug to the next", func(b bench) {
		b.ok(b.s.DeleteProject(b.ctx, b.project("shop").ID))
		b.project("shop")
	}},
}

// retired returns a furnished project and what it had before it was retired.
func (b bench) retired(slug string) (anchor.ProjectID, snapshot) {
	b.Helper()
	p := b.project(slug).ID
	b.furnish(p)
	before := b.snapshot(p)
	b.ok(b.s.RetireProject(b.ctx, p))
	return p, before
}

func retireProject(b bench) {
	stays := b.project("stays").ID
	b.furnish(stays)
	others := b.snapshot(stays)
	p, want := b.retired("shop")
	want.Project.Removing, want.Live, want.Env = true, anchor.Live{}, nil
	b.ok(b.s.RetireProject(b.ctx, p))
	for _, open := range []func() Store{func() Store { return b.s }, b.reopen} {
		b.s = open()
		b.same(b.snapshot(p), want)
		b.same(b.snapshot(stays), others)
		b.same(must(b.s.ProjectBySlug(b.ctx, "shop"))(b), want.Project)
		b.same(must(b.s.Projects(b.ctx, anchor.Page{}))(b).Items, []anchor.Project{want.Project, others.Project})
		b.same(must(b.s.Lives(b.ctx))(b), []anchor.Live{others.Live})
		_, err := b.s.Live(b.ctx, p)
		b.is(err, anchor.KindNotFound, "never_live")
	}
	b.is(b.s.RetireProject(b.ctx, anchor.ProjectID(anchor.NewID())), anchor.KindNotFound, "unknown_project")

	b.ok(b.s.DeleteProject(b.ctx, p))
	b.same(b.snapshot(p), snapshot{})
	b.is(b.s.RetireProject(b.ctx, p), anchor.KindNotFound, "unknown_project")
	b.project("shop")
}

func refuseInRetired(b bench) {
	p, before := b.retired("shop")
	h := b.hostname(b.project("other").ID, "moves.example")
	h.ProjectID = p
	target := before.Deployments[1]
	deployed := before.Unfinished[0]
	deployed.Status = anchor.Deployed
	rollback := anchor.Deployment{
		ID: anchor.DeploymentID(anchor.NewID()), ProjectID: p, Status: anchor.Deployed, IsRollback: true, RollbackTo: target.ID,
	}
	for name, err := range map[string]error{
		"CreateDeployment": b.s.CreateDeployment(b.ctx, anchor.Deployment{
			ID: anchor.DeploymentID(anchor.NewID()), ProjectID: p, Status: anchor.Queued,
		}),
		"Accept":              last(b.s.Accept(b.ctx, p))(),
		"Move":                last(b.s.Move(b.ctx, before.Live, release(target), nil))(),
		"first Move":          last(b.s.Move(b.ctx, anchor.Live{}, release(target), nil))(),
		"rollback":            last(b.s.Move(b.ctx, before.Live, release(target), &rollback))(),
		"deploy":              last(b.s.Move(b.ctx, before.Live, release(deployed), &deployed))(),
		"PutEnv":              b.s.PutEnv(b.ctx, p, []anchor.EnvVar{{Name: "B", Value: string(large(33 << 10)), For: anchor.EnvRun}}),
		"PutEnv of none":      b.s.PutEnv(b.ctx, p, nil),
		"SetLimits":           b.s.SetLimits(b.ctx, p, anchor.Limits{Processes: 64}),
		"SetPreviewRetention": b.s.SetPreviewRetention(b.ctx, p, anchor.PreviewRetention{Keep: 1}),
		"CreateHostname":      b.s.CreateHostname(b.ctx, anchor.Hostname{ID: anchor.HostnameID(anchor.NewID()), ProjectID: p, Name: "new.example"}),
		"UpdateHostname":      last(b.s.UpdateHostname(b.ctx, h))(),
	} {
		if !isKind(err, anchor.KindNotFound) || codeOf(err) != "project_removing" {
			b.Errorf("%s: error %v, want project_removing", name, err)
		}
	}
	b.is(b.s.CreateProject(b.ctx, anchor.Project{ID: anchor.ProjectID(anchor.NewID()), Slug: "shop"}), anchor.KindConflict, "slug_taken")
	want := before
	want.Project.Removing, want.Live, want.Env = true, anchor.Live{}, nil
	b.same(b.snapshot(p), want)
}

func endInRetired(b bench) {
	p, before := b.retired("shop")
	d := before.Unfinished[0]
	d.Status = anchor.Canceled
	b.ok(b.s.UpdateDeployment(b.ctx, d, anchor.Queued))
	b.same(must(b.s.Unfinished(b.ctx))(b), []anchor.Deployment{})
	must(b.s.Append(b.ctx, anchor.Event{DeploymentID: d.ID, Phase: anchor.StatusChange, Status: d.Status}))(b)

	h := before.Hostnames[0]
	h.Status = anchor.HostRemoving
	h = must(b.s.UpdateHostname(b.ctx, h))(b)
	b.same(must(b.s.Hostname(b.ctx, h.ID))(b), h)
	b.ok(b.s.DeleteHostname(b.ctx, h.ID))
	b.same(must(b.s.Hostnames(b.ctx, p, anchor.Page{}))(b).Items, []anchor.Hostname{})
}

// retireInRace creates deployments while the project is retired: what is accepted is listed, and
// nothing is accepted later.
func retireInRace(b bench) {
	p := b.project("shop").ID
	accepted := make([]error, 20)
	var all sync.WaitGroup
	for i := range accepted {
		all.Go(func() {
			if i == len(accepted)/2 {
				accepted[i] = b.s.RetireProject(b.ctx, p)
				return
			}
			accepted[i] = b.s.CreateDeployment(b.ctx, anchor.Deployment{
				ID: anchor.DeploymentID(anchor.NewID()), ProjectID: p, Status: anchor.Queued,
			})
		})
	}
	all.Wait()
	created := 0
	for i, err := range accepted {
		switch {
		case i == len(accepted)/2:
			b.ok(err)
		case err == nil:
			created++
		default:
			b.is(err, anchor.KindNotFound, "project_removing")
		}
	}
	b.same(len(must(b.s.Deployments(b.ctx, p, anchor.Page{Limit: anchor.MaxPage}))(b).Items), created)
	b.same(must(b.s.Project(b.ctx, p))(b).Removing, true)
}

func deleteProject(b bench) {
	gone, stays := b.project("gone"), b.project("stays")
	for _, p := range []anchor.Project{gone, stays} {
		b.furnish(p.ID)
	}
	before := b.snapshot(stays.ID)
	d := must(b.s.Kept(b.ctx, gone.ID))(b)[0]
	b.ok(b.s.DeleteProject(b.ctx, gone.ID))

	b.same(b.snapshot(gone.ID), snapshot{})
	b.same(b.snapshot(stays.ID), before)
	_, err := b.s.Deployment(b.ctx, d.ID)
	b.is(err, anchor.KindNotFound, "unknown_deployment")
	_, err = b.s.LockedEnv(b.ctx, d.ID)
	b.is(err, anchor.KindNotFound, "env_not_locked")
	b.same(must(b.s.Events(b.ctx, d.ID, 0))(b), []anchor.Event{})
	b.same(len(must(b.s.Lives(b.ctx))(b)), 1)
	b.same(must(b.s.Unfinished(b.ctx))(b), before.Unfinished)
	_, err = b.s.Move(b.ctx, anchor.Live{}, release(d), nil)
	b.is(err, anchor.KindNotFound, "unknown_project")
}

func rememberRemoved(b bench) {
	gone, stays := b.project("gone"), b.project("stays")
	removed := []anchor.Deployment{
		b.deployment(gone.ID, anchor.Deployed), b.deployment(gone.ID, anchor.Building), b.deployment(gone.ID, anchor.DeployFailed),
	}
	kept := b.deployment(stays.ID, anchor.Deployed)
	for _, d := range removed {
		b.same(must(b.s.Removed(b.ctx, d.ID))(b), false)
	}
	b.ok(b.s.DeleteProject(b.ctx, gone.ID))
	for _, open := range []func() Store{func() Store { return b.s }, b.reopen} {
		s := open()
		for _, d := range removed {
			b.same(must(s.Removed(b.ctx, d.ID))(b), true)
		}
		b.same(must(s.Removed(b.ctx, kept.ID))(b), false)
		b.same(must(s.Removed(b.ctx, anchor.DeploymentID(anchor.NewID())))(b), false)
	}
}
