package server

import (
	"context"
	"fmt"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/local/alerts"
	"github.com/anchor-deploy/anchor/internal/local/series"
	"github.com/anchor-deploy/anchor/internal/project/secret"
)

func (a *app) openAlerts(box *secret.Box) {
	a.alerts = alerts.New(alerts.Config{Records: a.store, Box: box, Log: a.Log})
	a.onClose(a.alerts.Close)
	a.highRates = map[string]bool{}
	a.errors.OnAppear(func(p anchor.ProjectID, g anchor.ErrorGroup) {
		alert := anchor.Alert{Event: "new-error", Key: "new-error " + string(p) + " " + g.ID, ProjectID: p, Title: "new error: " + g.Title, Text: g.Location}
		if len(g.Deployments) > 0 {
			alert.Deployment = g.Deployments[0].DeploymentID
		}
		go a.raise(alert)
	})
}

// alertFailure is called with each event of a deployment.
func (a *app) alertFailure(id anchor.DeploymentID, e anchor.Event) {
	if e.Status != anchor.BuildFailed && e.Status != anchor.DeployFailed {
		return
	}
	go func() {
		d, err := a.store.Deployment(context.Background(), id)
		if err != nil {
			return // removed with its project
		}
		a.raise(anchor.Alert{
			Event: "failed-deploy", Key: "failed-deploy " + string(id), ProjectID: d.ProjectID, Deployment: id,
			Title: fmt.Sprintf("deployment %s failed: %s", id, d.Status), Text: d.ErrorMessage,
		})
	}()
}

// raise adds the project's name and reports.
func (a *app) raise(alert anchor.Alert) {
	if p, err := a.store.Project(context.Background(), alert.ProjectID); err == nil {
		alert.Project = p.Slug
	}
	a.alerts.Raise(alert)
}

const (
	ratesEvery  = time.Minute
	checksEvery = 5 * time.Minute

	// An app has an error rate worth an alert with so many errors within errorWindow that are so large a share of the requests. The alert
	// is over at half of that share, so that it does not come and go.
	errorWindow = 5 * time.Minute
	leastErrors = 20
	errorShare  = 0.05
)

// watchTroubles looks for troubles that begin and end, until ctx ends.
func (a *app) watchTroubles(ctx context.Context) {
	rates, checks := time.NewTicker(ratesEvery), time.NewTicker(checksEvery)
	defer rates.Stop()
	defer checks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-rates.C:
			if err := a.alertErrorRates(ctx); err != nil && ctx.Err() == nil {
				a.Log.Error("look for error rates", "error", err)
			}
		case <-checks.C:
			a.alertChecks(ctx)
		}
	}
}

// isHigh decides about an error rate, and so that it is not high any more only clearly below.
func isHigh(l series.Load, before bool) bool {
	share := float64(l.Errors) / float64(max(1, l.Requests))
	if before {
		return share >= errorShare/2
	}
	return l.Errors >= leastErrors && share >= errorShare
}

func (a *app) alertErrorRates(ctx context.Context) error {
	loads, err := a.history.Loads(ctx, time.Now().Add(-errorWindow))
	if err != nil {
		return err
	}
	for id := range a.highRates { // those without requests have no errors
		if _, busy := loads[id]; !busy {
			loads[id] = series.Load{}
		}
	}
	for id, l := range loads {
		high := isHigh(l, a.highRates[id])
		if high == a.highRates[id] {
			continue
		}
		if a.highRates[id] = high; !high {
			delete(a.highRates, id)
		}
		p, err := a.store.Project(ctx, anchor.ProjectID(id))
		if err != nil {
			continue // removed
		}
		a.alerts.Set(anchor.Alert{
			Event: "error-rate", Key: "error-rate " + id, ProjectID: p.ID, Project: p.Slug, Resolved: !high,
			Title: fmt.Sprintf("%.1f%% of the requests of the last %d minutes failed", 100*float64(l.Errors)/float64(max(1, l.Requests)), int(errorWindow.Minutes())),
			Text:  fmt.Sprintf("%d of %d requests were answered with a status of 5xx. See anchor stats and anchor errors.", l.Errors, l.Requests),
		})
	}
	return nil
}

// alertChecks reports the checks of anchor doctor that fail, but for the slow ones.
func (a *app) alertChecks(ctx context.Context) {
	for _, c := range a.quickChecks(ctx) {
		a.alerts.Set(anchor.Alert{Event: "server-check", Key: "server-check " + c.Name, Resolved: c.OK, Title: c.Name + ": " + c.Detail, Text: c.Hint})
	}
}
