package deploy

import (
	"context"
	"sync"
)

// backgroundTasks runs the work that a pass leaves for after its end.
type backgroundTasks struct {
	sync.WaitGroup
	ctx context.Context // ends the waiting of the tasks
}

func (b *backgroundTasks) run(work func(context.Context)) {
	b.Go(func() { work(b.ctx) })
}
