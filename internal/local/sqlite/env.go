package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/records"
)

// PutEnv sets all of vars, whose Values are sealed, or none; at most 100 at once. A slot set before
// gets the new value and phase. Idempotent, durable on return. It returns NotFound when the project
// does not exist or is being removed.
func (s *Store) PutEnv(ctx context.Context, p anchor.ProjectID, vars []anchor.EnvVar) error {
	return s.writeTx(ctx, "set the environment", func(t tx) error {
		if err := checkOwner(t, p); err != nil {
			return err
		}
		for _, v := range vars {
			_, err := t.execRows(`INSERT INTO env (project_id, name, environment, branch, phase, sealed, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?)
				ON CONFLICT DO UPDATE SET phase = excluded.phase, sealed = excluded.sealed, updated_at = excluded.updated_at`,
				p, v.Name, v.Environment, v.Branch, v.For, []byte(v.Value), v.UpdatedAt)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// EnvRows returns the project's variables with their sealed Values, by slot. An unknown project has
// none.
func (s *Store) EnvRows(ctx context.Context, p anchor.ProjectID) ([]anchor.EnvVar, error) {
	return queryAll(ctx, s.read, "read the environment", func(row scanner) (v anchor.EnvVar, err error) {
		err = row.Scan(&v.Name, &v.Environment, &v.Branch, &v.For, &v.Value, &v.UpdatedAt)
		return v, err
	}, `SELECT name, environment, branch, phase, sealed, updated_at FROM env WHERE project_id = ? ORDER BY name, environment, branch`, p)
}

// DeleteEnv removes a variable, durable on return. It returns NotFound when the project has none in
// that slot.
func (s *Store) DeleteEnv(ctx context.Context, p anchor.ProjectID, slot anchor.EnvSlot) error {
	return s.writeTx(ctx, "remove the variable", func(t tx) error {
		n, err := t.execRows(`DELETE FROM env WHERE project_id = ? AND name = ? AND environment = ? AND branch = ?`,
			p, slot.Name, slot.Environment, slot.Branch)
		if err == nil && n == 0 {
			return records.NoEnv(slot)
		}
		return err
	})
}

// LockEnv stores sealed as the deployment's environment unless there is one, and returns what is
// stored. Durable on return. It returns NotFound when the deployment is unknown.
func (s *Store) LockEnv(ctx context.Context, id anchor.DeploymentID, sealed []byte) (stored []byte, err error) {
	err = s.writeTx(ctx, "lock the environment", func(t tx) error {
		_, err := t.execRows(`INSERT INTO locked_env (deployment_id, sealed) VALUES (?, ?) ON CONFLICT DO NOTHING`, id, sealed)
		if isForeignKeyViolation(err) {
			return records.NoDeployment(id)
		}
		if err != nil {
			return err
		}
		return t.queryRow(`SELECT sealed FROM locked_env WHERE deployment_id = ?`, id).Scan(&stored)
	})
	if err != nil {
		return nil, err
	}
	return stored, nil
}

// LockedEnv returns what LockEnv stored, or NotFound when it stored nothing.
func (s *Store) LockedEnv(ctx context.Context, id anchor.DeploymentID) (sealed []byte, err error) {
	err = s.read.QueryRowContext(ctx, `SELECT sealed FROM locked_env WHERE deployment_id = ?`, id).Scan(&sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, records.NotLocked(id)
	}
	return sealed, explainError("read the locked environment", err)
}
