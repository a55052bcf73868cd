package builder

import (
	"context"
	"iter"
	"math"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Lines yields what a build printed, oldest line first. With follow it yields the lines to come, too,
// until the build's deployment has ended.
func (b *Builder) Lines(ctx context.Context, p anchor.ProjectID, id anchor.DeploymentID, follow bool) iter.Seq2[anchor.LogLine, error] {
	if running, found := b.jobs.Load(id); found {
		j := running.(*job)
		if follow {
			return j.output.follow(ctx)
		}
	}
	return b.logs.Last(ctx, p, anchor.LogFilter{Deployment: id}, math.MaxInt32)
}
