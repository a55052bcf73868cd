package series

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// batch is how many points one transaction rolls up, so that Record does not wait for long.
const batch = 2000

// Tidy rolls up the points that are older than a day, or more than fit, and removes those that are too old.
func (s *Store) Tidy(ctx context.Context, now time.Time) error {
	for {
		done, err := s.rollUp(ctx, now)
		if err != nil || done {
			return err
		}
	}
}

func (s *Store) rollUp(ctx context.Context, now time.Time) (done bool, err error) {
	err = s.change(ctx, "roll up the history of the traffic", func(tx *sql.Tx) error {
		cut, err := cutAt(ctx, tx, seconds(Step), s.mostFine, now.Add(-fineReach))
		if err != nil {
			return err
		}
		old, err := tx.QueryContext(ctx, `SELECT `+columns+` FROM points WHERE step = ? AND at <= ? ORDER BY at LIMIT ?`, seconds(Step), cut, batch)
		if err != nil {
			return err
		}
		var points []point
		if err := eachPoint(old, func(p *point) { points = append(points, *p) }); err != nil {
			return err
		}
		for i := range points {
			if err := movePoint(ctx, tx, &points[i]); err != nil {
				return err
			}
		}
		if done = len(points) < batch; !done {
			return nil
		}
		if cut, err = cutAt(ctx, tx, seconds(coarse), s.mostCoarse, now.Add(-coarseReach)); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM points WHERE step = ? AND at <= ?`, seconds(coarse), cut)
		return err
	})
	return done, err
}

// cutAt returns the time up to which points have to go: they are that old, or newer ones fill the room.
func cutAt(ctx context.Context, tx *sql.Tx, step int64, most int, old time.Time) (int64, error) {
	var full int64
	row := tx.QueryRowContext(ctx, `SELECT at FROM points WHERE step = ? ORDER BY at DESC LIMIT 1 OFFSET ?`, step, most)
	if err := row.Scan(&full); err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, err
	}
	return max(full, old.Unix()), nil
}

func movePoint(ctx context.Context, tx *sql.Tx, p *point) error {
	if err := addPoint(ctx, tx, coarse, roundUp(time.Unix(p.at, 0), coarse), &p.Delta); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `DELETE FROM points WHERE project = ? AND step = ? AND at = ? AND deployment = ?`, p.Project, p.step, p.at, p.Deployment)
	return err
}
