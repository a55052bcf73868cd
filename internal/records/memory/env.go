package memory

import (
	"bytes"
	"context"
	"maps"
	"slices"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/records"
)

// PutEnv sets all of vars or is NotFound.
func (s *Store) PutEnv(ctx context.Context, p anchor.ProjectID, vars []anchor.EnvVar) error {
	return changeWithFault(ctx, s, "PutEnv", func() error {
		if err := s.checkOwner(p); err != nil {
			return err
		}
		if s.env[p] == nil {
			s.env[p] = map[anchor.EnvSlot]anchor.EnvVar{}
		}
		for _, v := range vars {
			s.env[p][v.Slot()] = v
		}
		return nil
	})
}

// EnvRows returns the project's variables, by slot.
func (s *Store) EnvRows(ctx context.Context, p anchor.ProjectID) ([]anchor.EnvVar, error) {
	return callWithFault(ctx, s, "EnvRows", func() ([]anchor.EnvVar, error) {
		found := slices.AppendSeq([]anchor.EnvVar{}, maps.Values(s.env[p]))
		slices.SortFunc(found, func(a, b anchor.EnvVar) int { return a.Slot().Compare(b.Slot()) })
		return found, nil
	})
}

// DeleteEnv removes a variable, or is NotFound.
func (s *Store) DeleteEnv(ctx context.Context, p anchor.ProjectID, slot anchor.EnvSlot) error {
	return changeWithFault(ctx, s, "DeleteEnv", func() error {
		if _, found := s.env[p][slot]; !found {
			return records.NoEnv(slot)
		}
		delete(s.env[p], slot)
		return nil
	})
}

// LockEnv stores sealed for the deployment unless there is one and returns what is
// stored, or is NotFound.
func (s *Store) LockEnv(ctx context.Context, id anchor.DeploymentID, sealed []byte) ([]byte, error) {
	return callWithFault(ctx, s, "LockEnv", func() ([]byte, error) {
		if _, found := s.deployments[id]; !found {
			return nil, records.NoDeployment(id)
		}
		if _, found := s.locked[id]; !found {
			s.locked[id] = bytes.Clone(sealed)
		}
		return bytes.Clone(s.locked[id]), nil
	})
}

// LockedEnv returns what LockEnv stored, NotFound before.
func (s *Store) LockedEnv(ctx context.Context, id anchor.DeploymentID) ([]byte, error) {
	return callWithFault(ctx, s, "LockedEnv", func() ([]byte, error) {
		sealed, found := s.locked[id]
		if !found {
			return nil, records.NotLocked(id)
		}
		return bytes.Clone(sealed), nil
	})
}
