package worker

import "time"

const (
	firstBackoff = 200 * time.Millisecond
	maxBackoff   = 30 * time.Second
	// A process that lived this long did not fail because of how it starts.
	stableAfter = 10 * time.Second
	// A request is refused at once, not queued, when nothing can start for longer than this.
	patience = time.Second
)

// backoff spaces out starts after failures. It is guarded by Pool.mu.
type backoff struct {
	failures  int
	notBefore time.Time
	lastStart error // the failure of the latest start, nil when it worked
	timer     *time.Timer
}

// startFailed notes that a process did not come up.
func (b *backoff) startFailed(err error) {
	b.lastStart = err
	b.fail()
}

// crashed notes that a process ended by itself after uptime. The first crash is followed by a start at once.
func (b *backoff) crashed(uptime time.Duration) time.Duration {
	if uptime >= stableAfter {
		b.failures = 0
	}
	if b.failures == 0 {
		b.failures = 1
		b.notBefore = time.Time{}
		return 0
	}
	b.fail()
	return b.remaining().Round(time.Millisecond)
}

func (b *backoff) fail() {
	b.failures++
	wait := min(firstBackoff<<min(b.failures-1, 20), maxBackoff)
	b.notBefore = time.Now().Add(wait)
}

// remaining is how long no process may be started.
func (b *backoff) remaining() time.Duration { return max(0, time.Until(b.notBefore)) }

// schedule calls retry once after wait; a call that is already scheduled is replaced.
func (b *backoff) schedule(wait time.Duration, retry func()) {
	b.stop()
	b.timer = time.AfterFunc(wait, retry)
}

func (b *backoff) stop() {
	if b.timer != nil {
		b.timer.Stop()
	}
}

// hopeless returns the reason when it makes no sense to wait for a process.
func (b *backoff) hopeless() error {
	if b.lastStart != nil && b.remaining() > patience {
		return b.lastStart
	}
	return nil
}
