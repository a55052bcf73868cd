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
//
// A process that fails while it starts fails again, so the pauses after it apply to everybody. One
// that has served ended because of a request or of the machine: waiting visitors justify another
// process at once, and the pauses grow only while nobody waits.
type backoff struct {
	failures  int       // starts that failed in a row
	notBefore time.Time // no start before, even if visitors wait
	lastStart error     // the failure of the latest start, nil when it worked
	served    bool      // a start has worked before

	crashes  int       // in a row, of processes that had served for less than stableAfter
	urgent   time.Time // no start before, although visitors wait
	leisured time.Time // no start before while nobody waits
	timer    *time.Timer
}

// startFailed records that a process did not start.
func (b *backoff) startFailed(err error) {
	b.lastStart = err
	b.failures++
	b.notBefore = time.Now().Add(pauseAfter(b.failures))
}

// startWorked records that a process started.
func (b *backoff) startWorked() {
	b.lastStart, b.failures, b.served = nil, 0, true
}

// recordCrash records that a process ended by itself, or announced it, after uptime. The first crash is
// followed by a start at once.
func (b *backoff) recordCrash(uptime time.Duration) {
	if uptime >= stableAfter {
		b.crashes = 0
	}
	now := time.Now()
	if b.crashes > 0 {
		b.urgent, b.leisured = now.Add(firstBackoff), now.Add(pauseAfter(b.crashes))
	}
	b.crashes++
}

// pauseAfter returns how long to wait after the nth failure in a row.
func pauseAfter(n int) time.Duration { return min(firstBackoff<<min(n-1, 20), maxBackoff) }

// remainingPause returns for how long no process may be started. waiting says whether visitors wait for
// one.
func (b *backoff) remainingPause(waiting bool) time.Duration {
	until := b.leisured
	if waiting {
		until = b.urgent
	}
	return max(0, time.Until(b.notBefore), time.Until(until))
}

// scheduleRetry calls retry once after wait; a call that is already scheduled is replaced.
func (b *backoff) scheduleRetry(wait time.Duration, retry func()) {
	b.stop()
	b.timer = time.AfterFunc(wait, retry)
}

func (b *backoff) stop() {
	if b.timer != nil {
		b.timer.Stop()
	}
}

// hopelessReason returns the reason when waiting for a process makes no sense, else nil.
func (b *backoff) hopelessReason() error {
	if b.lastStart != nil && time.Until(b.notBefore) > patience {
		return b.lastStart
	}
	return nil
}
