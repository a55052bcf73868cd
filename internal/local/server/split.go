package server

import (
	"context"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/local/edge/meter"
	"github.com/anchor-deploy/anchor/internal/release"
	"github.com/anchor-deploy/anchor/internal/release/guard"
)

// splitEvery is the time between two looks at the projects whose traffic is divided.
const splitEvery = time.Second

func (a *app) openShifter() {
	a.watch = &release.Watch{Count: a.countAnswers, Bounds: meter.Bounds[:]}
	a.core.Releases.OnSplit = a.watch.Begin
	a.shifter = &release.Shifter{Releases: a.core.Releases, Observer: a.watch, Log: a.Log}
}

// runShifter takes the steps of splits until ctx ends.
func (a *app) runShifter(ctx context.Context) {
	tick := time.NewTicker(splitEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		splits := a.platform.Splits()
		a.watch.Forget(splits)
		a.shifter.Tick(ctx, splits)
	}
}

// countAnswers returns what the functions of a deployment have answered since its site was opened. Files and stored
// answers would hide how often a function fails.
func (a *app) countAnswers(id anchor.DeploymentID) guard.Counts {
	samples, brokenOff := a.platform.Answered(id)
	counts := guard.Counts{Errors: brokenOff, Durations: make([]int64, len(meter.Bounds)+1)}
	for i := range samples {
		s := &samples[i]
		failed := s.Class == 5
		switch s.Outcome {
		case meter.Miss, meter.Dynamic:
		default:
			if !failed {
				continue
			}
		}
		n := int64(s.Durations.Total())
		counts.Requests += n
		if failed {
			counts.Errors += n
		}
		for b, count := range s.Durations.Buckets {
			counts.Durations[b] += int64(count)
		}
	}
	return counts
}
