package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/records"
)

func scanDeployment(row scanner) (d anchor.Deployment, err error) {
	var record []byte
	var order int64
	if err := row.Scan(&record, &order); err != nil {
		return d, err
	}
	err = json.Unmarshal(record, &d)
	d.Order = order
	return d, err
}

// CreateDeployment inserts d, durable on return. It returns a Conflict when its id is taken, and
// NotFound when its project does not exist or is being removed.
func (s *Store) CreateDeployment(ctx context.Context, d anchor.Deployment) error {
	return s.writeTx(ctx, "create the deployment", func(t tx) error {
		order, err := nextOrder(t, d.ProjectID)
		if err != nil {
			return err
		}
		d.Order = order
		return insertDeployment(t, d)
	})
}

// insertDeployment inserts d under its Order.
func insertDeployment(t tx, d anchor.Deployment) error {
	switch found, err := rowExists(t, `SELECT 1 FROM deployments WHERE id = ?`, d.ID); {
	case err != nil:
		return err
	case found:
		return records.IDTaken("deployment", string(d.ID))
	}
	record, err := json.Marshal(d)
	if err != nil {
		return err
	}
	_, err = t.execRows(`INSERT INTO deployments (id, project_id, accepted, record) VALUES (?, ?, ?, ?)`,
		d.ID, d.ProjectID, d.Order, string(record))
	if isUniqueViolation(err) { // another record has its place: the same release again
		return records.IDTaken("deployment", string(d.ID))
	}
	return err
}

// nextOrder returns the project's next place in the order of requests, or NotFound when the project
// does not exist or is being removed.
func nextOrder(t tx, p anchor.ProjectID) (order int64, err error) {
	if err := checkOwner(t, p); err != nil {
		return 0, err
	}
	return countOrder(t, p)
}

// countOrder is nextOrder for a project that exists, whether or not it is being removed.
func countOrder(t tx, p anchor.ProjectID) (order int64, err error) {
	err = t.queryRow(`UPDATE projects SET last_order = last_order + 1 WHERE id = ? RETURNING last_order`, p).Scan(&order)
	return order, err
}

// Deployment returns one deployment or NotFound.
func (s *Store) Deployment(ctx context.Context, id anchor.DeploymentID) (anchor.Deployment, error) {
	d, err := scanDeployment(s.hot.deployment.QueryRowContext(ctx, id))
	if errors.Is(err, sql.ErrNoRows) {
		return anchor.Deployment{}, records.NoDeployment(id)
	}
	return d, explainError("read the deployment", err)
}

// UpdateDeployment writes d if the stored status is from and d's status is from or a move from it;
// else it returns a Conflict. It returns NotFound when there is none with its id and project.
// Durable on return. Without a move, a second write changes nothing.
func (s *Store) UpdateDeployment(ctx context.Context, d anchor.Deployment, from anchor.Status) error {
	return s.writeTx(ctx, "update the deployment", func(t tx) error { return updateDeployment(t, d, from) })
}

func updateDeployment(t tx, d anchor.Deployment, from anchor.Status) error {
	var stored anchor.Status
	err := t.queryRow(`SELECT status FROM deployments WHERE id = ? AND project_id = ?`, d.ID, d.ProjectID).Scan(&stored)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return records.NoDeployment(d.ID)
	case err != nil:
		return err
	case stored != from:
		return records.StatusChanged(d.ID, stored, from)
	case d.Status != from && !from.CanMove(d.Status):
		return records.NoSuchMove(d.ID, from, d.Status)
	}
	record, err := json.Marshal(d)
	if err != nil {
		return err
	}
	_, err = t.execRows(`UPDATE deployments SET record = ? WHERE id = ?`, string(record), d.ID)
	return err
}

// Unfinished returns every deployment that has not ended, those of a project together
// and oldest first.
func (s *Store) Unfinished(ctx context.Context) ([]anchor.Deployment, error) {
	return queryAll(ctx, s.read, "list the unfinished deployments", scanDeployment,
		`SELECT record, accepted FROM deployments WHERE status IN ('queued', 'building', 'built', 'deploying')
			ORDER BY project_id, accepted`)
}

// Deployments lists the project's deployments, newest first. It returns Invalid for a malformed
// cursor. An unknown project has none.
func (s *Store) Deployments(ctx context.Context, p anchor.ProjectID, page anchor.Page) (anchor.List[anchor.Deployment], error) {
	before, err := records.BeforeOrder(page)
	if err != nil {
		return anchor.List[anchor.Deployment]{}, err
	}
	found, err := queryAll(ctx, s.read, "list the deployments", scanDeployment,
		`SELECT record, accepted FROM deployments WHERE project_id = ? AND accepted < ? ORDER BY accepted DESC LIMIT ?`, p, before, page.Size()+1)
	return records.Cut(found, page, records.DeploymentCursor), err
}

// Kept returns the project's deployments that can serve, newest first.
func (s *Store) Kept(ctx context.Context, p anchor.ProjectID) ([]anchor.Deployment, error) {
	return queryAll(ctx, s.read, "list the kept deployments", scanDeployment,
		`SELECT record, accepted FROM deployments WHERE project_id = ? AND serves ORDER BY accepted DESC`, p)
}

// Number returns the deployment's number within its project. Numbers start at 1 and grow with every
// deployment that asks; asked again, a deployment gets the same number. Durable on return. It
// returns NotFound when the deployment is unknown.
func (s *Store) Number(ctx context.Context, id anchor.DeploymentID) (number int64, err error) {
	err = s.writeTx(ctx, "number the deployment", func(t tx) error {
		var project anchor.ProjectID
		var given sql.NullInt64
		err := t.queryRow(`SELECT d.project_id, d.number, p.last_number + 1
			FROM deployments d JOIN projects p ON p.id = d.project_id WHERE d.id = ?`, id).Scan(&project, &given, &number)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return records.NoDeployment(id)
		case err != nil:
			return err
		case given.Valid:
			number = given.Int64
			return nil
		}
		return storeNumber(t, project, id, number)
	})
	if err != nil {
		return 0, err
	}
	return number, nil
}

func storeNumber(t tx, p anchor.ProjectID, id anchor.DeploymentID, number int64) error {
	if _, err := t.execRows(`UPDATE projects SET last_number = ? WHERE id = ?`, number, p); err != nil {
		return fmt.Errorf("count: %w", err)
	}
	_, err := t.execRows(`UPDATE deployments SET number = ? WHERE id = ?`, number, id)
	return err
}
