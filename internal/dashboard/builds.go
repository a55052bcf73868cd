package dashboard

import (
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

func (d *Dashboard) buildRoutes(mux *routes) {
	const all = root + "/projects/{project}/builds"
	mux.HandleFunc("GET "+all, d.page(inProject(showBuilds)))
	mux.HandleFunc("POST "+all+"/{deployment}/retry", d.action(inProject(retryBuild)))
	mux.HandleFunc("POST "+all+"/{deployment}/cancel", d.action(inProject(cancelBuild)))
	mux.HandleFunc("GET "+root+"/projects/{project}/deployments/{deployment}/redeploy", d.page(inProject(confirmRedeploy)))
	mux.HandleFunc("POST "+root+"/projects/{project}/deployments/{deployment}/redeploy", d.action(inProject(redeploy)))
}

// buildList is a page of builds. Waiting are those of the first page that have not begun, the next one first.
type buildList struct {
	Project wire.Project
	Items   []wire.Deployment
	Waiting map[anchor.DeploymentID]int // place in the queue, from 1
	Next    string
	May     bool
}

func showBuilds(r request, p wire.Project) (view, error) {
	list, err := r.api.Builds(r.Context(), p.Slug, anchor.Page{Limit: 30, Cursor: r.URL.Query().Get("cursor")})
	if err != nil {
		return view{}, err
	}
	b := buildList{Project: p, Items: list.Items, Next: list.Next, Waiting: map[anchor.DeploymentID]int{}, May: r.may(p, anchor.ScopeDeploy)}
	for i := len(list.Items) - 1; i >= 0; i-- {
		if list.Items[i].Status == anchor.Queued {
			b.Waiting[list.Items[i].ID] = len(b.Waiting) + 1
		}
	}
	return view{Title: "Builds of " + p.Slug, Section: "deployments", Project: &p, Live: buildTable(b)}, nil
}

func retryBuild(r request, p wire.Project) (string, error) {
	again, err := r.api.RetryBuild(r.Context(), p.Slug, anchor.DeploymentID(r.PathValue("deployment")))
	return done(projectAddress(p, "deployments", string(again.ID)), "redeployed"), err
}

func cancelBuild(r request, p wire.Project) (string, error) {
	_, err := r.api.CancelBuild(r.Context(), p.Slug, anchor.DeploymentID(r.PathValue("deployment")))
	return done(projectAddress(p, "builds"), "canceled"), err
}

func confirmRedeploy(r request, p wire.Project) (view, error) {
	if err := r.require(p, anchor.ScopeDeploy); err != nil {
		return view{}, err
	}
	of, err := r.api.Deployment(r.Context(), p.Slug, anchor.DeploymentID(r.PathValue("deployment")))
	if err != nil {
		return view{}, err
	}
	preview := p.ScopeOf(of.Branch, of.NoRelease).Environment == anchor.EnvPreview
	return view{Title: "Redeploy " + shortID(of.ID), Section: "deployments", Project: &p, Rest: redeployPage(p, of, preview)}, nil
}

// redeploy deploys the files of a deployment once more with the run-time variables of now, as anchor redeploy does.
func redeploy(r request, p wire.Project) (string, error) {
	of, err := r.api.Deployment(r.Context(), p.Slug, anchor.DeploymentID(r.PathValue("deployment")))
	if err != nil {
		return "", err
	}
	preview := p.ScopeOf(of.Branch, of.NoRelease).Environment == anchor.EnvPreview
	started, err := r.api.Start(r.Context(), p.Slug, wire.StartDeployment{
		FilesOf: of.Serves(), CommitSha: of.CommitSha, CommitMessage: of.CommitMessage, Branch: of.Branch, PullRequest: of.PullRequest,
		NoRelease: preview && r.PostFormValue("prod") == "",
	})
	if err != nil {
		return "", err
	}
	if _, err := r.api.Finish(r.Context(), p.Slug, started.Deployment.ID); err != nil {
		_, _ = r.api.Cancel(r.Context(), p.Slug, started.Deployment.ID) // the error of Finish is the one to report
		return "", err
	}
	return done(projectAddress(p, "deployments", string(started.Deployment.ID)), "redeployed"), nil
}

// buildTime returns how long a build took, or has taken until now.
func buildTime(d wire.Deployment, now time.Time) string {
	end := d.DeployedAt
	if !d.Status.Ended() {
		end = now.UnixMilli()
	}
	if end <= d.CreatedAt {
		return "–"
	}
	return span(time.Duration(end-d.CreatedAt) * time.Millisecond)
}
