package dynamo

import (
	"context"
	"errors"
	"math"
	"sync"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/records"
)

// lastAttr holds the Seq of the journal's last event.
const lastAttr = "last"

// errMovedOn ends an attempt to use a Seq that is taken.
var errMovedOn = errors.New("the journal has changed")

// counts remembers the last Seq that this process saw of each deployment, so that an Append need
// not read it first. It may be behind, but never ahead.
type counts struct {
	sync.Mutex
	last map[anchor.DeploymentID]int64
}

// maxCounts bounds what is remembered. It exceeds the number of deployments that run at a time.
const maxCounts = 1000

func (c *counts) get(id anchor.DeploymentID) int64 {
	c.Lock()
	defer c.Unlock()
	return c.last[id]
}

func (c *counts) sawEvent(id anchor.DeploymentID, seq int64) {
	c.Lock()
	defer c.Unlock()
	if len(c.last) >= maxCounts {
		clear(c.last)
	}
	c.last[id] = max(seq, c.last[id])
}

// Append stores e under the next Seq of its deployment and returns it with that Seq, durable on
// return; NotFound. It is not idempotent. The count and the event are written together, so that
// there are no gaps. When another Append was faster, the refused write returns the stored count,
// and Append tries again.
func (s *Store) Append(ctx context.Context, e anchor.Event) (anchor.Event, error) {
	const what = "append to the journal"
	last := s.counts.get(e.DeploymentID)
	for {
		e.Seq = last + 1
		rec, err := encodeRecord(e)
		if err != nil {
			return anchor.Event{}, err
		}
		err = s.writeTransaction(ctx, what,
			change{at: s.t.journalKey(e.DeploymentID), set: item{lastAttr: numberValue(e.Seq)},
				when: "#last = :last", values: item{":last": numberValue(last)},
				refused: func(stored item) error {
					if stored == nil {
						return records.NoDeployment(e.DeploymentID)
					}
					last = numOf(stored, lastAttr)
					return errMovedOn
				}},
			change{at: s.t.eventKey(e.DeploymentID, e.Seq), put: item{recordAttr: rec}},
		)
		if err == nil {
			s.counts.sawEvent(e.DeploymentID, e.Seq)
			return e, nil
		}
		if !errors.Is(err, errMovedOn) {
			return anchor.Event{}, err
		}
		s.counts.sawEvent(e.DeploymentID, last)
	}
}

// Events returns the deployment's events with a Seq above after, in order. An unknown deployment
// has none.
func (s *Store) Events(ctx context.Context, id anchor.DeploymentID, after int64) ([]anchor.Event, error) {
	q := withPrefix(s.t.Deployments, ofDeployment(id), eventPrefix)
	q.from = eventPrefix + sortableNumber(min(max(after, 0), math.MaxInt64-1)+1)
	items, err := s.queryAll(ctx, "read the journal", q)
	if err != nil {
		return nil, err
	}
	return decodeRecords(items, decodeRecord[anchor.Event])
}
