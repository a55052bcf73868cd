package dashboard

import (
	"net/url"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

func (d *Dashboard) errorRoutes(mux *routes) {
	const all = root + "/projects/{project}/errors"
	mux.HandleFunc("GET "+all, d.page(inProject(showErrors)))
	mux.HandleFunc("GET "+all+"/{error}", d.page(inProject(showError)))
}

// mostGroups is how many groups of errors a page shows.
const mostGroups = 100

func showErrors(r request, p wire.Project) (view, error) {
	deployment := anchor.DeploymentID(r.URL.Query().Get("deployment"))
	groups, err := r.api.Errors(r.Context(), p.Slug, deployment, mostGroups)
	if err != nil {
		return view{}, err
	}
	return view{Title: "Errors of " + p.Slug, Section: "errors", Project: &p, Live: errorList(p, deployment, groups)}, nil
}

// errorPage is all that is shown of a group of errors.
type errorPage struct {
	Project wire.Project
	wire.ErrorGroup
	Logged []loggedBy
}

// loggedBy is a deployment that logged the errors of a group. Its record is nil when it is not kept.
type loggedBy struct {
	anchor.ErrorCount
	Record *wire.Deployment
}

// mostLogged is how many deployments the page of a group describes.
const mostLogged = 20

func showError(r request, p wire.Project) (view, error) {
	group, err := r.api.Error(r.Context(), p.Slug, r.PathValue("error"))
	if err != nil {
		return view{}, err
	}
	page := errorPage{Project: p, ErrorGroup: group}
	for _, count := range group.Deployments[:min(len(group.Deployments), mostLogged)] {
		one := loggedBy{ErrorCount: count}
		record, err := r.api.Deployment(r.Context(), p.Slug, count.DeploymentID)
		if err == nil {
			one.Record = &record
		} else if anchor.KindOf(err) != anchor.KindNotFound {
			return view{}, err
		}
		page.Logged = append(page.Logged, one)
	}
	return view{Title: firstLine(group.Title), Section: "errors", Project: &p, Live: errorView(page)}, nil
}

// logsOf returns the page of the lines of a group's last request, or of the deployment that logged it.
func (e errorPage) logs() string {
	q := url.Values{"deployment": {string(e.Sample.DeploymentID)}}
	if e.Sample.RequestID != "" {
		q = url.Values{"request": {e.Sample.RequestID}}
	}
	return projectAddress(e.Project, "logs") + "?" + q.Encode()
}
