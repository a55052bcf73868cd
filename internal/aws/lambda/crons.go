package lambda

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/schedule"
	"github.com/anchor-deploy/anchor/internal/crons"
	"github.com/anchor-deploy/anchor/internal/project"
)

// CronRecords stores what is known of crons, for many processes.
type CronRecords interface {
	crons.Records
	crons.Locks
	// TakeCronRun returns a run for the one process that continues it. ok is false when another one
	// does, or the run has ended.
	TakeCronRun(ctx context.Context, p anchor.ProjectID, id string) (r anchor.CronRun, ok bool, err error)
	// PruneCronRuns deletes old runs of a project.
	PruneCronRuns(ctx context.Context, p anchor.ProjectID) error
}

// CronPlatform requests the paths of crons.
type CronPlatform interface {
	// AskCron requests a path of a deployment. secret is the app's CRON_SECRET, "" when it has none.
	AskCron(ctx context.Context, d anchor.Deployment, secret, path, id, schedule string) (status int, location string, err error)
	// Warm keeps instances of a project's live functions started, so many of each as the map says, by the
	// functions' names in the build.
	Warm(ctx context.Context, p anchor.ProjectID, instances map[string]int32) error
}

// cronTimeout is how long the path of a cron may take: the crons handler's 900 s, less the time for the
// records before and after.
const cronTimeout = 14*time.Minute + 30*time.Second

// cronHandler runs the crons and the warmers of all projects.
type cronHandler struct {
	warm    func(ctx context.Context, p anchor.ProjectID, instances map[string]int32) error
	service *crons.Service
	records CronRecords
}

// cronServices returns the service of the crons handler, and that of the API, which lets the handler do
// the requests.
func (p Parts) cronServices(env *project.Env) (handler, api *crons.Service) {
	config := crons.Config{Records: p.Crons, Locks: p.Crons, Log: p.Log, Timeout: cronTimeout}
	config.Ask = func(ctx context.Context, d anchor.Deployment, path, id, schedule string) (int, string, error) {
		vars, err := env.Locked(ctx, d.ID)
		if err != nil {
			return 0, "", err
		}
		return p.Cloud.AskCron(ctx, d, vars[cronSecret], path, id, schedule)
	}
	handler = crons.New(config)
	config.Dispatch = func(ctx context.Context, r anchor.CronRun) error {
		return p.DispatchCron(ctx, schedule.Event{ProjectID: r.ProjectID, RunID: r.ID})
	}
	return handler, crons.New(config)
}

// cronSecret is the variable of an app that proves to it that a request comes from a cron of its own.
const cronSecret = "CRON_SECRET"

// Crons accepts a schedule.Event: of a schedule, which may be that of a warmer, or of the API for a run that somebody asked for. It
// returns when the path has answered. Any event may come again: the records let one run begin.
func (h *Handlers) Crons(ctx context.Context, raw json.RawMessage) (any, error) {
	var e schedule.Event
	if err := json.Unmarshal(raw, &e); err != nil {
		return nil, fmt.Errorf("read the event: %w", err)
	}
	err := h.crons.handle(ctx, e)
	if err != nil {
		h.log.ErrorContext(ctx, "the crons handler failed", "projectId", e.ProjectID, "cause", err.Error(), "hint", anchor.HintOf(err))
	}
	return nil, err
}

func (h *cronHandler) handle(ctx context.Context, e schedule.Event) error {
	if h.service == nil {
		return anchor.Invalid("no_crons", "this installation runs no crons").Hintf("Upgrade it: anchor aws bootstrap")
	}
	defer h.service.Wait()
	switch {
	case e.ProjectID != "" && e.Cron == nil && e.RunID == "" && len(e.Warm) > 0:
		return h.warm(ctx, e.ProjectID, e.Warm)
	case e.ProjectID == "" || (e.Cron == nil) == (e.RunID == "") || len(e.Warm) > 0:
		return anchor.Invalid("unknown_event", "the crons handler does not know the event").
			Hintf("Schedules send projectId and cron, or projectId and warm, the API projectId and runId. To run a cron now, run anchor crons run PATH")
	case e.RunID != "":
		run, ok, err := h.records.TakeCronRun(ctx, e.ProjectID, e.RunID)
		if err != nil || !ok {
			return err
		}
		return h.service.Continue(ctx, run)
	}
	if err := h.service.Fire(ctx, e.ProjectID, *e.Cron); err != nil {
		return err
	}
	return h.prune(ctx, e.ProjectID)
}

// pruneEvery is the part of events after which old runs are deleted, which reads all runs of a project.
const pruneEvery = 16

func (h *cronHandler) prune(ctx context.Context, p anchor.ProjectID) error {
	if rand.N(pruneEvery) != 0 {
		return nil
	}
	return h.records.PruneCronRuns(ctx, p)
}
