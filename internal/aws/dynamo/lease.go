package dynamo

import (
	"context"
	"errors"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

const (
	holderAttr = "holder"
	tokenAttr  = "token"
	untilAttr  = "until" // Unix milliseconds
)

// Lease makes the caller, identified by holder, the only one to change the project's functions
// for ttl, from now by the caller's clock. It returns a Conflict "lease_held" while the project
// is leased, also by the same holder.
//
// renew extends the lease by ttl from the time of its call. It returns a Conflict "lease_lost"
// once somebody else has taken over an expired lease. release ends the lease, and succeeds when
// it was lost. Both compare the token of this one lease, a new ULID, so that they never affect
// another's. Lease does not check that the project exists: its functions outlive its records
// while they are removed.
func (s *Store) Lease(ctx context.Context, p anchor.ProjectID, holder string, ttl time.Duration) (renew, release func(context.Context) error, err error) {
	at, token := s.t.leaseKey(p), anchor.NewID()
	until := func() int64 { return s.now().Add(ttl).UnixMilli() }
	err = s.writeTransaction(ctx, "take the lease", change{
		at: at, put: item{holderAttr: stringValue(holder), tokenAttr: stringValue(token), untilAttr: numberValue(until())},
		when: notThere + " OR #until < :now", values: item{":now": numberValue(s.now().UnixMilli())},
		refused: func(held item) error {
			return anchor.Conflict("lease_held", "project %s is being changed by %s until %s", p, strOf(held, holderAttr),
				time.UnixMilli(numOf(held, untilAttr)).UTC().Format(time.RFC3339)).
				Hintf("Wait for it to end, then try again.")
		},
	})
	if err != nil {
		return nil, nil, err
	}
	own, ours := "#token = :token", item{":token": stringValue(token)}
	renew = func(ctx context.Context) error {
		return s.writeTransaction(ctx, "renew the lease", change{
			at: at, set: item{untilAttr: numberValue(until())}, when: own, values: ours,
			refused: func(held item) error {
				return anchor.Conflict("lease_lost", "the lease on project %s went to %q: %s took too long", p, strOf(held, holderAttr), holder).
					Hintf("Try again.")
			},
		})
	}
	release = func(ctx context.Context) error {
		err := s.writeTransaction(ctx, "release the lease", change{
			at: at, delete: true, when: own, values: ours, refused: refuseWith(errLost),
		})
		if errors.Is(err, errLost) {
			return nil
		}
		return err
	}
	return renew, release, nil
}

// errLost ends the release of a lease that is no longer held.
var errLost = errors.New("the lease is lost")

// deleteLease removes the project's lease if it has expired. The holder of a lease that is still
// held removes it.
func (s *Store) deleteLease(ctx context.Context, what string, p anchor.ProjectID) error {
	err := s.writeTransaction(ctx, what, change{
		at: s.t.leaseKey(p), delete: true, when: notThere + " OR #until < :now",
		values: item{":now": numberValue(s.now().UnixMilli())}, refused: refuseWith(errLost),
	})
	if errors.Is(err, errLost) {
		return nil
	}
	return err
}
