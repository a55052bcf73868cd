package domains

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// The pace of checks. A delay that grows by a fifth each time is a fifth of all the time
// waited: 10 s at first, 6 min after half an hour, 6 h after a day and more.
const (
	firstDelay   = 10 * time.Second
	firstPoll    = 2 * time.Second // of an order that is under way
	firstRefused = 5 * time.Minute // after the CA refused: it counts failures
	longestDelay = 6 * time.Hour
	growth       = 1.2
	longestWatch = 12 * time.Hour // between two looks at a name that is well
	lease        = 3 * time.Minute

	longestAsk    = 30 * time.Second
	longestOrder  = time.Minute
	longestAttach = 20 * time.Second
	longestLook   = 2 * time.Minute // more than these together, less than the lease
)

// retryDelay returns the pause before the next try, after that many attempts.
func retryDelay(first time.Duration, attempts int) time.Duration {
	d := float64(first) * math.Pow(growth, float64(min(max(attempts, 0), 100)))
	return addJitter(time.Duration(min(d, float64(longestDelay))))
}

// addJitter spreads what began at once: up to a fifth off.
func addJitter(d time.Duration) time.Duration {
	return d - time.Duration(rand.Int64N(int64(d)/5+1))
}

// nextWatchDelay returns the time until the next check of an active name. It is short enough that
// several checks fall into the last sixth of its certificate's life.
func nextWatchDelay(h anchor.Hostname, now time.Time) time.Duration {
	if h.NotAfter == 0 {
		return addJitter(longestWatch)
	}
	left := time.UnixMilli(h.NotAfter).Sub(now)
	return addJitter(min(max(left/6, time.Minute), longestWatch))
}

// claimCheck marks the hostname as being checked: no other process takes it for a while, and if this
// process dies, another takes it after that.
func claimCheck(h anchor.Hostname, now time.Time) anchor.Hostname {
	h.UpdatedAt = now.UnixMilli()
	h.NextCheck = h.UpdatedAt + lease.Milliseconds()
	return h
}

// isClaimed reports whether the last write was a claim. A different delay of exactly the lease
// costs one early check.
func isClaimed(h anchor.Hostname) bool { return h.NextCheck-h.UpdatedAt == lease.Milliseconds() }
