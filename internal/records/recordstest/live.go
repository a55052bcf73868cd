package recordstest

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

var liveTests = []test{
	{"is nowhere before the first release", func(b bench) {
		p := b.project("shop").ID
		for _, id := range []anchor.ProjectID{p, "unknown"} {
			_, err := b.s.Live(b.ctx, id)
			b.is(err, anchor.KindNotFound, "never_live")
			_, err = b.s.LastLive(b.ctx, id)
			b.is(err, anchor.KindNotFound, "never_live")
			b.same(must(b.s.Releases(b.ctx, id, anchor.Page{}))(b), anchor.List[anchor.Release]{Items: []anchor.Release{}})
		}
		b.same(must(b.s.Lives(b.ctx))(b), []anchor.Live{})
	}},
	{"comes back whole, and so does the release", func(b bench) {
		d := b.deployment(b.project("shop").ID, anchor.Deployed)
		var r anchor.Release
		fill(&r)
		r.ProjectID, r.Deployment = d.ProjectID, d.ID
		r.Order = b.accept(d.ProjectID)
		got := must(b.s.Move(b.ctx, anchor.Live{}, r, nil))(b)
		r.Revision = 1
		want := anchor.Live{
			ProjectID: r.ProjectID, Deployment: r.Deployment, Record: r.Record, Version: r.Version,
			Release: r.ID, Order: r.Order, Revision: 1, ForceReload: r.ForceReload, Split: r.Split, DividedSince: r.DividedSince,
		}
		b.same(got, want)
		b.same(must(b.s.Live(b.ctx, r.ProjectID))(b), want)
		b.same(must(b.s.Lives(b.ctx))(b), []anchor.Live{want})
		b.same(must(b.s.Releases(b.ctx, r.ProjectID, anchor.Page{}))(b).Items, []anchor.Release{r})
	}},
	{"has an order of requests", func(b bench) {
		p, other := b.project("shop").ID, b.project("other").ID
		first := b.deployment(p, anchor.Queued)
		b.deployment(other, anchor.Queued)
		second := b.accept(p)
		third := b.deployment(p, anchor.Queued)
		if first.Order < 1 || second <= first.Order || third.Order <= second {
			b.Errorf("in the order of their acceptance the requests have the Orders %d, %d, %d", first.Order, second, third.Order)
		}
		_, err := b.s.Accept(b.ctx, "unknown")
		b.is(err, anchor.KindNotFound, "unknown_project")
	}},
	{"moves from its own revision only", func(b bench) {
		d := b.deployment(b.project("shop").ID, anchor.Deployed)
		first := b.goLive(d)
		second := must(b.s.Move(b.ctx, first, release(d), nil))(b)
		b.same(second.Revision, int64(2))
		for _, stale := range []anchor.Live{{}, first, {ProjectID: d.ProjectID, Revision: 3}, {Revision: -1}} {
			_, err := b.s.Move(b.ctx, stale, release(d), nil)
			b.is(err, anchor.KindConflict, "pointer_moved")
		}
		b.same(must(b.s.Live(b.ctx, d.ProjectID))(b), second)
		b.same(len(must(b.s.Releases(b.ctx, d.ProjectID, anchor.Page{}))(b).Items), 2)
	}},
	{"moves to deployments of the project only", func(b bench) {
		d, foreign := b.deployment(b.project("shop").ID, anchor.Deployed), b.deployment(b.project("other").ID, anchor.Deployed)
		for _, to := range []anchor.DeploymentID{foreign.ID, "unknown"} {
			r := release(d)
			r.Deployment = to
			_, err := b.s.Move(b.ctx, anchor.Live{}, r, nil)
			b.is(err, anchor.KindNotFound, "unknown_deployment")
		}
		r := release(d)
		r.ProjectID = "unknown"
		_, err := b.s.Move(b.ctx, anchor.Live{}, r, nil)
		b.is(err, anchor.KindNotFound, "unknown_project")
		b.same(must(b.s.Lives(b.ctx))(b), []anchor.Live{})
	}},
	{"takes a release once", func(b bench) {
		d := b.deployment(b.project("shop").ID, anchor.Deployed)
		r := release(d)
		first := must(b.s.Move(b.ctx, anchor.Live{}, r, nil))(b)
		_, err := b.s.Move(b.ctx, first, r, nil)
		b.is(err, anchor.KindConflict, "id_taken")
		b.same(must(b.s.Live(b.ctx, d.ProjectID))(b), first)
	}},
	{"moves with a deploy's record or not at all", moveDeploy},
	{"moves with a rollback's record or not at all", moveRollback},
	{"is moved back with the record of a failed release or not at all", undoRelease},
	{"does not count an undone release as live before", undoneIsNotLastLive},
	{"notes that traffic is divided", divideTraffic},
	{"is won by one of a hundred", raceMove},
	{"is moved by all who try again", retryMove},
	{"belongs to each project alone", func(b bench) {
		one, two := b.deployment(b.project("one").ID, anchor.Deployed), b.deployment(b.project("two").ID, anchor.Deployed)
		b.project("never-live")
		b.goLive(one)
		want := []anchor.Live{b.goLive(one), b.goLive(two)}
		got := must(b.s.Lives(b.ctx))(b)
		slices.SortFunc(got, func(x, y anchor.Live) int { return int(y.Revision - x.Revision) })
		b.same(got, want)
	}},
	{"lists releases newest first, page by page", func(b bench) {
		d := b.deployment(b.project("shop").ID, anchor.Deployed)
		var want []string
		for range 7 {
			want = append(want, string(b.goLive(d).Release))
		}
		slices.Reverse(want)
		got := b.pages(3, func(page anchor.Page) ([]string, string) {
			list := must(b.s.Releases(b.ctx, d.ProjectID, page))(b)
			b.goLive(d)
			return keys(list.Items, func(r anchor.Release) string { return string(r.ID) }), list.Next
		})
		b.same(got, want)
		for _, cursor := range []string{"nonsense", "0", "-1"} {
			_, err := b.s.Releases(b.ctx, d.ProjectID, anchor.Page{Cursor: cursor})
			b.is(err, anchor.KindInvalid, "bad_cursor")
		}
	}},
	{"remembers what was live before", func(b bench) {
		p := b.project("shop").ID
		one, two := b.deployment(p, anchor.Deployed), b.deployment(p, anchor.Deployed)
		b.goLive(one)
		b.goLive(one)
		_, err := b.s.LastLive(b.ctx, p)
		b.is(err, anchor.KindNotFound, "never_live")
		b.goLive(two)
		b.same(must(b.s.LastLive(b.ctx, p))(b), one.ID)
		b.goLive(two)
		b.same(must(b.s.LastLive(b.ctx, p))(b), one.ID)
		b.goLive(one)
		b.same(must(b.s.LastLive(b.ctx, p))(b), two.ID)
	}},
}

