package deploy

import (
	"context"
	"sync"
)

// aside runs what a pass leaves to be done after it.
type aside struct {
	sync.WaitGroup
	ctx context.Context // ends the waiting of what runs
}

func (a *aside) run(work func(context.Context)) { a.Go(func() { work(a.ctx) }) }
