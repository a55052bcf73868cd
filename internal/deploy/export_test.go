package deploy

import (
	"context"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Closing reports whether the service has begun to close.
func (s *Service) Closing() bool { return s.lanes.ctx.Err() != nil }

// Watchers is how many deployments somebody watches.
func (s *Service) Watchers() int {
	s.notifier.mu.Lock()
	defer s.notifier.mu.Unlock()
	return len(s.notifier.watchers)
}

// Queued adds deployments whose Orders count up to a lane, the last one first, and returns the
// order in which it processed them.
func Queued(p anchor.ProjectID, ids []anchor.DeploymentID) []anchor.DeploymentID {
	var processed []anchor.DeploymentID
	held, all := make(chan struct{}), make(chan struct{})
	l := newLanes(1, func(_ context.Context, id anchor.DeploymentID) {
		<-held
		if id == "" {
			return
		}
		if processed = append(processed, id); len(processed) == len(ids) {
			close(all)
		}
	})
	defer l.close()
	l.add(anchor.Deployment{ProjectID: p})
	for i := len(ids) - 1; i >= 0; i-- {
		l.add(anchor.Deployment{ID: ids[i], ProjectID: p, Order: int64(i + 1)})
	}
	close(held)
	<-all
	return processed
}
