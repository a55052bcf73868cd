package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/records"
)

const (
	liveOfProject = `SELECT ` + liveColumns + ` FROM releases r WHERE project_id = ?
		AND NOT EXISTS (SELECT 1 FROM projects p WHERE p.id = r.project_id AND p.removing) ORDER BY revision DESC LIMIT 1`
	liveColumns    = `r.project_id, r.deployment_id, r.record_id, r.version, r.id, r.accepted, r.revision, r.force_reload, r.divided_since, r.split`
	releaseColumns = `id, project_id, kind, deployment_id, from_id, record_id, version, created_at, revision, accepted, force_reload, divided_since, split, ended_split`
)

func scanLive(row scanner) (l anchor.Live, err error) {
	err = row.Scan(&l.ProjectID, &l.Deployment, &l.Record, &l.Version, &l.Release, &l.Order, &l.Revision, &l.ForceReload, &l.DividedSince,
		optional(&l.Split))
	return l, err
}

func scanRelease(row scanner) (r anchor.Release, err error) {
	err = row.Scan(&r.ID, &r.ProjectID, &r.Kind, &r.Deployment, &r.From, &r.Record, &r.Version, &r.CreatedAt, &r.Revision, &r.Order,
		&r.ForceReload, &r.DividedSince, optional(&r.Split), optional(&r.Ended))
	return r, err
}

// optionalJSON is a column with the JSON of *to, which is ” for nil.
type optionalJSON[T any] struct{ to **T }

func optional[T any](to **T) optionalJSON[T] { return optionalJSON[T]{to} }

// Scan implements sql.Scanner.
func (o optionalJSON[T]) Scan(column any) error {
	text, ok := column.(string)
	if !ok {
		return fmt.Errorf("a column is %T, not text", column)
	}
	if text == "" {
		*o.to = nil
		return nil
	}
	return json.Unmarshal([]byte(text), o.to)
}

// Value implements driver.Valuer.
func (o optionalJSON[T]) Value() (driver.Value, error) {
	if *o.to == nil {
		return "", nil
	}
	text, err := json.Marshal(*o.to)
	return string(text), err
}

// Live returns the project's pointer, or NotFound before the first release and for a project that is
// being removed.
func (s *Store) Live(ctx context.Context, p anchor.ProjectID) (anchor.Live, error) {
	l, err := scanLive(s.hot.live.QueryRowContext(ctx, p))
	if errors.Is(err, sql.ErrNoRows) {
		return anchor.Live{}, records.NeverLive(p)
	}
	return l, explainError("read the live pointer", err)
}

// Lives returns the pointers of all projects that have one, in no particular order.
func (s *Store) Lives(ctx context.Context) ([]anchor.Live, error) {
	return queryAll(ctx, s.read, "read the live pointers", scanLive,
		`SELECT `+liveColumns+` FROM projects p JOIN releases r ON r.project_id = p.id
			AND r.revision = (SELECT max(revision) FROM releases WHERE project_id = p.id) WHERE NOT p.removing`)
}

// Move moves the project's pointer to to if its revision is still from's (0 before the first
// release). It appends to with its new revision to the releases, and writes record when it is not
// nil: it inserts a rollback's, or moves a deploy's from deploying to its new status. All in one
// transaction, durable on return.
//
// It returns a Conflict when the pointer has moved, the release's id is taken, or the record cannot
// be written, and NotFound when the project does not exist, is being removed or does not own the
// deployment.
func (s *Store) Move(ctx context.Context, from anchor.Live, to anchor.Release, record *anchor.Deployment) (anchor.Live, error) {
	to.Revision = from.Revision + 1
	err := s.writeTx(ctx, "move the live pointer", func(t tx) error {
		if err := checkMove(t, from, to); err != nil {
			return err
		}
		order, err := moveRecord(t, to, record)
		if err != nil {
			return err
		}
		to.Order = order
		return insertRelease(t, to)
	})
	if err != nil {
		return anchor.Live{}, err
	}
	return records.LiveAfter(to), nil
}

