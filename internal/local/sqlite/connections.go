package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// keptDeliveries is how many deliveries of a project are remembered: a host repeats a delivery
// within days, and a repetition that is older than that finds its branch elsewhere.
const keptDeliveries = 1000

// PutConnection stores the project's connection and its sealed secrets, in place of the one before.
// Durable on return. It returns NotFound when the project does not exist or is being removed.
func (s *Store) PutConnection(ctx context.Context, p anchor.ProjectID, c anchor.Connection, sealed []byte) error {
	record, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return s.writeTx(ctx, "store the connection", func(t tx) error {
		if err := checkOwner(t, p); err != nil {
			return err
		}
		_, err := t.execRows(`INSERT INTO connections (project_id, record, sealed) VALUES (?, ?, ?)
			ON CONFLICT DO UPDATE SET record = excluded.record, sealed = excluded.sealed`, p, string(record), sealed)
		return err
	})
}

// ChangeConnection changes the stored connection in one transaction, durable on return. It returns
// NotFound without one.
func (s *Store) ChangeConnection(ctx context.Context, p anchor.ProjectID, change func(*anchor.Connection)) error {
	return s.writeTx(ctx, "change the connection", func(t tx) error {
		var record string
		var c anchor.Connection
		err := t.queryRow(`SELECT record FROM connections WHERE project_id = ?`, p).Scan(&record)
		if errors.Is(err, sql.ErrNoRows) {
			return notConnected()
		}
		if err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(record), &c); err != nil {
			return err
		}
		change(&c)
		changed, err := json.Marshal(c)
		if err != nil {
			return err
		}
		_, err = t.execRows(`UPDATE connections SET record = ? WHERE project_id = ?`, string(changed), p)
		return err
	})
}

// Connection returns the project's connection and its sealed secrets, NotFound without one.
func (s *Store) Connection(ctx context.Context, p anchor.ProjectID) (c anchor.Connection, sealed []byte, err error) {
	var record string
	err = s.read.QueryRowContext(ctx, `SELECT record, sealed FROM connections WHERE project_id = ?`, p).Scan(&record, &sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return c, nil, notConnected()
	}
	if err == nil {
		err = json.Unmarshal([]byte(record), &c)
	}
	return c, sealed, explainError("read the connection", err)
}

func notConnected() error {
	return anchor.NotFound("not_connected", "the project is not connected to a repository").
		Hintf("Connect it: anchor connect github (or gitlab, gitea, bitbucket, plain)")
}

// DeleteConnection removes the connection and what came through it, durable on return. It returns
// NotFound without one.
func (s *Store) DeleteConnection(ctx context.Context, p anchor.ProjectID) error {
	return s.writeTx(ctx, "remove the connection", func(t tx) error {
		for _, table := range []string{"deliveries", "pull_requests", "host_reports"} {
			if _, err := t.execRows(`DELETE FROM `+table+` WHERE project_id = ?`, p); err != nil {
				return err
			}
		}
		n, err := t.execRows(`DELETE FROM connections WHERE project_id = ?`, p)
		if err == nil && n == 0 {
			return notConnected()
		}
		return err
	})
}

// AddDelivery stores a delivery that waits to be processed, durable on return. added is false when
// the project has one of this id. The oldest processed ones beyond a thousand are removed.
func (s *Store) AddDelivery(ctx context.Context, d anchor.Delivery) (added bool, err error) {
	err = s.writeTx(ctx, "store a delivery", func(t tx) error {
		if err := checkOwner(t, d.ProjectID); err != nil {
			return err
		}
		n, err := t.execRows(`INSERT INTO deliveries (project_id, id, summary, events, received_at) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT DO NOTHING`, d.ProjectID, d.ID, d.Summary, d.Events, d.ReceivedAt)
		if added = n > 0; err != nil || !added {
			return err
		}
		_, err = t.execRows(`DELETE FROM deliveries WHERE project_id = ?1 AND outcome != '' AND seq <= (SELECT seq FROM deliveries
			WHERE project_id = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ?2)`, d.ProjectID, keptDeliveries)
		return err
	})
	return added, err
}

// EndDelivery records how a delivery ended, durable on return.
func (s *Store) EndDelivery(ctx context.Context, seq int64, outcome string) error {
	return s.writeTx(ctx, "record the outcome of a delivery", func(t tx) error {
		_, err := t.execRows(`UPDATE deliveries SET outcome = ? WHERE seq = ?`, outcome, seq)
		return err
	})
}

