package app

import (
	"context"
	"time"
)

// houseEvery is how often abandoned uploads and unused file contents are looked
// for; unused is the age at which a content that no deployment names goes.
const (
	houseEvery = time.Hour
	unused     = 24 * time.Hour
)

// keepHouse gives back what nobody will ask for any more, now and every hour.
func (a *app) keepHouse() {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	a.onClose(func() error { stop(); <-done; return nil })
	go func() {
		defer close(done)
		again := time.NewTicker(houseEvery)
		defer again.Stop()
		for {
			a.tidy(ctx)
			select {
			case <-again.C:
			case <-ctx.Done():
				return
			}
		}
	}()
}

func (a *app) tidy(ctx context.Context) {
	if err := a.deploys.Resume(ctx); err != nil && ctx.Err() == nil {
		a.Log.Error("look for abandoned uploads", "error", err)
	}
	freed, err := a.bundles.Collect(ctx, unused)
	if err != nil && ctx.Err() == nil {
		a.Log.Error("collect unused file contents", "error", err)
	}
	if freed > 0 {
		a.Log.Info("collected unused file contents", "bytes", freed)
	}
}
