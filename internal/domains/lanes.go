package domains

import (
	"context"
	"errors"
	"sync"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// errInterrupted ends a check when a user's change of the same name takes precedence.
var errInterrupted = errors.New("the domain is being changed")

// lanes let one work on a hostname at a time: of two Ensures or an Ensure and a
// Release of one name, none may overlap.
type lanes struct {
	mu   sync.Mutex
	held map[anchor.HostnameID]*lane
}

type lane struct {
	interrupt context.CancelCauseFunc // nil when its holder is not to be interrupted
	free      chan struct{}           // closed when it is
}

// tryLane takes the lane for a check, unless it is taken. The context that it returns ends when a
// user's change wants the lane.
func (l *lanes) tryLane(ctx context.Context, id anchor.HostnameID) (_ context.Context, leave func(), ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held[id] != nil {
		return nil, nil, false
	}
	ctx, cancel := context.WithCancelCause(ctx)
	exit := l.enterLane(id, cancel)
	return ctx, func() { exit(); cancel(nil) }, true
}

// takeLane takes the lane for a user's change: it interrupts a check and waits for other changes.
func (l *lanes) takeLane(ctx context.Context, id anchor.HostnameID) (leave func(), err error) {
	for {
		l.mu.Lock()
		held := l.held[id]
		if held == nil {
			defer l.mu.Unlock()
			return l.enterLane(id, nil), nil
		}
		l.mu.Unlock()
		if held.interrupt != nil {
			held.interrupt(errInterrupted)
		}
		select {
		case <-held.free:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// enterLane is called with the lock held.
func (l *lanes) enterLane(id anchor.HostnameID, interrupt context.CancelCauseFunc) (leave func()) {
	if l.held == nil {
		l.held = map[anchor.HostnameID]*lane{}
	}
	own := &lane{interrupt: interrupt, free: make(chan struct{})}
	l.held[id] = own
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.held, id)
		close(own.free)
	}
}

// isBusy reports whether somebody is in the lane.
func (l *lanes) isBusy(id anchor.HostnameID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.held[id] != nil
}