func checkMove(t tx, from anchor.Live, to anchor.Release) error {
	if err := checkOwner(t, to.ProjectID); err != nil {
		return err
	}
	var revision int64
	var ours bool
	err := t.queryRow(`SELECT
		coalesce((SELECT max(revision) FROM releases WHERE project_id = p.id), 0),
		EXISTS (SELECT 1 FROM deployments WHERE id = ? AND project_id = p.id)
		FROM projects p WHERE p.id = ?`, to.Deployment, to.ProjectID).Scan(&revision, &ours)
	switch {
	case err != nil:
		return err
	case revision != from.Revision:
		return records.PointerMoved(to.ProjectID, revision, from.Revision)
	case !ours:
		return records.NoDeployment(to.Deployment)
	}
	return nil
}

// Accept returns the project's next place in the order of requests, or NotFound when the project does not
// exist or is being removed. It does not wait for the disk, as Append does not: a power cut that loses the
// place loses the release that has it, too, because that is written after it.
func (s *Store) Accept(ctx context.Context, p anchor.ProjectID) (order int64, err error) {
	err = s.writeOn(ctx, s.journal, "accept the request", func(t tx) (err error) {
		order, err = nextOrder(t, p)
		return err
	})
	return order, err
}

// moveRecord writes the record of a release, if it has one, and returns the release's place in the
// order of requests.
func moveRecord(t tx, to anchor.Release, record *anchor.Deployment) (order int64, err error) {
	p := to.ProjectID
	if to.Order == 0 && (record == nil || record.IsRollback) {
		if to.Order, err = nextOrder(t, p); err != nil {
			return 0, err
		}
	}
	switch {
	case record == nil:
		return to.Order, nil
	case record.ProjectID != p:
		return 0, records.ForeignRecord(record.ID, p)
	case record.IsRollback:
		record := *record
		record.Order = to.Order
		return to.Order, insertDeployment(t, record)
	case record.Status == anchor.Deploying:
		return 0, records.NoSuchMove(record.ID, anchor.Deploying, record.Status)
	}
	err = updateDeployment(t, *record, anchor.Deploying)
	if errors.Is(err, anchor.ErrNotFound) {
		return 0, records.ForeignRecord(record.ID, p)
	}
	if err != nil {
		return 0, err
	}
	err = t.queryRow(`SELECT accepted FROM deployments WHERE id = ?`, record.ID).Scan(&order)
	return order, err
}

func insertRelease(t tx, r anchor.Release) error {
	_, err := t.execRows(`INSERT INTO releases (`+releaseColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		r.ID, r.ProjectID, r.Kind, r.Deployment, r.From, r.Record, r.Version, r.CreatedAt, r.Revision, r.Order, r.ForceReload, r.DividedSince,
		optional(&r.Split), optional(&r.Ended))
	if isUniqueViolation(err) {
		return records.IDTaken("release", string(r.ID))
	}
	return err
}

// Releases lists the project's moves, newest first. It returns Invalid for a malformed cursor. An
// unknown project has none.
func (s *Store) Releases(ctx context.Context, p anchor.ProjectID, page anchor.Page) (anchor.List[anchor.Release], error) {
	before, err := records.BeforeRevision(page)
	if err != nil {
		return anchor.List[anchor.Release]{}, err
	}
	found, err := queryAll(ctx, s.read, "list the releases", scanRelease,
		`SELECT `+releaseColumns+` FROM releases WHERE project_id = ? AND revision < ? ORDER BY revision DESC LIMIT ?`,
		p, before, page.Size()+1)
	return records.Cut(found, page, records.ReleaseCursor), err
}

// LastLive returns the deployment that was live before the current one, however often that one was
// released, or NotFound when there was none. A release that was undone counts as if it had not
// happened.
func (s *Store) LastLive(ctx context.Context, p anchor.ProjectID) (id anchor.DeploymentID, err error) {
	err = s.read.QueryRowContext(ctx, `WITH held AS (
			SELECT deployment_id, revision FROM releases r WHERE project_id = ?1 AND kind != ?2 AND NOT EXISTS
				(SELECT 1 FROM releases u WHERE u.project_id = ?1 AND u.kind = ?2 AND u.revision = r.revision + 1))
		SELECT deployment_id FROM held WHERE deployment_id != (SELECT deployment_id FROM held ORDER BY revision DESC LIMIT 1)
		ORDER BY revision DESC LIMIT 1`, p, anchor.ReleaseUndo).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return "", records.NeverLive(p)
	}
	return id, explainError("read the deployment live before", err)
}
