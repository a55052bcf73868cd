package recordstest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

var statuses = []anchor.Status{
	anchor.Queued, anchor.Building, anchor.Built, anchor.Deploying, anchor.Deployed,
	anchor.BuildFailed, anchor.DeployFailed, anchor.Canceled, anchor.Superseded, anchor.Skipped,
}

var deploymentTests = []test{
	{"come back whole", func(b bench) {
		var d anchor.Deployment
		fill(&d)
		d.ID, d.ProjectID, d.Status = anchor.DeploymentID(anchor.NewID()), b.project("shop").ID, anchor.Deploying
		d = b.create(d)
		b.same(must(b.s.Deployment(b.ctx, d.ID))(b), d)
		b.same(must(b.s.Deployments(b.ctx, d.ProjectID, anchor.Page{}))(b).Items, []anchor.Deployment{d})
		b.same(must(b.s.Unfinished(b.ctx))(b), []anchor.Deployment{d})
	}},
	{"are the store's own copies", func(b bench) {
		d := anchor.Deployment{ID: anchor.DeploymentID(anchor.NewID()), ProjectID: b.project("shop").ID, Status: anchor.Built,
			Functions: map[string]anchor.FunctionVersion{"default": {Version: "1"}}}
		b.ok(b.s.CreateDeployment(b.ctx, d))
		d.Functions["default"] = anchor.FunctionVersion{Version: "changed after"}
		got := must(b.s.Deployment(b.ctx, d.ID))(b)
		b.same(got.Functions["default"].Version, "1")
		got.Functions["default"] = anchor.FunctionVersion{Version: "changed in the answer"}
		b.same(must(b.s.Deployment(b.ctx, d.ID))(b).Functions["default"].Version, "1")
	}},
	{"have an id of their own and a project", func(b bench) {
		d := b.deployment(b.project("shop").ID, anchor.Queued)
		again := d
		again.CommitSha = "other"
		b.is(b.s.CreateDeployment(b.ctx, again), anchor.KindConflict, "id_taken")
		b.same(must(b.s.Deployment(b.ctx, d.ID))(b), d)
		orphan := anchor.Deployment{ID: anchor.DeploymentID(anchor.NewID()), ProjectID: "unknown", Status: anchor.Queued}
		b.is(b.s.CreateDeployment(b.ctx, orphan), anchor.KindNotFound, "unknown_project")
		_, err := b.s.Deployment(b.ctx, orphan.ID)
		b.is(err, anchor.KindNotFound, "unknown_deployment")
	}},
	{"move as the domain allows and no other way", updateDeployment},
	{"are updated by one of many who race for it", func(b bench) {
		d := b.deployment(b.project("shop").ID, anchor.Built)
		d.Status = anchor.Deploying
		won := b.race(20, func(i int) error {
			mine := d
			mine.CommitSha = fmt.Sprint(i)
			return b.s.UpdateDeployment(b.ctx, mine, anchor.Built)
		})
		b.same(won, 1)
	}},
	{"are not found when unknown", func(b bench) {
		p := b.project("shop")
		d := b.deployment(p.ID, anchor.Queued)
		d.ProjectID = b.project("other").ID
		b.is(b.s.UpdateDeployment(b.ctx, d, anchor.Queued), anchor.KindNotFound, "unknown_deployment")
		d.ID = anchor.DeploymentID(anchor.NewID())
		b.is(b.s.UpdateDeployment(b.ctx, d, anchor.Queued), anchor.KindNotFound, "unknown_deployment")
		_, err := b.s.Deployment(b.ctx, d.ID)
		b.is(err, anchor.KindNotFound, "unknown_deployment")
		_, err = b.s.Number(b.ctx, d.ID)
		b.is(err, anchor.KindNotFound, "unknown_deployment")
		b.same(must(b.s.Deployments(b.ctx, "unknown", anchor.Page{}))(b), anchor.List[anchor.Deployment]{Items: []anchor.Deployment{}})
		b.same(must(b.s.Kept(b.ctx, "unknown"))(b), []anchor.Deployment{})
	}},
	{"are listed newest first, page by page", func(b bench) {
		p, other := b.project("shop"), b.project("other")
		var want []string
		for range 7 {
			want = append(want, string(b.deployment(p.ID, anchor.Queued).ID))
			b.deployment(other.ID, anchor.Queued)
		}
		slices.Reverse(want)
		for _, limit := range []int{1, 3, 7, anchor.MaxPage} {
			before := len(must(b.s.Deployments(b.ctx, p.ID, anchor.Page{Limit: anchor.MaxPage}))(b).Items)
			got := b.pages(limit, func(page anchor.Page) ([]string, string) {
				list := must(b.s.Deployments(b.ctx, p.ID, page))(b)
				b.deployment(p.ID, anchor.Queued)
				return keys(list.Items, deploymentKey), list.Next
			})
			b.same(len(got), before)
			b.same(got[len(got)-7:], want)
		}
		_, err := b.s.Deployments(b.ctx, p.ID, anchor.Page{Cursor: "nonsense"})
		b.is(err, anchor.KindInvalid, "bad_cursor")
	}},
	{"come in pages of the size the domain says", func(b bench) {
		p := b.project("shop")
		for range anchor.MaxPage + 1 {
			b.deployment(p.ID, anchor.Queued)
		}
		b.same(len(must(b.s.Deployments(b.ctx, p.ID, anchor.Page{}))(b).Items), anchor.DefaultPage)
		b.same(len(must(b.s.Deployments(b.ctx, p.ID, anchor.Page{Limit: 1000}))(b).Items), anchor.MaxPage)
	}},
	{"are unfinished until they end, oldest first", func(b bench) {
		var want []string
		for _, p := range []anchor.Project{b.project("one"), b.project("two")} {
			for _, status := range statuses {
				if d := b.deployment(p.ID, status); !status.Ended() {
					want = append(want, string(d.ID))
				}
			}
		}
		b.same(keys(must(b.s.Unfinished(b.ctx))(b), deploymentKey), want)
	}},
	{"are kept while they can serve", keptDeployments},
	{"are in the order in which they were accepted, whatever their ids", orderDeployments},
	{"are numbered once", numberDeployments},
	{"hold large values", func(b bench) {
		d := b.deployment(b.project("shop").ID, anchor.Deploying)
		d.Status, d.CommitMessage, d.ErrorMessage = anchor.DeployFailed, strings.Repeat("ü", 64<<10), strings.Repeat("e", 64<<10)
		b.ok(b.s.UpdateDeployment(b.ctx, d, anchor.Deploying))
		b.same(must(b.s.Deployment(b.ctx, d.ID))(b), d)
	}},
}

