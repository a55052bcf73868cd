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
			state.LastRun = &last[0]
		}
		states = append(states, state)
	}
	return states, nil
}

// Runs returns the newest runs of a path, or of all paths when it is "", newest first.
func (s *Service) Runs(ctx context.Context, p anchor.ProjectID, path string, limit int) ([]anchor.CronRun, error) {
	return s.Records.CronRuns(ctx, p, path, limit)
}

// Start runs a cron of the live deployment now. It returns NotFound when the live deployment has no such
// cron, and a Conflict when it runs already.
func (s *Service) Start(ctx context.Context, p anchor.ProjectID, path string) (anchor.CronRun, error) {
	d, err := s.withCron(ctx, p, path)
	if err != nil {
		return anchor.CronRun{}, err
	}
	run := s.newRun(d, path, "", s.Now())
	if !s.begin(run) {
		return anchor.CronRun{}, anchor.Conflict("cron_running", "the cron %s runs already", path).
			Hintf("To see its runs, run anchor crons logs %s", path)
	}
	if err := s.Records.AddCronRun(ctx, run); err != nil {
		s.end(run)
		return anchor.CronRun{}, err
	}
	s.start(run, d)
	return run, nil
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
