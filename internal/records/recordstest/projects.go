package recordstest

import (
	"fmt"

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
	{"give a slug to one of many who race for it", func(b bench) {
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
	{"take all that hangs on them along", deleteProject},
	{"are remembered by the ids of their deployments", rememberRemoved},
	{"leave their slug to the next", func(b bench) {
		b.ok(b.s.DeleteProject(b.ctx, b.project("shop").ID))
		b.project("shop")
	}},
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
