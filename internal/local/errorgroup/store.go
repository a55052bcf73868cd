// Package errorgroup collects the errors that apps log in groups of the same cause, so that a person sees which errors
// a version brought. Groups are for people; nothing else depends on them.
package errorgroup

import (
	"cmp"
	"context"
	"database/sql"
	_ "embed" // the schema
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/local/sqlite/side"
)

const (
	// MaxGroups is how many groups a project has: an app whose errors differ each time pushes out its oldest groups.
	MaxGroups = 1000
	// maxCounts is for how many deployments a group has counts.
	maxCounts = 50
	// maxSample is how many octets of a line's text are kept with its group.
	maxSample = 16 << 10
	// flushEvery is the time between two writes, and maxPending how many groups wait for one at most.
	flushEvery = 2 * time.Second
	maxPending = 500
	// perFlush is how many lines of a project are read between two writes. The others are only counted as missed.
	perFlush = 2000
)

//go:embed schema.sql
var schema string

// Store is the groups of all projects in one file. It is safe for concurrent use.
type Store struct {
	db  *sql.DB
	log *slog.Logger

	mu      sync.Mutex
	appear  func(anchor.ProjectID, anchor.ErrorGroup)
	origin  Original
	pending map[spot]*pending
	read    map[anchor.ProjectID]int // lines since the last write

	missed atomic.Int64
	wake   chan struct{} // has room for one
	stop   func()
	done   chan struct{}
}

type key struct {
	project anchor.ProjectID
	id      string
}

// spot is where lines come from that are surely of one group: source maps are asked once for them.
type spot struct {
	key
	deployment anchor.DeploymentID
	at         string // the first line of the stack
}

// pending is what a spot has gained since the last write.
type pending struct {
	mark
	sample anchor.LogLine
	count  anchor.ErrorCount
}

// gain is what a group has gained since the last write.
type gain struct {
	mark
	sample anchor.LogLine
	counts map[anchor.DeploymentID]*anchor.ErrorCount
}

// Open opens or creates the file at path. A file that cannot be opened is set aside.
func Open(ctx context.Context, path string, log *slog.Logger) (*Store, error) {
	db, err := side.Open(ctx, path, schema, log)
	if err != nil {
		return nil, fmt.Errorf("open the groups of errors: %w", err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	s := &Store{
		db: db, log: log, pending: map[spot]*pending{}, read: map[anchor.ProjectID]int{},
		wake: make(chan struct{}, 1), stop: stop, done: make(chan struct{}),
	}
	go s.run(ctx)
	return s, nil
}

// OnAppear sets what is called with each group that a project did not have before. It must not wait.
func (s *Store) OnAppear(f func(anchor.ProjectID, anchor.ErrorGroup)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.appear = f
}

// UseSources sets what finds the originals of stack frames.
func (s *Store) UseSources(f Original) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.origin = f
}

// Close writes what is pending and ends the store.
func (s *Store) Close() error {
	s.stop()
	<-s.done
	return errors.Join(s.flush(context.Background()), s.db.Close())
}

func (s *Store) run(ctx context.Context) {
	defer close(s.done)
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-s.wake:
		}
		if err := s.flush(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("keep the groups of errors", "error", err)
		}
	}
}

// Add counts a line that an app logged with the level error; others it ignores. It does not wait for the disk. A line is lost when the
// process ends within flushEvery, and when a project logs more than perFlush in that time; the log itself has it.
func (s *Store) Add(p anchor.ProjectID, l anchor.LogLine) {
	if l.Level != "error" || l.Text == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.read[p]++; s.read[p] > perFlush {
		s.missed.Add(1)
		return
	}
	m := markOf(&l)
	k := spot{key{p, m.id}, l.DeploymentID, m.at}
	g := s.pending[k]
	if g == nil {
		if len(s.pending) >= maxPending {
			s.missed.Add(1)
			s.wakeUp()
			return
		}
		g = &pending{count: anchor.ErrorCount{DeploymentID: l.DeploymentID, First: l.Time}}
		s.pending[k] = g
	}
	g.mark, g.sample = m, cut(l)
	g.count.Count++
	g.count.First, g.count.Last = min(g.count.First, l.Time), max(g.count.Last, l.Time)
}

