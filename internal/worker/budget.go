package worker

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Budget bounds the processes of several pools together. A pool that needs one more than
// there are places gets that of the process that has been idle for longest, or waits until
// one is idle. A nil Budget bounds nothing.
type Budget struct {
	max int

	mu       sync.Mutex // taken after a pool's, never before
	used     int
	waiting  int // starts that have no place
	yielding int // processes that were told to end for them
	pools    []*Pool
	changed  chan struct{} // closed and replaced when a place may be had
}

// NewBudget returns a budget of max processes.
func NewBudget(max int) *Budget {
	return &Budget{max: max, changed: make(chan struct{})}
}

func (b *Budget) join(p *Pool) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pools = append(b.pools, p)
}

func (b *Budget) leave(p *Pool) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pools = slices.DeleteFunc(b.pools, func(other *Pool) bool { return other == p })
}

// take returns when p may start a process, or ErrClosed when ctx ends. The place is given
// back with free.
func (b *Budget) take(ctx context.Context, p *Pool) error {
	if b == nil {
		return nil
	}
	b.mu.Lock()
	b.waiting++
	defer func() { b.waiting--; b.mu.Unlock() }()
	for b.used >= b.max {
		changed, shed := b.changed, b.yielding < b.waiting
		pools := slices.Clone(b.pools)
		b.mu.Unlock()
		if shed {
			b.shed(p, pools)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			b.mu.Lock()
			return ErrClosed
		}
		b.mu.Lock()
	}
	b.used++
	return nil
}

// free gives back the place of a process that is gone.
func (b *Budget) free() {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used--
	b.yielding = max(0, b.yielding-1)
	b.tell()
}

// idle says that a process has become idle.
func (b *Budget) idle() {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.waiting > 0 {
		b.tell()
	}
}

func (b *Budget) tell() {
	close(b.changed)
	b.changed = make(chan struct{})
}

// shed ends the process, of another pool than p, that has been idle for longest.
func (b *Budget) shed(p *Pool, pools []*Pool) {
	var longest *Pool
	var since time.Time
	for _, other := range pools {
		if other == p {
			continue
		}
		if at, ok := other.idleSince(); ok && (longest == nil || at.Before(since)) {
			longest, since = other, at
		}
	}
	if longest == nil || !longest.shed() {
		return
	}
	b.mu.Lock()
	b.yielding++
	b.mu.Unlock()
}

// idleSince returns since when the process is idle that the pool can do without.
func (p *Pool) idleSince() (time.Time, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if pr := p.spare(); pr != nil {
		return pr.idleSince, true
	}
	return time.Time{}, false
}

// shed ends that process.
func (p *Pool) shed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	pr := p.spare()
	if pr != nil {
		p.retire(p.ctx, pr)
	}
	return pr != nil
}

// spare is the process above the minimum that has been idle for longest. Callers hold mu.
func (p *Pool) spare() *process {
	if p.closed || p.draining || len(p.procs) <= p.min {
		return nil
	}
	var spare *process
	for _, pr := range p.procs {
		if pr.inFlight == 0 && (spare == nil || pr.idleSince.Before(spare.idleSince)) {
			spare = pr
		}
	}
	return spare
}
