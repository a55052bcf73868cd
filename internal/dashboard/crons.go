package dashboard

import (
	"net/url"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

func (d *Dashboard) cronRoutes(mux *routes) {
	const all = root + "/projects/{project}/crons"
	mux.HandleFunc("GET "+all, d.page(inProject(showCrons)))
	mux.HandleFunc("POST "+all+"/run", d.action(inProject(runCron)))
	mux.HandleFunc("POST "+all+"/pause", d.action(inProject(pauseCron)))
}

// cronPage is what a page shows of the crons of a project.
type cronPage struct {
	Project wire.Project
	Crons   []anchor.CronState
	Runs    []anchor.CronRun
	Path    string // the cron whose runs are shown, "" for all
	May     bool
}

// mostRuns is how many runs the page shows.
const mostRuns = 50

func showCrons(r request, p wire.Project) (view, error) {
	page := cronPage{Project: p, Path: r.URL.Query().Get("path"), May: r.may(p, anchor.ScopeDeploy)}
	var err error
	if page.Crons, err = r.api.Crons(r.Context(), p.Slug); err != nil {
		return view{}, err
	}
	if page.Runs, err = r.api.CronRuns(r.Context(), p.Slug, page.Path, mostRuns); err != nil {
		return view{}, err
	}
	return view{Title: "Crons of " + p.Slug, Section: "crons", Project: &p, Live: cronList(page)}, nil
}

func runCron(r request, p wire.Project) (string, error) {
	_, err := r.api.StartCron(r.Context(), p.Slug, r.PostFormValue("path"))
	return done(projectAddress(p, "crons"), "cron-started"), err
}

func pauseCron(r request, p wire.Project) (string, error) {
	pause, what := r.PostFormValue("paused") == "yes", "cron-resumed"
	if pause {
		what = "cron-paused"
	}
	_, err := r.api.PauseCron(r.Context(), p.Slug, r.PostFormValue("path"), pause)
	return done(projectAddress(p, "crons"), what), err
}

func runTone(s anchor.CronStatus) string {
	switch s {
	case anchor.CronSucceeded:
		return "good"
	case anchor.CronFailed, anchor.CronInterrupted:
		return "bad"
	case anchor.CronRunning:
		return "busy"
	}
	return "calm"
}

func (c cronPage) runsOf(path string) string {
	return projectAddress(c.Project, "crons") + "?" + url.Values{"path": {path}}.Encode()
}

// logsOf returns the page of the lines that the app logged in a run's deployment for its path.
func (c cronPage) logsOf(run anchor.CronRun) string {
	path, _, _ := strings.Cut(run.Path, "?")
	return projectAddress(c.Project, "logs") + logSearch{Path: path, Deployment: string(run.DeploymentID), Last: "24h"}.query()
}
