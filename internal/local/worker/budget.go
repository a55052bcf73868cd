package worker

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Budget bounds the processes of several pools together. When all places are taken, a pool that
// needs another process waits for one. Pools without any process come first. Meanwhile the process
// that has been idle for longest ends; for a pool without a process, a busy one also ends after its
// requests, in a pool that has several. A nil Budget bounds nothing.
type Budget struct {
	max int

	mu      sync.Mutex // taken after a pool's, never before
	used    int
	claims  []*claim // starts that have no place, oldest first
	pools   []*Pool
	changed chan struct{} // closed and replaced when a place may be free
}

// claim is a start that waits for a place.
type claim struct {
	pool  *Pool
	bare  bool      // the pool has no process; guarded by Budget.mu
	asked time.Time // when a process was last asked to make room for it
}

// askAgain is how long a process that was asked to make room may take before another one is asked,
// too. Its background work may last for minutes.
const askAgain = time.Second

// NewBudget returns a budget of max processes.
func NewBudget(max int) *Budget {
	return &Budget{max: max, changed: make(chan struct{})}
}

func (b *Budget) joinPool(p *Pool) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pools = append(b.pools, p)
}

func (b *Budget) leavePool(p *Pool) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pools = slices.DeleteFunc(b.pools, func(other *Pool) bool { return other == p })
}

// takePlace returns nil when p may start a process, and ErrClosed when ctx ends. Return the place with
// free.
func (b *Budget) takePlace(ctx context.Context, p *Pool) error {
	if b == nil {
		return nil
	}
	c := &claim{pool: p}
	b.mu.Lock()
	b.claims = append(b.claims, c)
	b.mu.Unlock()
	defer b.withdrawClaim(c)
	again := time.NewTicker(askAgain)
	defer again.Stop()
	for {
		taken, changed := b.tryPlace(c, p.isBare())
		if taken {
			return nil
		}
		if time.Since(c.asked) >= askAgain && b.makeRoom(c) {
			c.asked = time.Now()
		}
		select {
		case <-changed:
		case <-again.C:
		case <-ctx.Done():
			return ErrClosed
		}
	}
}

// tryPlace takes a place for c if there is one and it is c's turn. Otherwise changed is closed when that
// may have changed.
func (b *Budget) tryPlace(c *claim, bare bool) (taken bool, changed <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c.bare = bare
	if b.used >= b.max || b.next() != c {
		return false, b.changed
	}
	b.used++
	return true, nil
}

// next returns the claim that gets the next place. Callers hold mu.
func (b *Budget) next() *claim {
	for _, c := range b.claims {
		if c.bare {
			return c
		}
	}
	return b.claims[0]
}

func (b *Budget) withdrawClaim(c *claim) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.claims = slices.DeleteFunc(b.claims, func(other *claim) bool { return other == c })
	b.tellWaiters() // it is another's turn
}

// freePlace returns the place of a process that is gone.
func (b *Budget) freePlace() {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used--
	b.tellWaiters()
}

// notifyIdle reports that a process has become idle.
func (b *Budget) notifyIdle() {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.claims) > 0 {
		b.tellWaiters()
	}
}

func (b *Budget) tellWaiters() {
	close(b.changed)
	b.changed = make(chan struct{})
}

// makeRoom makes one process of another pool end for c, and reports whether there was one.
func (b *Budget) makeRoom(c *claim) bool {
	b.mu.Lock()
	others := slices.DeleteFunc(slices.Clone(b.pools), func(p *Pool) bool { return p == c.pool })
	bare := c.bare
	b.mu.Unlock()
	return endIdle(others) || bare && endBusy(others)
}

// endIdle ends the process that has been idle for longest.
func endIdle(pools []*Pool) bool {
	var longest *Pool
	var since time.Time
	for _, p := range pools {
		if at, ok := p.idleSince(); ok && (longest == nil || at.Before(since)) {
			longest, since = p, at
		}
	}
	return longest != nil && longest.shedSpare()
}

// endBusy makes a process of the largest pool end once its requests have ended.
func endBusy(pools []*Pool) bool {
	var largest *Pool
	most := 1
	for _, p := range pools {
		if n := p.ableCount(); n > most {
			largest, most = p, n
		}
	}
	return largest != nil && largest.yieldOne()
}

// isBare reports whether the pool has no process that takes requests.
func (p *Pool) isBare() bool { return p.ableCount() == 0 }

func (p *Pool) ableCount() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.countProcesses((*process).isAble)
}

// yieldOne stops sending new requests to the process with the fewest in flight, unless it is the
// only one, and stops it when those have ended.
func (p *Pool) yieldOne() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.draining || p.countProcesses((*process).isAble) < 2 {
		return false
	}
	p.yieldLeast()
	return true
}

// yieldLeast is yieldOne for a pool that has two. Callers hold mu.
func (p *Pool) yieldLeast() {
	var least *process
	for _, pr := range p.procs {
		if pr.isAble() && (least == nil || pr.inFlight <= least.inFlight) { // of two equals the younger
			least = pr
		}
	}
	least.yielding = true
	p.dismissLeaving()
}

// idleSince returns since when the process that the pool can spare has been idle.
func (p *Pool) idleSince() (time.Time, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if pr := p.spareProcess(); pr != nil {
		return pr.idleSince, true
	}
	return time.Time{}, false
}

// shedSpare ends that process.
func (p *Pool) shedSpare() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	pr := p.spareProcess()
	if pr != nil {
		p.retireProcess(p.ctx, pr)
	}
	return pr != nil
}

// spareProcess returns the process above the minimum that has been idle for longest. Callers hold mu.
func (p *Pool) spareProcess() *process {
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
