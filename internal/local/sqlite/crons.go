package sqlite

import (
	"context"
	"encoding/json"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// keptCronRuns is how many runs of a project are remembered.
const keptCronRuns = 1000

// SeenCrons returns up to when the runs of a project's crons are accounted for. It starts with now for
// crons that are new, and forgets those that are not among crons. Durable on return.
func (s *Store) SeenCrons(ctx context.Context, p anchor.ProjectID, crons []anchor.Cron, now time.Time) (seen map[anchor.Cron]time.Time, err error) {
	if seen, err = s.readSeenCrons(ctx, p); err != nil || sameCrons(seen, crons) {
		return seen, err
	}
	err = s.writeTx(ctx, "note the crons of a project", func(t tx) error {
		if err := checkOwner(t, p); err != nil {
			return err
		}
		wanted := map[anchor.Cron]bool{}
		for _, c := range crons {
			wanted[c] = true
			_, err := t.execRows(`INSERT INTO crons (project_id, path, schedule, seen) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING`,
				p, c.Path, c.Schedule, now.UnixMilli())
			if err != nil {
				return err
			}
		}
		for c := range seen {
			if wanted[c] {
				continue
			}
			if _, err := t.execRows(`DELETE FROM crons WHERE project_id = ? AND path = ? AND schedule = ?`, p, c.Path, c.Schedule); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s.readSeenCrons(ctx, p)
}

func sameCrons(seen map[anchor.Cron]time.Time, crons []anchor.Cron) bool {
	for _, c := range crons {
		if _, found := seen[c]; !found {
			return false
		}
	}
	return len(seen) == len(crons)
}

func (s *Store) readSeenCrons(ctx context.Context, p anchor.ProjectID) (map[anchor.Cron]time.Time, error) {
	type row struct {
		anchor.Cron
		seen int64
	}
	rows, err := queryAll(ctx, s.read, "read the crons", func(r scanner) (c row, err error) {
		return c, r.Scan(&c.Path, &c.Schedule, &c.seen)
	}, `SELECT path, schedule, seen FROM crons WHERE project_id = ?`, p)
	seen := make(map[anchor.Cron]time.Time, len(rows))
	for _, r := range rows {
		seen[r.Cron] = time.UnixMilli(r.seen).UTC()
	}
	return seen, err
}

// ClaimCron accounts for the runs of a cron that were due after from and not after until, and adds runs
// for them, in one transaction, durable on return. ok is false, and nothing has changed, when another
// call has accounted for them.
func (s *Store) ClaimCron(ctx context.Context, p anchor.ProjectID, c anchor.Cron, from, until time.Time, runs ...anchor.CronRun) (ok bool, err error) {
	err = s.writeTx(ctx, "claim a run of a cron", func(t tx) error {
		if err := checkOwner(t, p); err != nil {
			return err
		}
		n, err := t.execRows(`UPDATE crons SET seen = ? WHERE project_id = ? AND path = ? AND schedule = ? AND seen = ?`,
			until.UnixMilli(), p, c.Path, c.Schedule, from.UnixMilli())
		if ok = n > 0; err != nil || !ok {
			return err
		}
		return insertCronRuns(t, p, runs)
	})
	return ok && err == nil, err
}

// AddCronRun adds a run that somebody asked for, durable on return.
func (s *Store) AddCronRun(ctx context.Context, r anchor.CronRun) error {
	return s.writeTx(ctx, "record a run of a cron", func(t tx) error {
		if err := checkOwner(t, r.ProjectID); err != nil {
			return err
		}
		return insertCronRuns(t, r.ProjectID, []anchor.CronRun{r})
	})
}

// insertCronRuns adds runs and removes the oldest beyond keptCronRuns.
func insertCronRuns(t tx, p anchor.ProjectID, runs []anchor.CronRun) error {
	for _, r := range runs {
		record, err := json.Marshal(r)
		if err != nil {
			return err
		}
		_, err = t.execRows(`INSERT INTO cron_runs (id, project_id, path, running, record) VALUES (?, ?, ?, ?, ?)`,
			r.ID, p, r.Path, r.Status == anchor.CronRunning, string(record))
		if err != nil {
			return err
		}
	}
	_, err := t.execRows(`DELETE FROM cron_runs WHERE NOT running AND project_id = ?1 AND id <= (SELECT id FROM cron_runs
		WHERE project_id = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)`, p, keptCronRuns)
	return err
}

// EndCronRun writes how a run has ended, durable on return.
func (s *Store) EndCronRun(ctx context.Context, r anchor.CronRun) error {
	record, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return s.writeTx(ctx, "record the end of a cron's run", func(t tx) error {
		_, err := t.execRows(`UPDATE cron_runs SET running = ?, record = ? WHERE id = ?`, r.Status == anchor.CronRunning, string(record), r.ID)
		return err
	})
}

func scanCronRun(row scanner) (r anchor.CronRun, err error) {
	var record []byte
	if err := row.Scan(&record); err != nil {
		return r, err
	}
	return r, json.Unmarshal(record, &r)
}

// CronRuns returns the newest runs of a project, newest first; path "" selects those of all paths.
func (s *Store) CronRuns(ctx context.Context, p anchor.ProjectID, path string, limit int) ([]anchor.CronRun, error) {
	return queryAll(ctx, s.read, "list the runs of crons", scanCronRun,
		`SELECT record FROM cron_runs WHERE project_id = ?1 AND (?2 = '' OR path = ?2) ORDER BY id DESC LIMIT ?3`, p, path, limit)
}

// RunningCrons returns the runs that have not ended.
func (s *Store) RunningCrons(ctx context.Context) ([]anchor.CronRun, error) {
	return queryAll(ctx, s.read, "list the running crons", scanCronRun, `SELECT record FROM cron_runs WHERE running`)
}

// PauseCron pauses a path, or lets it run again, durable on return.
func (s *Store) PauseCron(ctx context.Context, p anchor.ProjectID, path string, paused bool) error {
	return s.writeTx(ctx, "pause a cron", func(t tx) error {
		if err := checkOwner(t, p); err != nil {
			return err
		}
		query := `DELETE FROM cron_pauses WHERE project_id = ? AND path = ?`
		if paused {
			query = `INSERT INTO cron_pauses (project_id, path) VALUES (?, ?) ON CONFLICT DO NOTHING`
		}
		_, err := t.execRows(query, p, path)
		return err
	})
}

// PausedCrons returns the paused paths of a project.
func (s *Store) PausedCrons(ctx context.Context, p anchor.ProjectID) ([]string, error) {
	return queryAll(ctx, s.read, "list the paused crons", func(r scanner) (path string, err error) { return path, r.Scan(&path) },
		`SELECT path FROM cron_pauses WHERE project_id = ?`, p)
}
