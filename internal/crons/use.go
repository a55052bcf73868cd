package crons

import (
	"context"
	"errors"
	"slices"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// List returns the crons of a project's live deployment.
func (s *Service) List(ctx context.Context, p anchor.ProjectID) ([]anchor.CronState, error) {
	d, err := s.live(ctx, p)
	if errors.Is(err, anchor.ErrNotFound) {
		return []anchor.CronState{}, nil
	}
	if err != nil {
		return nil, err
	}
	paused, err := s.Records.PausedCrons(ctx, p)
	if err != nil {
		return nil, err
	}
	states := make([]anchor.CronState, 0, len(d.Crons))
	for _, c := range d.Crons {
		state := anchor.CronState{Cron: c, Paused: slices.Contains(paused, c.Path)}
		if !state.Paused {
			state.NextAt = c.Next(s.Now()).UnixMilli()
		}
		last, err := s.Records.CronRuns(ctx, p, c.Path, 1)
		if err != nil {
			return nil, err
		}
		if len(last) > 0 {
			last[0] = s.settled(last[0])
			state.LastRun = &last[0]
		}
		states = append(states, state)
	}
	return states, nil
}

// Runs returns the newest runs of a path, or of all paths when it is "", newest first.
func (s *Service) Runs(ctx context.Context, p anchor.ProjectID, path string, limit int) ([]anchor.CronRun, error) {
	runs, err := s.Records.CronRuns(ctx, p, path, limit)
	for i, r := range runs {
		runs[i] = s.settled(r)
	}
	return runs, err
}

// Start runs a cron of the live deployment now. It returns NotFound when the live deployment has no such
// cron, and a Conflict when it runs already.
func (s *Service) Start(ctx context.Context, p anchor.ProjectID, path string) (anchor.CronRun, error) {
	d, err := s.withCron(ctx, p, path)
	if err != nil {
		return anchor.CronRun{}, err
	}
	run := s.newRun(d, path, "", s.Now())
	free, err := s.begin(ctx, run)
	if err != nil {
		return anchor.CronRun{}, err
	}
	if !free {
		return anchor.CronRun{}, anchor.Conflict("cron_running", "the cron %s runs already", path).
			Hintf("To see its runs, run anchor crons logs %s", path)
	}
	if err := s.Records.AddCronRun(ctx, run); err != nil {
		s.end(ctx, run)
		return anchor.CronRun{}, err
	}
	if s.Dispatch != nil {
		return run, s.handOver(ctx, run)
	}
	s.start(run, d)
	return run, nil
}

// handOver makes another process continue a run, which keeps the lock of its path.
func (s *Service) handOver(ctx context.Context, run anchor.CronRun) error {
	err := s.Dispatch(ctx, run)
	if err == nil {
		s.free(run)
		return nil
	}
	run.Status, run.EndedAt, run.Message = anchor.CronFailed, s.Now().UnixMilli(), err.Error()
	err = errors.Join(err, s.Records.EndCronRun(ctx, run))
	s.end(ctx, run)
	return err
}

// Continue starts a run that Start has recorded in another process, whose Dispatch named it. Nothing else
// may continue it.
func (s *Service) Continue(ctx context.Context, run anchor.CronRun) error {
	d, err := s.Records.Deployment(ctx, run.DeploymentID)
	if err == nil && s.reserve(run) {
		s.start(run, d)
	}
	return err
}

// Fire starts the run of a cron that is due now, as Tick does for all. A scheduler of the platform calls
// it at each time that the schedule names. It does nothing when the live deployment has no such cron.
func (s *Service) Fire(ctx context.Context, p anchor.ProjectID, c anchor.Cron) error {
	d, err := s.live(ctx, p)
	if errors.Is(err, anchor.ErrNotFound) || err == nil && !slices.Contains(d.Crons, c) {
		return nil // of a deployment before, or of a project that is removed
	}
	if err != nil {
		return err
	}
	now := s.Now()
	// A cron that is not known yet is due: the scheduler says so.
	seen, err := s.Records.SeenCrons(ctx, p, d.Crons, now.Add(-lateness))
	if err != nil {
		return err
	}
	paused, err := s.Records.PausedCrons(ctx, p)
	if err != nil {
		return err
	}
	return s.tickCron(ctx, d, c, seen[c], now, slices.Contains(paused, c.Path))
}

// Pause pauses a cron of the live deployment, or lets it run again. It returns NotFound when the live
// deployment has no such cron.
func (s *Service) Pause(ctx context.Context, p anchor.ProjectID, path string, paused bool) ([]anchor.CronState, error) {
	if _, err := s.withCron(ctx, p, path); err != nil {
		return nil, err
	}
	if err := s.Records.PauseCron(ctx, p, path, paused); err != nil {
		return nil, err
	}
	return s.List(ctx, p)
}

func (s *Service) live(ctx context.Context, p anchor.ProjectID) (anchor.Deployment, error) {
	live, err := s.Records.Live(ctx, p)
	if err != nil {
		return anchor.Deployment{}, err
	}
	return s.Records.Deployment(ctx, live.Deployment)
}

// withCron returns the live deployment if it has a cron with the path.
func (s *Service) withCron(ctx context.Context, p anchor.ProjectID, path string) (anchor.Deployment, error) {
	d, err := s.live(ctx, p)
	if err != nil && !errors.Is(err, anchor.ErrNotFound) {
		return d, err
	}
	if !slices.ContainsFunc(d.Crons, func(c anchor.Cron) bool { return c.Path == path }) {
		return d, anchor.NotFound("unknown_cron", "the live deployment has no cron %s", path).
			Hintf("To list its crons, run anchor crons. Crons are set in anchor.json.")
	}
	return d, nil
}
