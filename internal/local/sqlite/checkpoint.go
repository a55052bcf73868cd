package sqlite

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
)

// What is written goes to the write-ahead log, and from time to time from there to the file. SQLite does
// that within the commit that makes the log long, which then waits for the disk several times instead of once. Here
// another connection does it, beside the writes (PASSIVE: it waits for nobody and nobody waits for it). SQLite's own
// comes only when that is not enough.
const (
	checkpointEvery = 64     // writes
	checkpointAt    = "8000" // pages of the log; SQLite's default is 1000
)

// checkpoints moves the log to the file.
type checkpoints struct {
	writes atomic.Int64
	due    chan struct{}
	cancel context.CancelFunc
	tasks  sync.WaitGroup
}

func (c *checkpoints) begin(s *Store) {
	var ctx context.Context
	ctx, c.cancel = context.WithCancel(context.Background())
	c.due = make(chan struct{}, 1)
	c.tasks.Go(func() {
		for {
			select {
			case <-c.due:
				if err := s.checkpoint(ctx); err != nil && ctx.Err() == nil {
					slog.Warn("move the log of the records to their file; SQLite does it later", "error", err)
				}
			case <-ctx.Done():
				return
			}
		}
	})
}

func (s *Store) checkpoint(ctx context.Context) error {
	_, err := s.copies.ExecContext(ctx, "PRAGMA wal_checkpoint(PASSIVE)")
	return err
}

// note counts a write.
func (c *checkpoints) note() {
	if c.writes.Add(1)%checkpointEvery != 0 {
		return
	}
	select {
	case c.due <- struct{}{}:
	default:
	}
}

func (c *checkpoints) end() {
	if c.cancel != nil {
		c.cancel()
		c.tasks.Wait()
	}
}
