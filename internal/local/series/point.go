package series

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/anchor-deploy/anchor/internal/local/edge/meter"
	"github.com/anchor-deploy/anchor/internal/local/metrics"
)

const columns = `project, step, at, deployment, requests, errors, octets, outcomes, durations`

// point is a row.
type point struct {
	metrics.Delta
	step, at int64 // seconds; Unix seconds of its end
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }

// addPoint adds traffic to the point that ends at a time.
func addPoint(ctx context.Context, tx *sql.Tx, step time.Duration, at int64, d *metrics.Delta) error {
	rows, err := tx.QueryContext(ctx, `SELECT `+columns+` FROM points WHERE project = ? AND step = ? AND at = ? AND deployment = ?`,
		d.Project, seconds(step), at, d.Deployment)
	if err != nil {
		return err
	}
	sum := *d
	if err := eachPoint(rows, func(p *point) { sum.Merge(&p.Totals) }); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT OR REPLACE INTO points (`+columns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		d.Project, seconds(step), at, d.Deployment, sum.Requests, sum.Errors, sum.Octets, encodeOutcomes(&sum.Totals), encodeDurations(&sum.Durations))
	return err
}

// eachPoint calls do for each row, and closes rows.
func eachPoint(rows *sql.Rows, do func(*point)) error {
	defer rows.Close()
	for rows.Next() {
		var p point
		var outcomes, durations []byte
		if err := rows.Scan(&p.Project, &p.step, &p.at, &p.Deployment, &p.Requests, &p.Errors, &p.Octets, &outcomes, &durations); err != nil {
			return err
		}
		if err := errors.Join(decodeOutcomes(outcomes, &p.Totals), decodeDurations(durations, &p.Durations)); err != nil {
			return fmt.Errorf("the point of %s at %d: %w", p.Deployment, p.at, err)
		}
		do(&p)
	}
	return rows.Err()
}

func encodeOutcomes(t *metrics.Totals) (b []byte) {
	for _, n := range t.ByOutcome {
		b = binary.AppendUvarint(b, uint64(n))
	}
	return b
}

func encodeDurations(c *meter.Counts) []byte {
	b := binary.AppendUvarint(nil, uint64(c.Sum))
	for i, n := range c.Buckets {
		if n > 0 {
			b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(i)), n)
		}
	}
	return b
}

var errMalformed = errors.New("malformed numbers")

// next reads a varint at the front of b.
func next(b *[]byte) (uint64, error) {
	n, size := binary.Uvarint(*b)
	if size <= 0 {
		return 0, errMalformed
	}
	*b = (*b)[size:]
	return n, nil
}

func decodeOutcomes(b []byte, t *metrics.Totals) error {
	for i := 0; len(b) > 0; i++ {
		n, err := next(&b)
		if err != nil || i >= len(t.ByOutcome) {
			return errMalformed
		}
		t.ByOutcome[i] = int64(n)
	}
	return nil
}

func decodeDurations(b []byte, c *meter.Counts) error {
	sum, err := next(&b)
	if err != nil {
		return err
	}
	c.Sum = time.Duration(sum)
	for len(b) > 0 {
		bucket, err := next(&b)
		if err != nil || bucket >= uint64(len(c.Buckets)) {
			return errMalformed
		}
		if c.Buckets[bucket], err = next(&b); err != nil {
			return err
		}
	}
	return nil
}
