package deploy

import (
	"sync"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// notifier wakes the watchers of a deployment's journal. It carries no events: a watcher
// that is woken reads the journal, so no event is lost and no watcher can be too slow.
type notifier struct {
	mu       sync.Mutex
	watchers map[anchor.DeploymentID]map[chan struct{}]bool
}

// listenFor returns a channel that receives after every wake of id, once for several that
// come close together, until stop is called.
func (n *notifier) listenFor(id anchor.DeploymentID) (updates <-chan struct{}, stop func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.watchers == nil {
		n.watchers = map[anchor.DeploymentID]map[chan struct{}]bool{}
	}
	if n.watchers[id] == nil {
		n.watchers[id] = map[chan struct{}]bool{}
	}
	c := make(chan struct{}, 1)
	n.watchers[id][c] = true
	return c, func() { n.forgetListener(id, c) }
}

func (n *notifier) forgetListener(id anchor.DeploymentID, c chan struct{}) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.watchers[id], c)
	if len(n.watchers[id]) == 0 {
		delete(n.watchers, id)
	}
}

func (n *notifier) wakeListeners(id anchor.DeploymentID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for c := range n.watchers[id] {
		select {
		case c <- struct{}{}:
		default: // an update waits already
		}
	}
}
