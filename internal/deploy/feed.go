package deploy

import (
	"sync"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// feed wakes those who watch a deployment's journal. It carries no events: who is
// woken reads the journal, so nothing is lost and nobody can be too slow.
type feed struct {
	mu    sync.Mutex
	bells map[anchor.DeploymentID]map[chan struct{}]bool
}

// listen gives a channel that rings after every wake of id, once for many that
// come close together, until stop is called.
func (f *feed) listen(id anchor.DeploymentID) (bell <-chan struct{}, stop func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.bells == nil {
		f.bells = map[anchor.DeploymentID]map[chan struct{}]bool{}
	}
	if f.bells[id] == nil {
		f.bells[id] = map[chan struct{}]bool{}
	}
	b := make(chan struct{}, 1)
	f.bells[id][b] = true
	return b, func() { f.forget(id, b) }
}

func (f *feed) forget(id anchor.DeploymentID, b chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.bells[id], b)
	if len(f.bells[id]) == 0 {
		delete(f.bells, id)
	}
}

func (f *feed) wake(id anchor.DeploymentID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for b := range f.bells[id] {
		select {
		case b <- struct{}{}:
		default: // rung already and not heard yet
		}
	}
}
