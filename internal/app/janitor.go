package app

import (
	"context"
	"time"
)

// sweepEvery is how often the janitor comes by. What it reclaims is no hurry.
const sweepEvery = time.Hour

// janitor reclaims what crashes and abandoned uploads left, now and every hour,
// until ctx ends.
func (a *app) janitor(ctx context.Context) {
	for tick := time.NewTicker(sweepEvery); ; {
		if err := a.deploys.Resume(ctx); err != nil && ctx.Err() == nil {
			a.Log.Error("look for abandoned uploads", "error", err)
		}
		if err := a.platform.Sweep(ctx); err != nil && ctx.Err() == nil {
			a.Log.Error("sweep the data folder", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			tick.Stop()
			return
		}
	}
}
