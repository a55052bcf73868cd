package dashboard

import (
	"slices"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

func (d *Dashboard) deploymentRoutes(mux *routes) {
	const all = root + "/projects/{project}/deployments"
	const one = all + "/{deployment}"
	mux.HandleFunc("GET "+all, d.page(inProject(showDeployments)))
	mux.HandleFunc("GET "+one, d.page(inProject(showDeployment)))
	mux.HandleFunc("GET "+one+"/log", d.streamBuildLog)
	for _, kind := range []string{"promote", "rollback"} {
		mux.HandleFunc("GET "+one+"/"+kind, d.page(inProject(func(r request, p wire.Project) (view, error) { return confirmSwitch(r, p, kind) })))
	}
	mux.HandleFunc("POST "+one+"/promote", d.action(inProject(promote)))
	mux.HandleFunc("POST "+one+"/rollback", d.action(inProject(rollBack)))
	mux.HandleFunc("POST "+one+"/cancel", d.action(inProject(cancelDeployment)))
}

// deploymentList is a page of deployments and what selects them.
type deploymentList struct {
	Project       wire.Project
	Items         []wire.Deployment
	Next          string
	Query, Status string
	May           bool
}

// mostSearched is how many deployments a filter looks at for one page.
const mostSearched = 500

func showDeployments(r request, p wire.Project) (view, error) {
	q := r.URL.Query()
	l := deploymentList{Project: p, Query: strings.TrimSpace(q.Get("q")), Status: q.Get("state"), May: r.may(p, anchor.ScopeDeploy)}
	page := anchor.Page{Limit: 30, Cursor: q.Get("cursor")}
	for looked := 0; ; {
		list, err := r.api.Deployments(r.Context(), p.Slug, page)
		if err != nil {
			return view{}, err
		}
		looked += len(list.Items)
		for _, one := range list.Items {
			if l.selects(one) {
				l.Items = append(l.Items, one)
			}
		}
		l.Next, page.Cursor = list.Next, list.Next
		if list.Next == "" || len(l.Items) >= 20 || looked >= mostSearched {
			break
		}
	}
	return view{Title: "Deployments of " + p.Slug, Section: "deployments", Project: &p, Live: deploymentTable(l), Rest: nil}, nil
}

// states are the values of the filter.
var states = []struct{ Name, Text string }{
	{"", "all"}, {"running", "running"}, {"ready", "ready"}, {"failed", "failed"},
}

func (l deploymentList) selects(d wire.Deployment) bool {
	switch l.Status {
	case "running":
		if d.Status.Ended() {
			return false
		}
	case "ready":
		if d.Status != anchor.Deployed {
			return false
		}
	case "failed":
		if d.Status != anchor.BuildFailed && d.Status != anchor.DeployFailed {
			return false
		}
	}
	text := strings.ToLower(strings.Join([]string{d.Branch, d.CommitMessage, d.CommitSha, string(d.ID), d.Version, d.CreatedBy}, "\n"))
	return strings.Contains(text, strings.ToLower(l.Query))
}

// deploymentPage is all that is shown of one deployment.
type deploymentPage struct {
	Project wire.Project
	wire.Deployment
	Steps   []stepRow
	May     bool
	HasLog  bool
	IsEnded bool
	HasLive bool // a deployment is live, beside which this one can get a share of the traffic

	Errors   int // groups of errors that it logged
	Source   source
	Contents *wire.Contents // nil when its files are not kept
}

// stepRow is a step of the pipeline.
type stepRow struct {
	Name, State string // State: running, done or failed
	DurationMS  int64
	Notes       []string
}

func showDeployment(r request, p wire.Project) (view, error) {
	id := anchor.DeploymentID(r.PathValue("deployment"))
	one, err := r.api.Deployment(r.Context(), p.Slug, id)
	if err != nil {
		return view{}, err
	}
	page := deploymentPage{
		Project: p, Deployment: one, May: r.may(p, anchor.ScopeDeploy), HasLog: one.Source == anchor.SourcePush, IsEnded: one.Status.Ended(),
	}
	events, err := r.api.PastEvents(r.Context(), p.Slug, one.ID)
	if err != nil {
		return view{}, err
	}
	page.Steps = stepsOf(events)
	contents, err := r.api.Contents(r.Context(), p.Slug, id)
	if err == nil {
		page.Contents = &contents
	} else if anchor.KindOf(err) != anchor.KindNotFound {
		return view{}, err
	}
	if page.Source, err = r.sourceOf(p, one.Deployment); err != nil {
		return view{}, err
	}
	if page.HasLive, err = r.hasLive(p); err != nil {
		return view{}, err
	}
	if groups, err := r.api.Errors(r.Context(), p.Slug, one.ID, mostGroups); err == nil { // not every platform has groups
		page.Errors = len(groups)
	}
	v := view{Title: "Deployment " + shortID(one.ID), Section: "deployments", Project: &p, Live: deploymentView(page)}
	if page.HasLog {
		v.Rest = logBox("Build log", projectAddress(p, "deployments", string(one.ID), "log"), "The build has printed nothing yet.")
	}
	return v, nil
}

func (r request) hasLive(p wire.Project) (bool, error) {
	_, err := r.api.Live(r.Context(), p.Slug)
	if anchor.KindOf(err) == anchor.KindNotFound {
		return false, nil
	}
	return err == nil, err
}

func stepsOf(events []anchor.Event) (rows []stepRow) {
	row := func(name string) *stepRow {
		at := slices.IndexFunc(rows, func(s stepRow) bool { return s.Name == name })
		if at < 0 {
			rows = append(rows, stepRow{Name: name, State: "running"})
			at = len(rows) - 1
		}
		return &rows[at]
	}
	for _, e := range events {
		if e.Step == "" {
			continue
		}
		s := row(e.Step)
		switch e.Phase {
		case anchor.StepStart: // a pass that was interrupted starts it again
			s.State, s.Notes = "running", nil
		case anchor.StepNote:
			s.Notes = append(s.Notes, e.Message)
		case anchor.StepEnd:
			s.State, s.DurationMS = "done", e.DurationMS
		case anchor.StepFail:
			s.State, s.DurationMS = "failed", e.DurationMS
			s.Notes = append(s.Notes, e.Message)
		}
	}
	return rows
}

// switchPage asks before the live deployment changes.
type switchPage struct {
	Project wire.Project
	Kind    string // promote or rollback
	Target  wire.Deployment
	Changes wire.Changes
}

func confirmSwitch(r request, p wire.Project, kind string) (view, error) {
	err := r.require(p, anchor.ScopeDeploy)
	if err != nil {
		return view{}, err
	}
	id := anchor.DeploymentID(r.PathValue("deployment"))
	s := switchPage{Project: p, Kind: kind}
	if s.Target, err = r.api.Deployment(r.Context(), p.Slug, id); err != nil {
		return view{}, err
	}
	if s.Changes, err = r.api.Changes(r.Context(), p.Slug, id, ""); err != nil {
		return view{}, err
	}
	title := "Promote " + s.Target.Version
	if kind == "rollback" {
		title = "Roll back to " + s.Target.Version
	}
	return view{Title: title, Section: "deployments", Project: &p, Rest: confirmPage(s, title)}, nil
}

func promote(r request, p wire.Project) (string, error) {
	force := r.PostFormValue("reload") != ""
	_, err := r.api.Promote(r.Context(), p.Slug, anchor.DeploymentID(r.PathValue("deployment")), wire.Promote{ForceReload: force})
	return done(projectAddress(p), "promoted"), err
}

func rollBack(r request, p wire.Project) (string, error) {
	force := r.PostFormValue("reload") != ""
	_, err := r.api.Rollback(r.Context(), p.Slug, wire.Rollback{TargetDeploymentID: anchor.DeploymentID(r.PathValue("deployment")), ForceReload: force})
	return done(projectAddress(p), "rolledback"), err
}

func cancelDeployment(r request, p wire.Project) (string, error) {
	one, err := r.api.Cancel(r.Context(), p.Slug, anchor.DeploymentID(r.PathValue("deployment")))
	return done(projectAddress(p, "deployments", string(one.ID)), "canceled"), err
}
