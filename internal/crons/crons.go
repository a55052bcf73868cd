// Package crons runs the crons of live deployments: it requests paths of the apps on a schedule. A run
// is recorded before it begins, so that none begins twice, whatever happens to the server.
package crons

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Records keep what is known of crons and their runs.
type Records interface {
	// Lives returns all live pointers.
	Lives(ctx context.Context) ([]anchor.Live, error)
	// Live returns the live pointer of a project, ErrNotFound before the first release.
	Live(ctx context.Context, p anchor.ProjectID) (anchor.Live, error)
	Deployment(ctx context.Context, id anchor.DeploymentID) (anchor.Deployment, error)

	// SeenCrons returns up to when the runs of crons are accounted for: now for those that are new.
	// Those that are not among crons are forgotten.
	SeenCrons(ctx context.Context, p anchor.ProjectID, crons []anchor.Cron, now time.Time) (map[anchor.Cron]time.Time, error)
	// ClaimCron accounts for the runs that were due after from and not after until, and adds runs, in
	// one transaction. ok is false when another call has accounted for them.
	ClaimCron(ctx context.Context, p anchor.ProjectID, c anchor.Cron, from, until time.Time, runs ...anchor.CronRun) (ok bool, err error)
	AddCronRun(ctx context.Context, r anchor.CronRun) error
	EndCronRun(ctx context.Context, r anchor.CronRun) error
	// CronRuns returns the newest runs of a path, or of all paths when it is "", newest first.
	CronRuns(ctx context.Context, p anchor.ProjectID, path string, limit int) ([]anchor.CronRun, error)
	PauseCron(ctx context.Context, p anchor.ProjectID, path string, paused bool) error
	PausedCrons(ctx context.Context, p anchor.ProjectID) ([]string, error)
}

// Ask requests a path of a deployment with the Authorization of a cron, and returns the status of the
// response, and where it redirects to.
type Ask func(ctx context.Context, d anchor.Deployment, path, id, schedule string) (status int, location string, err error)

// Locks keep several processes from requesting one path at a time.
type Locks interface {
	// LockCron reserves the path of a run until a time. ok is false while another run has it.
	LockCron(ctx context.Context, r anchor.CronRun, until time.Time) (ok bool, err error)
	// UnlockCron is the reverse of LockCron, in any process. It does nothing when another run has the path.
	UnlockCron(ctx context.Context, r anchor.CronRun) error
}

// Config holds the parts of a Service.
type Config struct {
	Records Records
	Ask     Ask // nil where Start makes another process request
	Log     *slog.Logger
	Now     func() time.Time // time.Now when nil
	Timeout time.Duration    // of one run, 15 min
	AtATime int              // runs of all projects together, 16

	// Locks is nil where one process runs all crons.
	Locks Locks
	// Dispatch makes another process continue a run that Start has recorded: see Continue. nil: this
	// process requests.
	Dispatch func(ctx context.Context, r anchor.CronRun) error
}

// Service runs crons. Close ends it.
type Service struct {
	Config
	ctx     context.Context // ends with Close
	stop    context.CancelFunc
	running sync.WaitGroup
	slots   chan struct{}

	mu     sync.Mutex
	closed bool
	busy   map[place]bool // paths that are being requested
}

// place is a path of a project.
type place struct {
	project anchor.ProjectID
	path    string
}

// New returns a Service. Resume and Run start it.
func New(c Config) *Service {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Timeout <= 0 {
		c.Timeout = 15 * time.Minute
	}
	if c.AtATime <= 0 {
		c.AtATime = 16
	}
	s := &Service{Config: c, busy: map[place]bool{}, slots: make(chan struct{}, c.AtATime)}
	s.ctx, s.stop = context.WithCancel(context.Background())
	return s
}

// Unfinished lists the runs that have not ended.
type Unfinished interface {
	RunningCrons(ctx context.Context) ([]anchor.CronRun, error)
}

// Resume records that runs of an earlier process were interrupted, where this one is the only one that
// runs crons. They are not repeated: nobody knows how far they came.
func (s *Service) Resume(ctx context.Context, u Unfinished) error {
	left, err := u.RunningCrons(ctx)
	for _, r := range left {
		err = errors.Join(err, s.Records.EndCronRun(ctx, s.interrupted(r)))
	}
	if err != nil {
		return fmt.Errorf("record the crons that were interrupted: %w", err)
	}
	return nil
}