// moveDeploy tries a release with a deploy's record of every status.
func moveDeploy(b bench) {
	for _, stored := range statuses {
		for _, to := range statuses {
			d := b.deployment(b.project(fmt.Sprintf("p%s", anchor.NewID())).ID, stored)
			next := d
			next.Status, next.Version = to, "v1"
			_, err := b.s.Move(b.ctx, anchor.Live{}, release(next), &next)
			if stored == anchor.Deploying && stored.CanMove(to) {
				b.ok(err)
				b.same(must(b.s.Deployment(b.ctx, d.ID))(b), next)
				live := must(b.s.Live(b.ctx, d.ProjectID))(b)
				b.same(live.Deployment, d.ID)
				b.same(live.Order, d.Order) // a deploy's place is that of its request
				continue
			}
			b.is(err, anchor.KindConflict, "")
			b.neverMoved(d)
		}
	}
	d, foreign := b.deployment(b.project("shop").ID, anchor.Deploying), b.deployment(b.project("other").ID, anchor.Deploying)
	foreign.Status = anchor.Deployed
	unknown := d
	unknown.ID, unknown.Status = anchor.DeploymentID(anchor.NewID()), anchor.Deployed
	for _, record := range []anchor.Deployment{foreign, unknown} {
		_, err := b.s.Move(b.ctx, anchor.Live{}, release(d), &record)
		b.is(err, anchor.KindConflict, "foreign_record")
		b.neverMoved(d)
	}
	done := d
	done.Status = anchor.Deployed
	_, err := b.s.Move(b.ctx, anchor.Live{Revision: 7}, release(done), &done)
	b.is(err, anchor.KindConflict, "pointer_moved")
	b.neverMoved(d)
}

// neverMoved fails the test unless d is as it was and its project without a release.
func (b bench) neverMoved(d anchor.Deployment) {
	b.Helper()
	b.same(must(b.s.Deployment(b.ctx, d.ID))(b), d)
	_, err := b.s.Live(b.ctx, d.ProjectID)
	b.is(err, anchor.KindNotFound, "never_live")
	b.same(len(must(b.s.Releases(b.ctx, d.ProjectID, anchor.Page{}))(b).Items), 0)
}

