package dynamo

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// pause is the time between two tries of one call: longer each time, and of no
// fixed length, so that those who met do not meet again (full jitter).
type pause struct {
	what  string
	tries int
}

const (
	maxTries  = 12
	firstWait = 10 * time.Millisecond
	maxWait   = time.Second
)

// wait returns when to try again, or with the error that ends it.
func (p *pause) wait(ctx context.Context, cause error) error {
	if p.tries++; p.tries >= maxTries {
		return busy(p.what, cause)
	}
	longest := min(firstWait<<p.tries, maxWait)
	timer := time.NewTimer(time.Duration(rand.Int64N(int64(longest))))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", p.what, ctx.Err())
	}
}
