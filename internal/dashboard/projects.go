package dashboard

import (
	"net/http"
	"slices"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

func (d *Dashboard) projectRoutes(mux *routes) {
	mux.HandleFunc("GET "+root, d.continueVisit(d.page(showProjects)))
	mux.HandleFunc("GET "+root+"/{$}", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, root, http.StatusSeeOther) })
	mux.HandleFunc("POST "+root+"/projects", d.action(createProject))
	mux.HandleFunc("GET "+root+"/projects/{project}", d.page(inProject(showProject)))
	mux.HandleFunc("GET "+root+"/projects/{project}/series", d.sendSeries)
}

// projectRow is a project in the list.
type projectRow struct {
	wire.Project
	Last     *wire.Deployment
	Live     *anchor.Live
	Requests int64
	Errors   int64
	Spark    string // points of a polyline in a box of 120 by 28
}

// mostProjects is how many projects the list shows.
const mostProjects = 100

func showProjects(r request) (view, error) {
	list, err := r.api.Projects(r.Context(), anchor.Page{Limit: mostProjects})
	if err != nil {
		return view{}, err
	}
	rows := make([]projectRow, 0, len(list.Items))
	for _, p := range list.Items {
		row := projectRow{Project: p}
		live, err := r.api.Live(r.Context(), p.Slug)
		if err == nil {
			row.Live = &live
		} else if anchor.KindOf(err) != anchor.KindNotFound { // which is one that was never live
			return view{}, err
		}
		deployments, err := r.api.Deployments(r.Context(), p.Slug, anchor.Page{Limit: 1})
		if anchor.KindOf(err) == anchor.KindNotFound && err != nil {
			continue // deleted meanwhile
		}
		if err != nil {
			return view{}, err
		}
		if len(deployments.Items) > 0 {
			row.Last = &deployments.Items[0]
		}
		if series, err := r.api.Series(r.Context(), p.Slug, 24*time.Hour, 48); err == nil { // the list is useful without
			row.Spark, row.Requests, row.Errors = sparkline(series.Points)
		}
		rows = append(rows, row)
	}
	return view{Title: "Projects", Section: "projects", Every: 5 * time.Second, Live: projectList(rows), Rest: newProject(r.me.Role.Allows(anchor.ScopeDeploy))}, nil
}

func createProject(r request) (string, error) {
	p, err := r.api.CreateProject(r.Context(), r.PostFormValue("slug"), r.PostFormValue("branch"))
	if err != nil {
		return "", err
	}
	return done(projectAddress(p), "created"), nil
}

// overview is the first page of a project.
type overview struct {
	Project  wire.Project
	Live     *wire.Deployment
	Last     *wire.Deployment
	Stats    wire.Stats
	Releases []anchor.Release
	Previous *anchor.Release // whose deployment was live before; nil for none
	Split    *wire.ProjectSplit
	New      int // groups of errors that came with the live deployment
	Range    string
	May      bool // promote and roll back
}

// ranges are the times that plots can show.
var ranges = []struct {
	Name, Text string
	Last       time.Duration
}{{"1h", "1 hour", time.Hour}, {"24h", "24 hours", 24 * time.Hour}, {"7d", "7 days", 7 * 24 * time.Hour}, {"30d", "30 days", 30 * 24 * time.Hour}}

func rangeOf(name string) (string, time.Duration) {
	for _, one := range ranges {
		if one.Name == name {
			return one.Name, one.Last
		}
	}
	return ranges[0].Name, ranges[0].Last
}

func showProject(r request, p wire.Project) (view, error) {
	o := overview{Project: p, May: r.may(p, anchor.ScopeDeploy)}
	var last time.Duration
	var err error
	o.Range, last = rangeOf(r.URL.Query().Get("range"))
	if o.Stats, err = r.api.Stats(r.Context(), p.Slug, last); err != nil {
		return view{}, err
	}
	releases, err := r.api.Releases(r.Context(), p.Slug, anchor.Page{Limit: 8})
	if err != nil {
		return view{}, err
	}
	o.Releases = releases.Items
	list, err := r.api.Deployments(r.Context(), p.Slug, anchor.Page{Limit: 1})
	if err != nil {
		return view{}, err
	}
	if len(list.Items) > 0 {
		o.Last = &list.Items[0]
	}
	if len(o.Releases) > 0 {
		live, err := r.api.Deployment(r.Context(), p.Slug, o.Releases[0].Deployment)
		if err != nil {
			return view{}, err
		}
		o.Live = &live
		if at := slices.IndexFunc(o.Releases, func(r anchor.Release) bool { return r.Deployment != live.ID && r.Deployment != live.Serves() }); at > 0 {
			o.Previous = &o.Releases[at]
		}
	}
	if o.Split, err = splitOf(r, p); err != nil {
		return view{}, err
	}
	if groups, err := r.api.Errors(r.Context(), p.Slug, "", mostGroups); err == nil { // not every platform has groups
		for _, g := range groups {
			if g.New {
				o.New++
			}
		}
	}
	v := view{Title: p.Slug, Section: "overview", Project: &p, Live: projectOverview(o)}
	if o.Last != nil {
		v.Rest, v.Scripts, v.Styles = plots(o), []string{"uplot-1.6.32.js", "plot.js"}, []string{"uplot-1.6.32.css"}
	}
	return v, nil
}

// sendSeries answers the script of the plots with JSON.
func (d *Dashboard) sendSeries(w http.ResponseWriter, r *http.Request) {
	in, ok := d.enter(w, r)
	if !ok {
		return
	}
	_, last := rangeOf(r.URL.Query().Get("range"))
	series, err := in.api.Series(r.Context(), r.PathValue("project"), last, 180)
	if err != nil {
		writeJSON(w, statusOf(err), describeProblem(err))
		return
	}
	writeJSON(w, http.StatusOK, series)
}