// WaitingDeliveries returns what has not been processed, of all projects, oldest first.
func (s *Store) WaitingDeliveries(ctx context.Context) ([]anchor.Delivery, error) {
	return queryAll(ctx, s.read, "list waiting deliveries", scanDelivery,
		`SELECT seq, project_id, id, summary, events, received_at, outcome FROM deliveries WHERE outcome = '' ORDER BY seq`)
}

// Deliveries returns the project's newest deliveries, newest first.
func (s *Store) Deliveries(ctx context.Context, p anchor.ProjectID, limit int) ([]anchor.Delivery, error) {
	return queryAll(ctx, s.read, "list deliveries", scanDelivery, `SELECT seq, project_id, id, summary, events, received_at, outcome
		FROM deliveries WHERE project_id = ? ORDER BY seq DESC LIMIT ?`, p, limit)
}

func scanDelivery(row scanner) (d anchor.Delivery, err error) {
	err = row.Scan(&d.Seq, &d.ProjectID, &d.ID, &d.Summary, &d.Events, &d.ReceivedAt, &d.Outcome)
	return d, err
}

// PutPullRequest stores what is known of a pull request, durable on return.
func (s *Store) PutPullRequest(ctx context.Context, p anchor.ProjectID, pull anchor.PullRequest) error {
	record, err := json.Marshal(pull)
	if err != nil {
		return err
	}
	return s.writeTx(ctx, "store a pull request", func(t tx) error {
		if err := checkOwner(t, p); err != nil {
			return err
		}
		_, err := t.execRows(`INSERT INTO pull_requests (project_id, number, comment, record) VALUES (?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET comment = excluded.comment, record = excluded.record`, p, pull.Number, pull.Comment, string(record))
		return err
	})
}

// PullRequests returns the project's pull requests, newest first.
func (s *Store) PullRequests(ctx context.Context, p anchor.ProjectID) ([]anchor.PullRequest, error) {
	return queryAll(ctx, s.read, "list pull requests", func(row scanner) (pull anchor.PullRequest, err error) {
		var record, comment string
		if err = row.Scan(&comment, &record); err == nil {
			err = json.Unmarshal([]byte(record), &pull)
		}
		pull.Comment = comment
		return pull, err
	}, `SELECT comment, record FROM pull_requests WHERE project_id = ? ORDER BY number DESC`, p)
}

// PutReport stores how far a deployment is reported to the host, durable on return. The oldest that
// are done beyond a thousand are removed.
func (s *Store) PutReport(ctx context.Context, p anchor.ProjectID, r anchor.HostReport) error {
	record, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return s.writeTx(ctx, "store a report to the host", func(t tx) error {
		if err := checkOwner(t, p); err != nil {
			return err
		}
		_, err := t.execRows(`INSERT INTO host_reports (project_id, deployment, done, record) VALUES (?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET done = excluded.done, record = excluded.record`, p, r.Deployment, r.Done, string(record))
		if err != nil {
			return err
		}
		_, err = t.execRows(`DELETE FROM host_reports WHERE project_id = ?1 AND done AND deployment <= (SELECT deployment FROM host_reports
			WHERE project_id = ?1 ORDER BY deployment DESC LIMIT 1 OFFSET ?2)`, p, keptDeliveries)
		return err
	})
}

// Reports returns the project's reports, newest first; with open only those that are not done.
func (s *Store) Reports(ctx context.Context, p anchor.ProjectID, open bool) ([]anchor.HostReport, error) {
	return queryAll(ctx, s.read, "list reports to the host", func(row scanner) (r anchor.HostReport, err error) {
		var record string
		if err = row.Scan(&record); err == nil {
			err = json.Unmarshal([]byte(record), &r)
		}
		return r, err
	}, `SELECT record FROM host_reports WHERE project_id = ? AND NOT (? AND done) ORDER BY deployment DESC LIMIT 1000`, p, open)
}

// Connected returns the projects that have a connection.
func (s *Store) Connected(ctx context.Context) ([]anchor.ProjectID, error) {
	return queryAll(ctx, s.read, "list connected projects", func(row scanner) (p anchor.ProjectID, err error) {
		err = row.Scan(&p)
		return p, err
	}, `SELECT project_id FROM connections ORDER BY project_id`)
}
