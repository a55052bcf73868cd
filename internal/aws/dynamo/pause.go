package dynamo

import (
	"context"
	"fmt"
	"time"

	"github.com/anchor-deploy/anchor/internal/retry"
)

// pause counts the attempts of one call and waits between them.
type pause struct {
	what  string
	tries int
}

var conflicts = retry.Policy{First: 20 * time.Millisecond, Longest: time.Second, Calls: 12}

// wait returns nil when it is time to try again, or the error that ends the attempts.
func (p *pause) wait(ctx context.Context, cause error) error {
	if p.tries++; p.tries >= conflicts.Calls {
		return errBusy(p.what, cause)
	}
	if conflicts.Pause(ctx, p.tries-1) != nil {
		return fmt.Errorf("%s: %w", p.what, ctx.Err())
	}
	return nil
}
