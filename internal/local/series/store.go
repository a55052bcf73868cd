// Package series keeps the traffic of deployments on disk: in steps of 10 s for a day, then of 10 min for
// 30 days. It is for people who compare releases; nothing else depends on it, so a damaged file
// is set aside and begun again.
package series

import (
	"context"
	"database/sql"
	_ "embed" // the schema
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/anchor-deploy/anchor/internal/local/edge"
	"github.com/anchor-deploy/anchor/internal/local/metrics"
	"github.com/anchor-deploy/anchor/internal/local/sqlite/side"
)

const (
	// Step is the time between two points of the last day.
	Step = 10 * time.Second
	// coarse is the time between two older points.
	coarse = 10 * time.Minute
	// fineReach and coarseReach are how far back each goes.
	fineReach   = 24 * time.Hour
	coarseReach = 30 * 24 * time.Hour
	// mostFine and mostCoarse bound the points, of some 150 octets each.
	mostFine, mostCoarse = 300_000, 600_000
)

//go:embed schema.sql
var schema string

// Store is the points in one file. It is safe for concurrent use.
type Store struct {
	db *sql.DB

	mu     sync.Mutex // orders readings of the edge
	deltas metrics.Deltas

	mostFine, mostCoarse int // in tests: fewer
}

// Open opens or creates the file at path. A file that cannot be opened is renamed to <path>.damaged.
func Open(ctx context.Context, path string, log *slog.Logger) (*Store, error) {
	db, err := side.Open(ctx, path, schema, log)
	if err != nil {
		return nil, fmt.Errorf("open the history of the traffic: %w", err)
	}
	return &Store{db: db, mostFine: mostFine, mostCoarse: mostCoarse}, nil
}

// Close ends the store.
func (s *Store) Close() error { return s.db.Close() }

// Record stores what was counted since the last call.
func (s *Store) Record(ctx context.Context, now time.Time, measure func() []edge.SiteMeasures) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.deltas.Since(measure())
	if len(all) == 0 {
		return nil
	}
	return s.change(ctx, "store the traffic", func(tx *sql.Tx) error {
		for i := range all {
			if err := addPoint(ctx, tx, Step, roundUp(now, Step), &all[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// roundUp returns the end of the step in which t lies.
func roundUp(t time.Time, step time.Duration) int64 {
	n := int64(step / time.Second)
	return (t.Unix() + n - 1) / n * n
}

// Since returns the traffic of a project after a time, by deployment. It begins up to a step before that time:
// 10 s within the last day, else 10 min.
func (s *Store) Since(ctx context.Context, project string, from time.Time) (map[string]metrics.Totals, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT `+columns+` FROM points WHERE project = ? AND step IN (?, ?) AND at > ?`,
		project, seconds(Step), seconds(coarse), from.Unix())
	if err != nil {
		return nil, fmt.Errorf("read the history of the traffic: %w", err)
	}
	found := map[string]metrics.Totals{}
	err = eachPoint(rows, func(p *point) {
		t := found[p.Deployment]
		t.Merge(&p.Totals)
		found[p.Deployment] = t
	})
	if err != nil {
		return nil, fmt.Errorf("read the history of the traffic: %w", err)
	}
	return found, nil
}

// Bucket is the requests of all deployments of a project within a time that ended at At.
type Bucket struct {
	At time.Time
	metrics.Totals
}

// Buckets returns the requests of a project between two times in at most so many buckets of equal length,
// oldest first, those without requests too, and their length: a multiple of the step of the points that
// there are.
func (s *Store) Buckets(ctx context.Context, project string, from, to time.Time, most int) ([]Bucket, time.Duration, error) {
	unit := Step
	if to.Sub(from) > fineReach {
		unit = coarse
	}
	long := unit * time.Duration((int64(to.Sub(from))+int64(most)*int64(unit)-1)/(int64(most)*int64(unit)))
	last := roundUp(to, long)
	count := int64(to.Sub(from) / long)
	first := last - count*seconds(long)
	buckets := make([]Bucket, count)
	for i := range buckets {
		buckets[i].At = time.Unix(first+int64(i+1)*seconds(long), 0)
	}
	rows, err := s.db.QueryContext(ctx, `SELECT `+columns+` FROM points WHERE project = ? AND step IN (?, ?) AND at > ?`,
		project, seconds(Step), seconds(coarse), first)
	if err == nil {
		err = eachPoint(rows, func(p *point) {
			if i := (p.at - first - 1) / seconds(long); i < count {
				buckets[i].Merge(&p.Totals)
			}
		})
	}
	if err != nil {
		return nil, 0, fmt.Errorf("read the history of the traffic: %w", err)
	}
	return buckets, long, nil
}

// Load is how many requests of a project were answered, and how many of them with a status of 5xx.
type Load struct{ Requests, Errors int64 }

// Loads returns the load of each project that had requests after a time within the last day.
func (s *Store) Loads(ctx context.Context, from time.Time) (map[string]Load, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT project, sum(requests), sum(errors) FROM points WHERE step = ? AND at > ? GROUP BY project`, seconds(Step), from.Unix())
	if err != nil {
		return nil, fmt.Errorf("read the history of the traffic: %w", err)
	}
	defer rows.Close()
	found := map[string]Load{}
	for rows.Next() {
		var project string
		var l Load
		if err := rows.Scan(&project, &l.Requests, &l.Errors); err != nil {
			return nil, fmt.Errorf("read the history of the traffic: %w", err)
		}
		found[project] = l
	}
	return found, rows.Err()
}

func (s *Store) change(ctx context.Context, what string, do func(*sql.Tx) error) error {
	return side.Change(ctx, s.db, what, do)
}
