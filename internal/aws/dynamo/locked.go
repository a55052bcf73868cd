package dynamo

import (
	"context"
	"errors"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/records"
)

// errLocked ends an attempt to lock an environment that is locked.
var errLocked = errors.New("it is already locked")

// LockEnv stores sealed as the deployment's environment unless one is stored, and returns the
// stored one. Durable on return; NotFound when the deployment is unknown.
func (s *Store) LockEnv(ctx context.Context, id anchor.DeploymentID, sealed []byte) ([]byte, error) {
	stored := sealed
	err := s.writeTransaction(ctx, "lock the environment",
		change{at: s.t.recordKey(id), when: isThere, refused: refuseWith(records.NoDeployment(id))},
		change{at: s.t.lockedEnv(id), put: item{sealedAttr: bytesValue(sealed)}, when: notThere, refused: func(have item) error {
			stored = binOf(have, sealedAttr)
			return errLocked
		}},
	)
	if err != nil && !errors.Is(err, errLocked) {
		return nil, err
	}
	return stored, nil
}

// LockedEnv returns what LockEnv stored, or NotFound before.
func (s *Store) LockedEnv(ctx context.Context, id anchor.DeploymentID) ([]byte, error) {
	it, err := s.getItem(ctx, "read the locked environment", s.t.lockedEnv(id))
	switch {
	case err != nil:
		return nil, err
	case it == nil:
		return nil, records.NotLocked(id)
	}
	return binOf(it, sealedAttr), nil
}