func deploymentKey(d anchor.Deployment) string { return string(d.ID) }

// updateDeployment tries every pair of statuses with every status to come from.
func updateDeployment(b bench) {
	p := b.project("shop").ID
	for _, stored := range statuses {
		refused := b.deployment(p, stored)
		for _, from := range statuses {
			for _, to := range statuses {
				d, allowed := refused, stored == from && (to == from || from.CanMove(to))
				if allowed {
					d = b.deployment(p, stored)
				}
				next := d
				next.Status, next.CommitSha = to, "new"
				err := b.s.UpdateDeployment(b.ctx, next, from)
				if !allowed {
					b.is(err, anchor.KindConflict, "")
					continue
				}
				b.ok(err)
				b.same(must(b.s.Deployment(b.ctx, d.ID))(b), next)
			}
		}
		b.same(must(b.s.Deployment(b.ctx, refused.ID))(b), refused) // once: each read is a call to an emulator
	}
}

func keptDeployments(b bench) {
	p := b.project("shop").ID
	for _, status := range statuses {
		if status != anchor.Deployed {
			b.deployment(p, status)
		}
	}
	old, young := b.deployment(p, anchor.Deployed), b.deployment(p, anchor.Deployed)
	late := b.deployment(p, anchor.Deploying)
	late.Status, late.Version = anchor.Superseded, "v1" // it was ready, and can be promoted
	b.ok(b.s.UpdateDeployment(b.ctx, late, anchor.Deploying))
	lost := late
	lost.ID = anchor.DeploymentID(anchor.NewID())
	lost = b.create(lost)
	lost.PrunedAt = now()
	b.ok(b.s.UpdateDeployment(b.ctx, lost, anchor.Superseded))
	pruned := b.deployment(p, anchor.Deployed)
	pruned.PrunedAt = now()
	b.ok(b.s.UpdateDeployment(b.ctx, pruned, anchor.Deployed))
	rollback := anchor.Deployment{ID: anchor.DeploymentID(anchor.NewID()), ProjectID: p, Status: anchor.Deployed, IsRollback: true}
	b.ok(b.s.CreateDeployment(b.ctx, rollback))
	b.deployment(b.project("other").ID, anchor.Deployed)

	b.same(must(b.s.Kept(b.ctx, p))(b), []anchor.Deployment{late, young, old})
}