// gather adds what is pending up by groups, after the stacks were translated.
func gather(all map[spot]*pending, origin Original) map[key]*gain {
	groups := map[key]*gain{}
	for k, p := range all {
		m := p.mark
		sample, changed := origin.translateLine(p.sample)
		if changed {
			m = markOf(&sample)
		}
		of := key{k.project, m.id}
		g := groups[of]
		if g == nil {
			g = &gain{mark: m, sample: sample, counts: map[anchor.DeploymentID]*anchor.ErrorCount{}}
			groups[of] = g
		}
		if sample.Time >= g.sample.Time {
			g.mark, g.sample = m, sample
		}
		c := g.counts[k.deployment]
		if c == nil {
			first := p.count
			g.counts[k.deployment] = &first
			continue
		}
		c.Count += p.count.Count
		c.First, c.Last = min(c.First, p.count.First), max(c.Last, p.count.Last)
	}
	return groups
}

func (s *Store) wakeUp() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Missed returns how many lines were not counted because there were too many.
func (s *Store) Missed() int64 { return s.missed.Load() }

func cut(l anchor.LogLine) anchor.LogLine {
	if len(l.Text) > maxSample {
		l.Text = l.Text[:maxSample] + " …"
	}
	if text, err := json.Marshal(l.Fields); err != nil || len(text) > maxSample {
		l.Fields = nil
	}
	return l
}

