package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Found is what the files of a project show about it when its records are lost.
type Found struct {
	Project     anchor.Project
	Deployments []FoundDeployment
	Live        anchor.Live // the zero value when it is not known
}

// FoundDeployment is a deployment with the sealed environment it is locked to, which is nil when it
// is not known.
type FoundDeployment struct {
	anchor.Deployment
	Sealed []byte
}

// Adopt adds to the records what they lack of a project, durable on return. Known records stay as
// they are; the live pointer moves only forward.
func (s *Store) Adopt(ctx context.Context, f Found) error {
	return s.writeTx(ctx, "add the project "+f.Project.Slug+" to the records", func(t tx) error {
		_, err := t.execRows(insertProject+` ON CONFLICT (id) DO NOTHING`, projectValues(f.Project)...)
		if err != nil {
			return err
		}
		slices.SortFunc(f.Deployments, func(a, b FoundDeployment) int { return a.Compare(b.Deployment) })
		for _, d := range f.Deployments {
			if err := adoptDeployment(t, d); err != nil {
				return err
			}
		}
		return adoptLive(t, f.Live)
	})
}

func adoptDeployment(t tx, d FoundDeployment) error {
	order, err := adoptOrder(t, d.Deployment)
	if err != nil {
		return err
	}
	record, err := json.Marshal(d.Deployment)
	if err != nil {
		return err
	}
	n, err := t.execRows(`INSERT INTO deployments (id, project_id, accepted, record) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`,
		d.ID, d.ProjectID, order, string(record))
	if err != nil || n == 0 {
		return err
	}
	if number, err := strconv.ParseInt(strings.TrimPrefix(d.Version, "v"), 10, 64); err == nil {
		if err := adoptNumber(t, d.ProjectID, d.ID, number); err != nil {
			return err
		}
	}
	if d.Sealed == nil {
		return nil
	}
	_, err = t.execRows(`INSERT INTO locked_env (deployment_id, sealed) VALUES (?, ?) ON CONFLICT DO NOTHING`, d.ID, d.Sealed)
	return err
}

// adoptOrder returns the deployment's own place in the order of requests when that is
// free, else the next one.
func adoptOrder(t tx, d anchor.Deployment) (int64, error) {
	taken, err := rowExists(t, `SELECT 1 FROM deployments WHERE project_id = ? AND accepted = ?`, d.ProjectID, d.Order)
	if err != nil {
		return 0, err
	}
	if taken || d.Order < 1 {
		return countOrder(t, d.ProjectID)
	}
	_, err = t.execRows(`UPDATE projects SET last_order = max(last_order, ?) WHERE id = ?`, d.Order, d.ProjectID)
	return d.Order, err
}

// adoptNumber keeps the number that the names of the deployment's versions contain.
func adoptNumber(t tx, p anchor.ProjectID, id anchor.DeploymentID, number int64) error {
	if _, err := t.execRows(`UPDATE projects SET last_number = max(last_number, ?) WHERE id = ?`, number, p); err != nil {
		return err
	}
	_, err := t.execRows(`UPDATE OR IGNORE deployments SET number = ? WHERE id = ?`, number, id)
	return err
}

func adoptLive(t tx, live anchor.Live) error {
	if live.Deployment == "" {
		return nil
	}
	var revision int64
	var from sql.NullString
	err := t.queryRow(`SELECT revision, deployment_id FROM releases WHERE project_id = ? ORDER BY revision DESC LIMIT 1`,
		live.ProjectID).Scan(&revision, &from)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if revision >= live.Revision {
		return nil
	}
	if _, err := t.execRows(`UPDATE projects SET last_order = max(last_order, ?) WHERE id = ?`, live.Order, live.ProjectID); err != nil {
		return err
	}
	return insertRelease(t, anchor.Release{
		ID: anchor.ReleaseID(anchor.NewID()), ProjectID: live.ProjectID, Kind: anchor.ReleasePromote,
		Deployment: live.Deployment, From: anchor.DeploymentID(from.String), Record: live.Deployment,
		Version: live.Version, CreatedAt: time.Now().UnixMilli(), Revision: live.Revision, Order: live.Order,
	})
}