func rollback(target anchor.Deployment) (anchor.Release, anchor.Deployment) {
	record := anchor.Deployment{
		ID: anchor.DeploymentID(anchor.NewID()), ProjectID: target.ProjectID, Status: anchor.Deployed,
		IsRollback: true, RollbackTo: target.ID, CreatedAt: now(),
	}
	r := release(target)
	r.Kind, r.Record = anchor.ReleaseRollback, record.ID
	return r, record
}

func moveRollback(b bench) {
	target := b.deployment(b.project("shop").ID, anchor.Deployed)
	live := b.goLive(target)
	r, record := rollback(target)
	r.Order = b.accept(target.ProjectID)
	live = must(b.s.Move(b.ctx, live, r, &record))(b)
	b.same(live.Record, record.ID)
	late := b.deployment(target.ProjectID, anchor.Deploying)
	if live.Order <= target.Order || live.Order >= late.Order {
		b.Errorf("the rollback has the Order %d, between %d before it and %d after it", live.Order, target.Order, late.Order)
	}
	record.Order = live.Order
	b.same(must(b.s.Deployment(b.ctx, record.ID))(b), record)

	again := release(target)
	_, err := b.s.Move(b.ctx, live, again, &record)
	b.is(err, anchor.KindConflict, "id_taken")
	_, stale := rollback(target)
	_, err = b.s.Move(b.ctx, anchor.Live{Revision: 1}, again, &stale)
	b.is(err, anchor.KindConflict, "pointer_moved")
	_, foreign := rollback(b.deployment(b.project("other").ID, anchor.Deployed))
	_, err = b.s.Move(b.ctx, live, again, &foreign)
	b.is(err, anchor.KindConflict, "foreign_record")
	_, unreleased := rollback(target)
	_, err = b.s.Move(b.ctx, live, r, &unreleased)
	b.is(err, anchor.KindConflict, "id_taken")

	b.same(must(b.s.Live(b.ctx, target.ProjectID))(b), live)
	for _, id := range []anchor.DeploymentID{stale.ID, foreign.ID, unreleased.ID} {
		_, err := b.s.Deployment(b.ctx, id)
		b.is(err, anchor.KindNotFound, "unknown_deployment")
	}
}

// raceMove runs 100 rollbacks at once for each of some revisions: one wins, and only its record
// exists.
func raceMove(b bench) {
	const racers, rounds = 100, 3
	target := b.deployment(b.project("shop").ID, anchor.Deployed)
	live := b.goLive(target)
	for round := range rounds {
		var winner atomic.Value
		order := b.accept(target.ProjectID) + int64(round*racers)
		won := b.race(racers, func(i int) error {
			r, record := rollback(target)
			r.Order = order + int64(i)
			moved, err := b.s.Move(b.ctx, live, r, &record)
			if err == nil {
				winner.Store(moved)
			}
			return err
		})
		b.same(won, 1)
		next := must(b.s.Live(b.ctx, target.ProjectID))(b)
		b.same(next, winner.Load())
		b.same(next.Revision, live.Revision+1)
		live = next
	}
	b.same(len(must(b.s.Deployments(b.ctx, target.ProjectID, anchor.Page{Limit: anchor.MaxPage}))(b).Items), 1+rounds)
}

// retryMove runs 10 movers of one project, 5 moves each, which read and retry: every revision
// exists once.
func retryMove(b bench) {
	const movers, each = 10, 5
	d := b.deployment(b.project("shop").ID, anchor.Deployed)
	b.goLive(d)
	var done sync.WaitGroup
	for range movers {
		done.Go(func() {
			for moved := 0; moved < each; {
				from, err := b.s.Live(b.ctx, d.ProjectID)
				if err == nil {
					_, err = b.s.Move(b.ctx, from, release(d), nil)
				}
				if err == nil {
					moved++
				} else if !isKind(err, anchor.KindConflict) {
					b.Errorf("move: %v", err)
					return
				}
			}
		})
	}
	done.Wait()
	all := must(b.s.Releases(b.ctx, d.ProjectID, anchor.Page{Limit: anchor.MaxPage}))(b).Items
	b.same(len(all), 1+movers*each)
	for i, r := range all {
		b.same(r.Revision, int64(len(all)-i))
	}
}