// orderDeployments makes deployments whose ids go back, as those of a clock that was
// set back do.
func orderDeployments(b bench) {
	p := b.project("shop").ID
	ids := make([]anchor.DeploymentID, 5)
	for i := range ids {
		ids[i] = anchor.DeploymentID(anchor.NewID())
	}
	slices.Reverse(ids)
	var made []anchor.Deployment
	for i, id := range ids {
		status := []anchor.Status{anchor.Deployed, anchor.Deploying}[i%2]
		made = append(made, b.create(anchor.Deployment{ID: id, ProjectID: p, Status: status, Order: 99}))
		if i > 0 && !made[i-1].Before(made[i]) {
			b.Errorf("deployment %d has the Order %d, the one before it %d", i, made[i].Order, made[i-1].Order)
		}
	}
	changed := made[1]
	changed.Order, changed.CommitSha = 99, "new"
	b.ok(b.s.UpdateDeployment(b.ctx, changed, anchor.Deploying))
	made[1].CommitSha = "new"

	newest := slices.Clone(made)
	slices.Reverse(newest)
	b.same(must(b.s.Deployments(b.ctx, p, anchor.Page{}))(b).Items, newest)
	b.same(b.pages(2, func(page anchor.Page) ([]string, string) {
		list := must(b.s.Deployments(b.ctx, p, page))(b)
		return keys(list.Items, deploymentKey), list.Next
	}), keys(newest, deploymentKey))
	b.same(must(b.s.Unfinished(b.ctx))(b), []anchor.Deployment{made[1], made[3]})
	b.same(must(b.s.Kept(b.ctx, p))(b), []anchor.Deployment{made[4], made[2], made[0]})
}

func numberDeployments(b bench) {
	p, other := b.project("shop").ID, b.project("other").ID
	first, second := b.deployment(p, anchor.Deploying), b.deployment(p, anchor.Deploying)
	one := must(b.s.Number(b.ctx, second.ID))(b)
	if two := must(b.s.Number(b.ctx, first.ID))(b); one < 1 || two <= one {
		b.Errorf("numbers %d and then %d do not grow from 1", one, two)
	}
	b.ok(b.s.UpdateDeployment(b.ctx, second, anchor.Deploying))
	b.same(must(b.s.Number(b.ctx, second.ID))(b), one)
	b.same(must(b.s.Number(b.ctx, b.deployment(other, anchor.Deploying).ID))(b), int64(1))

	const n = 30
	given := make([]int64, n)
	d := make([]anchor.Deployment, n/2)
	for i := range d {
		d[i] = b.deployment(p, anchor.Deploying)
	}
	b.race(n, func(i int) (err error) {
		given[i], err = b.s.Number(b.ctx, d[i/2].ID)
		return err
	})
	seen := map[int64]bool{}
	for i := range d {
		b.same(given[2*i], given[2*i+1])
		seen[given[2*i]] = true
	}
	b.same(len(seen), n/2)
}
