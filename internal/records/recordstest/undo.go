package recordstest

import (
	"github.com/anchor-deploy/anchor/internal/anchor"
)

// undoOf returns the release that undoes failed, which had moved the pointer from before.
func undoOf(before, failed anchor.Live) anchor.Release {
	return anchor.Release{
		ID: anchor.ReleaseID(anchor.NewID()), ProjectID: failed.ProjectID, Kind: anchor.ReleaseUndo,
		Deployment: before.Deployment, From: failed.Deployment, Record: failed.Record, Version: before.Version,
		Order: before.Order, CreatedAt: now(),
	}
}

// failedOf returns a record as its undo writes it.
func failedOf(d anchor.Deployment) *anchor.Deployment {
	d.Status, d.ErrorStep, d.ErrorMessage = anchor.DeployFailed, "release", "denied"
	return &d
}

func undoRelease(b bench) {
	p := b.project("shop").ID
	one := b.deployment(p, anchor.Deployed)
	before := b.goLive(one)
	deployed := b.deployment(p, anchor.Deploying)
	deployed.Status = anchor.Deployed
	deploy := release(deployed)
	deploy.Record = deployed.ID
	undone := func(failed anchor.Live, record anchor.Deployment) anchor.Live {
		b.Helper()
		to := undoOf(before, failed)
		back := must(b.s.Undo(b.ctx, failed, to, failedOf(record)))(b)
		b.same(back, anchor.Live{
			ProjectID: p, Deployment: one.ID, Record: record.ID, Version: before.Version,
			Release: to.ID, Order: before.Order, Revision: failed.Revision + 1,
		})
		b.same(must(b.s.Live(b.ctx, p))(b), back)
		b.same(must(b.s.Deployment(b.ctx, record.ID))(b), *failedOf(record))
		b.same(must(b.s.Releases(b.ctx, p, anchor.Page{}))(b).Items[0].ID, to.ID)
		kept := keys(must(b.s.Kept(b.ctx, p))(b), func(d anchor.Deployment) string { return string(d.ID) })
		b.same(kept, []string{string(one.ID)})
		return back
	}
	live := undone(must(b.s.Move(b.ctx, before, deploy, &deployed))(b), deployed)

	r, record := rollback(one)
	moved := must(b.s.Move(b.ctx, live, r, &record))(b)
	record.Order = moved.Order
	live = undone(moved, record)

	promoted := must(b.s.Move(b.ctx, live, release(one), nil))(b)
	back := must(b.s.Undo(b.ctx, promoted, undoOf(live, promoted), nil))(b)
	b.same(back.Revision, promoted.Revision+1)

	refuseUndo(b, before, one)
}

// refuseUndo tries what is not the undo of a release.
func refuseUndo(b bench, before anchor.Live, one anchor.Deployment) {
	live := must(b.s.Live(b.ctx, one.ProjectID))(b)
	r, record := rollback(one)
	failed := must(b.s.Move(b.ctx, live, r, &record))(b)
	foreign := *failedOf(b.deployment(b.project("other").ID, anchor.Deployed))
	still := record
	for _, c := range []struct {
		failed anchor.Live
		change func(*anchor.Release)
		record *anchor.Deployment
		code   string
	}{
		{live, func(r *anchor.Release) { r.Record = live.Record }, nil, "pointer_moved"},
		{failed, func(r *anchor.Release) { r.Kind = anchor.ReleasePromote }, failedOf(record), "no_such_undo"},
		{failed, func(r *anchor.Release) { r.Record = one.ID }, failedOf(record), "no_such_undo"},
		{failed, func(r *anchor.Release) { r.ID = failed.Release }, failedOf(record), "id_taken"},
		{failed, func(*anchor.Release) {}, &foreign, "foreign_record"},
		{failed, func(*anchor.Release) {}, &still, "no_such_move"},
	} {
		to := undoOf(before, failed)
		c.change(&to)
		_, err := b.s.Undo(b.ctx, c.failed, to, c.record)
		b.is(err, anchor.KindConflict, c.code)
	}
	to := undoOf(before, failed)
	to.Deployment = foreign.ID
	_, err := b.s.Undo(b.ctx, failed, to, failedOf(record))
	b.is(err, anchor.KindNotFound, "unknown_deployment")
	b.same(must(b.s.Live(b.ctx, one.ProjectID))(b), failed)
	b.same(must(b.s.Deployment(b.ctx, record.ID))(b).Status, anchor.Deployed)
}

func undoneIsNotLastLive(b bench) {
	p := b.project("shop").ID
	one, two, three := b.deployment(p, anchor.Deployed), b.deployment(p, anchor.Deployed), b.deployment(p, anchor.Deployed)
	b.goLive(one)
	before := b.goLive(two)
	failed := b.goLive(three)
	must(b.s.Undo(b.ctx, failed, undoOf(before, failed), nil))(b)
	b.same(must(b.s.LastLive(b.ctx, p))(b), one.ID)
	b.goLive(three)
	b.same(must(b.s.LastLive(b.ctx, p))(b), two.ID)
}

func divideTraffic(b bench) {
	d := b.deployment(b.project("shop").ID, anchor.Deployed)
	b.is(b.s.SetDivided(b.ctx, anchor.Live{ProjectID: d.ProjectID}, 7), anchor.KindConflict, "pointer_moved")
	live := b.goLive(d)
	for _, since := range []int64{7, 0, 9} {
		b.ok(b.s.SetDivided(b.ctx, live, since))
		live.DividedSince = since
		b.same(must(b.s.Live(b.ctx, d.ProjectID))(b), live)
		b.same(must(b.s.Lives(b.ctx))(b), []anchor.Live{live})
		b.same(must(b.s.Releases(b.ctx, d.ProjectID, anchor.Page{}))(b).Items[0].DividedSince, since)
	}
	next := b.goLive(d)
	b.same(next.DividedSince, int64(0))
	b.is(b.s.SetDivided(b.ctx, live, 11), anchor.KindConflict, "pointer_moved")
	b.same(must(b.s.Live(b.ctx, d.ProjectID))(b), next)
}
