package recordstest

import (
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

var journalTests = []test{
	{"return events whole and in order", func(b bench) {
		d := b.deployment(b.project("shop").ID, anchor.Queued)
		other := b.deployment(d.ProjectID, anchor.Queued)
		var want []anchor.Event
		for i := range 40 {
			var e anchor.Event
			fill(&e)
			e.DeploymentID = d.ID
			got := must(b.s.Append(b.ctx, e))(b)
			e.Seq = int64(i + 1)
			b.same(got, e)
			want = append(want, e)
		}
		b.same(must(b.s.Append(b.ctx, anchor.Event{DeploymentID: other.ID}))(b).Seq, int64(1))
		b.same(must(b.s.Events(b.ctx, d.ID, 0))(b), want)
		b.same(must(b.s.Events(b.ctx, d.ID, 30))(b), want[30:])
		b.same(must(b.s.Events(b.ctx, d.ID, 40))(b), []anchor.Event{})
	}},
	{"is of deployments there are", func(b bench) {
		_, err := b.s.Append(b.ctx, anchor.Event{DeploymentID: "unknown"})
		b.is(err, anchor.KindNotFound, "unknown_deployment")
		b.same(must(b.s.Events(b.ctx, "unknown", 0))(b), []anchor.Event{})
	}},
	{"counts without gaps when many write", func(b bench) {
		const writers = 50
		d := b.deployment(b.project("shop").ID, anchor.Queued)
		won := b.race(writers, func(int) error {
			_, err := b.s.Append(b.ctx, anchor.Event{DeploymentID: d.ID})
			return err
		})
		b.same(won, writers)
		for i, e := range must(b.s.Events(b.ctx, d.ID, 0))(b) {
			b.same(e.Seq, int64(i+1))
		}
	}},
	{"holds large values", func(b bench) {
		d := b.deployment(b.project("shop").ID, anchor.Queued)
		e := must(b.s.Append(b.ctx, anchor.Event{DeploymentID: d.ID, Message: strings.Repeat("x", 128<<10)}))(b)
		b.same(must(b.s.Events(b.ctx, d.ID, 0))(b), []anchor.Event{e})
	}},
}