// flush writes what is pending.
func (s *Store) flush(ctx context.Context) error {
	s.mu.Lock()
	waiting, appear, origin := s.pending, s.appear, s.origin
	s.pending = map[spot]*pending{}
	clear(s.read)
	s.mu.Unlock()
	if len(waiting) == 0 {
		return nil
	}
	all := gather(waiting, origin)
	var appeared []key
	err := side.Change(ctx, s.db, "store groups of errors", func(tx *sql.Tx) error {
		touched := map[anchor.ProjectID]bool{}
		for k, g := range all {
			isNew, err := g.store(ctx, tx, k)
			if err != nil {
				return err
			}
			if touched[k.project] = true; isNew {
				appeared = append(appeared, k)
			}
		}
		for p := range touched {
			if err := prune(ctx, tx, p); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || appear == nil {
		return err
	}
	for _, k := range appeared {
		appear(k.project, all[k].group(k.id))
	}
	return nil
}

func (g *gain) group(id string) anchor.ErrorGroup {
	out := anchor.ErrorGroup{ID: id, Title: g.title, Location: g.location, Function: g.sample.Function, Sample: g.sample}
	for _, c := range g.counts {
		if out.First == 0 || c.First < out.First {
			out.First = c.First
		}
		out.Count, out.Last = out.Count+c.Count, max(out.Last, c.Last)
		out.Deployments = append(out.Deployments, *c)
	}
	slices.SortFunc(out.Deployments, newestFirst)
	return out
}

// newestFirst orders by id, which begins with the time at which a deployment was created.
func newestFirst(a, b anchor.ErrorCount) int { return cmp.Compare(b.DeploymentID, a.DeploymentID) }

// store adds what is pending to the group, and reports whether there was none.
func (g *gain) store(ctx context.Context, tx *sql.Tx, k key) (isNew bool, err error) {
	sample, err := json.Marshal(g.sample)
	if err != nil {
		return false, err
	}
	sum := g.group(k.id)
	var count int64
	err = tx.QueryRowContext(ctx, `INSERT INTO groups (project, id, title, location, function, count, first, last, sample) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET title = excluded.title, location = excluded.location, count = count + excluded.count,
			first = min(first, excluded.first), last = max(last, excluded.last), sample = excluded.sample RETURNING count`,
		k.project, k.id, sum.Title, sum.Location, sum.Function, sum.Count, sum.First, sum.Last, sample).Scan(&count)
	if err != nil {
		return false, err
	}
	for _, c := range g.counts {
		if _, err := tx.ExecContext(ctx, `INSERT INTO counts (project, id, deployment, count, first, last) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET count = count + excluded.count, first = min(first, excluded.first), last = max(last, excluded.last)`,
			k.project, k.id, c.DeploymentID, c.Count, c.First, c.Last); err != nil {
			return false, err
		}
	}
	_, err = tx.ExecContext(ctx, `DELETE FROM counts WHERE project = ?1 AND id = ?2 AND deployment NOT IN
		(SELECT deployment FROM counts WHERE project = ?1 AND id = ?2 ORDER BY deployment DESC LIMIT ?3)`, k.project, k.id, maxCounts)
	return count == sum.Count, err
}

// prune removes the groups that were seen longest ago, where a project has too many.
func prune(ctx context.Context, tx *sql.Tx, p anchor.ProjectID) error {
	_, err := tx.ExecContext(ctx, `DELETE FROM groups WHERE project = ?1 AND id NOT IN (SELECT id FROM groups WHERE project = ?1 ORDER BY last DESC, id LIMIT ?2)`, p, MaxGroups)
	return err
}

// List returns the groups of a project that were seen last, at most limit, the most recent first; those of one deployment when d is not empty.
func (s *Store) List(ctx context.Context, p anchor.ProjectID, d anchor.DeploymentID, limit int) ([]anchor.ErrorGroup, error) {
	return s.query(ctx, `project = ?1 AND (?2 = '' OR EXISTS (SELECT 1 FROM counts c WHERE c.project = ?1 AND c.id = groups.id AND c.deployment = ?2))`, p, string(d), limit)
}

// Get returns one group, anchor.ErrNotFound if there is none.
func (s *Store) Get(ctx context.Context, p anchor.ProjectID, id string) (anchor.ErrorGroup, error) {
	found, err := s.query(ctx, `project = ?1 AND id = ?2`, p, id, 1)
	if err == nil && len(found) == 0 {
		err = anchor.NotFound("unknown_error", "the project has no group of errors %q", id).Hintf("Run anchor errors for a list.")
	}
	if err != nil {
		return anchor.ErrorGroup{}, err
	}
	return found[0], nil
}

func (s *Store) query(ctx context.Context, where string, p anchor.ProjectID, argument string, limit int) ([]anchor.ErrorGroup, error) {
	if err := s.flush(ctx); err != nil { // what was logged before the request is part of the answer
		return nil, err
	}
	found, err := s.rowsOf(ctx, where, p, argument, limit)
	if err != nil {
		return nil, fmt.Errorf("read the groups of errors: %w", err)
	}
	return found, nil
}

func (s *Store) rowsOf(ctx context.Context, where string, p anchor.ProjectID, argument string, limit int) ([]anchor.ErrorGroup, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT id, title, location, function, count, first, last, sample FROM groups WHERE `+where+` ORDER BY last DESC, id LIMIT ?3`, p, argument, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found := []anchor.ErrorGroup{}
	for rows.Next() {
		g := anchor.ErrorGroup{Deployments: []anchor.ErrorCount{}}
		var sample []byte
		if err := rows.Scan(&g.ID, &g.Title, &g.Location, &g.Function, &g.Count, &g.First, &g.Last, &sample); err != nil {
			return nil, err
		}
		if err := json.Unmarshal(sample, &g.Sample); err != nil {
			return nil, err
		}
		found = append(found, g)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	for i := range found {
		if err := s.readCounts(ctx, p, &found[i]); err != nil {
			return nil, err
		}
	}
	return found, nil
}

func (s *Store) readCounts(ctx context.Context, p anchor.ProjectID, g *anchor.ErrorGroup) error {
	rows, err := s.db.QueryContext(ctx, `SELECT deployment, count, first, last FROM counts WHERE project = ? AND id = ? ORDER BY deployment DESC`, p, g.ID)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var c anchor.ErrorCount
		if err := rows.Scan(&c.DeploymentID, &c.Count, &c.First, &c.Last); err != nil {
			return err
		}
		g.Deployments = append(g.Deployments, c)
	}
	return rows.Err()
}

// RemoveProject removes the groups of a project.
func (s *Store) RemoveProject(ctx context.Context, p anchor.ProjectID) error {
	s.mu.Lock()
	for k := range s.pending {
		if k.project == p {
			delete(s.pending, k)
		}
	}
	s.mu.Unlock()
	return side.Change(ctx, s.db, "remove groups of errors", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM groups WHERE project = ?`, p)
		return err
	})
}