func (s *Service) interrupted(r anchor.CronRun) anchor.CronRun {
	r.Status, r.EndedAt, r.Message = anchor.CronInterrupted, s.Now().UnixMilli(), "the server stopped while it ran"
	return r
}

// settled returns a run as it is to be shown: one that runs for longer than it may has lost its process.
func (s *Service) settled(r anchor.CronRun) anchor.CronRun {
	if until := time.UnixMilli(r.StartedAt).Add(s.Timeout + lateness); r.Status == anchor.CronRunning && s.Now().After(until) {
		r = s.interrupted(r)
		r.EndedAt = until.UnixMilli()
	}
	return r
}

// Wait waits for the runs that this process has started.
func (s *Service) Wait() { s.running.Wait() }

// Close interrupts the runs and waits for them.
func (s *Service) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.stop()
	s.running.Wait()
	return nil
}

// Run starts what is due at each minute until ctx ends.
func (s *Service) Run(ctx context.Context) {
	for {
		if err := s.Tick(ctx); err != nil && ctx.Err() == nil {
			s.Log.Error("run crons", "error", err)
		}
		now := s.Now()
		timer := time.NewTimer(now.Truncate(time.Minute).Add(time.Minute).Sub(now))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// Tick starts the runs that are due now. A project that fails does not stop the others.
func (s *Service) Tick(ctx context.Context) error {
	lives, err := s.Records.Lives(ctx)
	if err != nil {
		return err
	}
	var failed error
	for _, live := range lives {
		if err := s.tickProject(ctx, live); err != nil && !errors.Is(err, anchor.ErrNotFound) { // removed meanwhile
			failed = errors.Join(failed, fmt.Errorf("project %s: %w", live.ProjectID, err))
		}
	}
	return failed
}

func (s *Service) tickProject(ctx context.Context, live anchor.Live) error {
	d, err := s.Records.Deployment(ctx, live.Deployment)
	if err != nil {
		return err
	}
	now := s.Now()
	seen, err := s.Records.SeenCrons(ctx, live.ProjectID, d.Crons, now)
	if err != nil || len(seen) == 0 {
		return err
	}
	paused, err := s.Records.PausedCrons(ctx, live.ProjectID)
	if err != nil {
		return err
	}
	var failed error
	for _, c := range d.Crons {
		failed = errors.Join(failed, s.tickCron(ctx, d, c, seen[c], now, slices.Contains(paused, c.Path)))
	}
	return failed
}

// lateness is how late a run may begin. One that is later than that was missed.
const lateness = time.Minute

// maxMissed bounds how far back missed runs are counted.
const maxMissed = 400 * 24 * time.Hour

// tickCron accounts for the runs of a cron that were due after seen: it starts the newest one, unless
// that is too late, and records the others as missed.
func (s *Service) tickCron(ctx context.Context, d anchor.Deployment, c anchor.Cron, seen, now time.Time, paused bool) error {
	var first, last time.Time
	count := int64(0)
	from := seen
	if now.Sub(from) > maxMissed {
		from = now.Add(-maxMissed)
	}
	for due := c.Next(from); !due.IsZero() && !due.After(now); due = c.Next(due) {
		if count == 0 {
			first = due
		}
		last = due
		count++
	}
	if count == 0 {
		return nil
	}
	if paused {
		_, err := s.Records.ClaimCron(ctx, d.ProjectID, c, seen, last)
		return err
	}
	var runs []anchor.CronRun
	inTime := now.Sub(last) < lateness
	if missed := count; missed > 1 || !inTime {
		if inTime {
			missed--
		}
		runs = append(runs, anchor.CronRun{ID: anchor.NewID(), ProjectID: d.ProjectID, Path: c.Path, Schedule: c.Schedule,
			DueAt: first.UnixMilli(), Status: anchor.CronMissed, Count: missed, Message: "the server did not run when it was due"})
	}
	if !inTime {
		_, err := s.Records.ClaimCron(ctx, d.ProjectID, c, seen, last, runs...)
		return err
	}
	run := s.newRun(d, c.Path, c.Schedule, last)
	ok, err := s.Records.ClaimCron(ctx, d.ProjectID, c, seen, last, append(runs, run)...)
	if err != nil || !ok {
		return err
	}
	// After the claim: an event that comes twice must not take its own run for the one before.
	free, err := s.begin(ctx, run)
	if free {
		s.start(run, d)
		return nil
	}
	run.Status, run.EndedAt, run.Message = anchor.CronSkipped, run.StartedAt, "the run before had not ended"
	if err != nil {
		run.Status, run.Message = anchor.CronFailed, err.Error()
	}
	return errors.Join(err, s.Records.EndCronRun(ctx, run))
}

func (s *Service) newRun(d anchor.Deployment, path, schedule string, due time.Time) anchor.CronRun {
	return anchor.CronRun{
		ID: anchor.NewID(), ProjectID: d.ProjectID, Path: path, Schedule: schedule, DeploymentID: d.ID,
		DueAt: due.UnixMilli(), StartedAt: s.Now().UnixMilli(), Status: anchor.CronRunning,
	}
}

// begin reserves the path of a run. It returns false when it is being requested, or Anchor stops.
func (s *Service) begin(ctx context.Context, r anchor.CronRun) (free bool, err error) {
	if !s.reserve(r) {
		return false, nil
	}
	if s.Locks == nil {
		return true, nil
	}
	free, err = s.Locks.LockCron(ctx, r, s.Now().Add(s.Timeout+lateness))
	if !free {
		s.free(r)
	}
	return free, err
}

// end is the reverse of begin.
func (s *Service) end(ctx context.Context, r anchor.CronRun) {
	if s.Locks != nil {
		if err := s.Locks.UnlockCron(ctx, r); err != nil {
			s.Log.Error("unlock a cron", "projectId", r.ProjectID, "path", r.Path, "runId", r.ID, "error", err)
		}
	}
	s.free(r)
}

// reserve reserves the path of a run in this process.
func (s *Service) reserve(r anchor.CronRun) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := place{r.ProjectID, r.Path}
	if s.busy[at] || s.closed {
		return false
	}
	s.busy[at] = true
	s.running.Add(1)
	return true
}

// free is the reverse of reserve.
func (s *Service) free(r anchor.CronRun) {
	s.mu.Lock()
	delete(s.busy, place{r.ProjectID, r.Path})
	s.mu.Unlock()
	s.running.Done()
}

// start runs a recorded run in the background.
func (s *Service) start(r anchor.CronRun, d anchor.Deployment) {
	go func() {
		defer s.end(context.WithoutCancel(s.ctx), r)
		select {
		case s.slots <- struct{}{}:
			r = s.request(r, d)
			<-s.slots
		case <-s.ctx.Done():
			r = s.interrupted(r)
		}
		err := s.Records.EndCronRun(context.WithoutCancel(s.ctx), r)
		if err != nil {
			s.Log.Error("record the end of a cron's run", "projectId", r.ProjectID, "path", r.Path, "runId", r.ID, "error", err)
		}
	}()
}

// request requests the path of a run and returns the run as it has ended.
func (s *Service) request(r anchor.CronRun, d anchor.Deployment) anchor.CronRun {
	ctx, cancel := context.WithTimeout(s.ctx, s.Timeout)
	defer cancel()
	status, location, err := s.Ask(ctx, d, r.Path, r.ID, r.Schedule)
	if s.ctx.Err() != nil {
		return s.interrupted(r)
	}
	r.EndedAt, r.HTTPStatus = s.Now().UnixMilli(), status
	r.Status = anchor.CronFailed
	switch {
	case ctx.Err() != nil:
		r.HTTPStatus, r.Message = 0, fmt.Sprintf("the path did not answer within %s", s.Timeout)
	case err != nil:
		r.HTTPStatus, r.Message = 0, err.Error()
	case location != "":
		r.Message = "the path redirects to " + location + "; a cron has to name the path that does the work"
	case status < 200 || status > 299:
		r.Message = fmt.Sprintf("the path answered %d", status)
	default:
		r.Status = anchor.CronSucceeded
	}
	return r
}
