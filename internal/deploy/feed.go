package deploy

import (
	"sync"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// feed wakes those who watch a deployment's journal. It carries no events: who is
// woken reads the journal, so nothing is lost and nobody can be too slow.
type feed struct {
	mu    sync.Mutex
	bells map[anchor.DeploymentID]chan struct{}
}

// bell gives a channel that closes at the next wake of id.
func (f *feed) bell(id anchor.DeploymentID) <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.bells == nil {
		f.bells = map[anchor.DeploymentID]chan struct{}{}
	}
	b := f.bells[id]
	if b == nil {
		b = make(chan struct{})
		f.bells[id] = b
	}
	return b
}

func (f *feed) wake(id anchor.DeploymentID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if b := f.bells[id]; b != nil {
		close(b)
		delete(f.bells, id)
	}
}
