package api

import (
	"context"
	"net/http"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

func (s *server) cronRoutes() {
	const all = "/projects/{projectId}/crons"
	handleRoute(s, newOperation("list-crons", http.MethodGet, all, anchor.ScopeRead, "List the crons of the live deployment", 404, 501), s.listCrons)
	handleRoute(s, newOperation("list-cron-runs", http.MethodGet, all+"/runs", anchor.ScopeRead, "List runs of crons, newest first", 404, 501), s.listCronRuns)
	start := newOperation("start-cron", http.MethodPost, all+"/runs", anchor.ScopeDeploy, "Run a cron now", 404, 409, 501)
	start.DefaultStatus = http.StatusAccepted
	handleRoute(s, start, s.startCron)
	handleRoute(s, newOperation("pause-cron", http.MethodPut, all+"/pause", anchor.ScopeDeploy, "Pause a cron, or let it run again", 404, 501), s.pauseCron)
}

// cronsOf returns the project of a route about crons, and refuses a platform that runs none.
func (s *server) cronsOf(ctx context.Context, in InProject) (anchor.Project, error) {
	p, err := s.Projects.Get(ctx, in.ProjectID)
	if err == nil && s.Crons == nil {
		err = newProblem(http.StatusNotImplemented, "no_crons", "this server does not run crons",
			"Upgrade the server.")
	}
	return p, err
}

func (s *server) listCrons(ctx context.Context, in *InProject) (*body[wire.Items[anchor.CronState]], error) {
	p, err := s.cronsOf(ctx, *in)
	if err != nil {
		return nil, err
	}
	return cronStates(s.Crons.List(ctx, p.ID))
}

func cronStates(states []anchor.CronState, err error) (*body[wire.Items[anchor.CronState]], error) {
	if err != nil {
		return nil, err
	}
	return answerWith(wire.Items[anchor.CronState]{Items: states}), nil
}

func (s *server) listCronRuns(ctx context.Context, in *struct {
	InProject
	Path  string `query:"path" maxLength:"512" doc:"Only runs of this path"`
	Limit int    `query:"limit" minimum:"1" maximum:"1000" default:"50"`
}) (*body[wire.Items[anchor.CronRun]], error) {
	p, err := s.cronsOf(ctx, in.InProject)
	if err != nil {
		return nil, err
	}
	runs, err := s.Crons.Runs(ctx, p.ID, in.Path, in.Limit)
	if err != nil {
		return nil, err
	}
	return answerWith(wire.Items[anchor.CronRun]{Items: runs}), nil
}

func (s *server) startCron(ctx context.Context, in *struct {
	InProject
	Body wire.StartCron
}) (*body[anchor.CronRun], error) {
	p, err := s.cronsOf(ctx, in.InProject)
	if err != nil {
		return nil, err
	}
	run, err := s.Crons.Start(ctx, p.ID, in.Body.Path)
	if err != nil {
		return nil, err
	}
	return answerWith(run), nil
}

func (s *server) pauseCron(ctx context.Context, in *struct {
	InProject
	Body wire.PauseCron
}) (*body[wire.Items[anchor.CronState]], error) {
	p, err := s.cronsOf(ctx, in.InProject)
	if err != nil {
		return nil, err
	}
	return cronStates(s.Crons.Pause(ctx, p.ID, in.Body.Path, in.Body.Paused))
}
