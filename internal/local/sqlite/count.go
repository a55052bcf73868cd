package sqlite

import (
	"context"
	"fmt"
)

// Counts is how much the records hold.
type Counts struct {
	Projects    int64
	Deployments map[string]int64 // by status
	Bytes       int64            // of the file without its write-ahead log
}

// Count returns how much the records hold.
func (s *Store) Count(ctx context.Context) (Counts, error) {
	c := Counts{Deployments: map[string]int64{}}
	row := s.read.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM projects), page_count * page_size FROM pragma_page_count, pragma_page_size`)
	if err := row.Scan(&c.Projects, &c.Bytes); err != nil {
		return c, fmt.Errorf("count the records: %w", err)
	}
	rows, err := s.read.QueryContext(ctx, `SELECT status, count(*) FROM deployments GROUP BY status`)
	if err != nil {
		return c, fmt.Errorf("count the deployments: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var status string
		var n int64
		if err := rows.Scan(&status, &n); err != nil {
			return c, fmt.Errorf("count the deployments: %w", err)
		}
		c.Deployments[status] = n
	}
	if err := rows.Err(); err != nil {
		return c, fmt.Errorf("count the deployments: %w", err)
	}
	return c, nil
}
