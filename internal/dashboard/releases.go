package dashboard

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

func (d *Dashboard) releaseRoutes(mux *routes) {
	const all = root + "/projects/{project}/releases"
	const start = root + "/projects/{project}/deployments/{deployment}/split"
	mux.HandleFunc("GET "+all, d.page(inProject(showReleases)))
	mux.HandleFunc("POST "+all+"/weight", d.action(inProject(setWeight)))
	mux.HandleFunc("POST "+all+"/complete", d.action(inProject(completeSplit)))
	mux.HandleFunc("POST "+all+"/cancel", d.action(inProject(cancelSplit)))
	mux.HandleFunc("GET "+start, d.page(inProject(planSplit)))
	mux.HandleFunc("POST "+start, d.action(inProject(startSplit)))
}

// releasePage is what a page shows of the releases of a project.
type releasePage struct {
	Project wire.Project
	Split   *wire.ProjectSplit
	Items   []anchor.Release
	Next    string
	May     bool
}

func showReleases(r request, p wire.Project) (view, error) {
	page := releasePage{Project: p, May: r.may(p, anchor.ScopeDeploy)}
	var err error
	if page.Split, err = splitOf(r, p); err != nil {
		return view{}, err
	}
	list, err := r.api.Releases(r.Context(), p.Slug, anchor.Page{Limit: 30, Cursor: r.URL.Query().Get("cursor")})
	if err != nil {
		return view{}, err
	}
	page.Items, page.Next = list.Items, list.Next
	v := view{Title: "Releases of " + p.Slug, Section: "releases", Project: &p, Live: releaseList(page)}
	if page.Split != nil && page.May {
		v.Rest = splitForms(page)
	}
	return v, nil
}

// splitOf returns how the traffic of a project is divided, nil when it is not.
func splitOf(r request, p wire.Project) (*wire.ProjectSplit, error) {
	split, err := r.api.Split(r.Context(), p.Slug)
	if err != nil && anchor.KindOf(err) == anchor.KindNotFound {
		return nil, nil
	}
	return &split, err
}

// setWeight changes the share of the candidate, and keeps how the split divides and whether it is guarded.
func setWeight(r request, p wire.Project) (string, error) {
	split, err := r.api.Split(r.Context(), p.Slug)
	if err != nil {
		return "", err
	}
	weight, err := percentage(r.PostFormValue("weight"))
	if err != nil {
		return "", err
	}
	plan := anchor.SplitPlan{Weight: weight, Sticky: split.Sticky, Guard: split.Guard, EverySeconds: split.EverySeconds}
	plan.Then = slices.DeleteFunc(slices.Clone(split.Then), func(step int) bool { return step <= weight })
	if len(plan.Then) == 0 {
		plan.EverySeconds = 0
	}
	_, err = r.api.Promote(r.Context(), p.Slug, split.Deployment, wire.Promote{Split: &plan})
	return done(projectAddress(p, "releases"), "split-moved"), err
}

func percentage(text string) (int, error) {
	n, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(text), "%")))
	if err != nil {
		return 0, anchor.Invalid("bad_split", "%q is not a percentage", text).Hintf("Go back and enter a number from 1 to 99.")
	}
	return n, nil
}

func completeSplit(r request, p wire.Project) (string, error) {
	_, err := r.api.Promote(r.Context(), p.Slug, anchor.DeploymentID(r.PostFormValue("deployment")), wire.Promote{})
	return done(projectAddress(p, "releases"), "promoted"), err
}

func cancelSplit(r request, p wire.Project) (string, error) {
	_, err := r.api.CancelSplit(r.Context(), p.Slug)
	return done(projectAddress(p, "releases"), "split-canceled"), err
}

func planSplit(r request, p wire.Project) (view, error) {
	if err := r.require(p, anchor.ScopeDeploy); err != nil {
		return view{}, err
	}
	target, err := r.api.Deployment(r.Context(), p.Slug, anchor.DeploymentID(r.PathValue("deployment")))
	if err != nil {
		return view{}, err
	}
	live, err := r.api.Live(r.Context(), p.Slug)
	if err != nil {
		return view{}, err
	}
	if live.Deployment == target.Serves() {
		return view{}, anchor.Conflict("already_live", "%s is live and has all the traffic that is not another deployment's", target.Version).
			Hintf("Choose another deployment.")
	}
	return view{Title: "Release " + target.Version + " step by step", Section: "deployments", Project: &p, Rest: splitPlan(p, target, live)}, nil
}

// intervals are the times between two steps that the form offers, in seconds.
var intervals = []struct {
	Seconds int64
	Text    string
}{{60, "1 minute"}, {300, "5 minutes"}, {900, "15 minutes"}, {3600, "1 hour"}, {86400, "1 day"}}

func startSplit(r request, p wire.Project) (string, error) {
	plan, err := planOf(r.PostForm)
	if err != nil {
		return "", err
	}
	_, err = r.api.Promote(r.Context(), p.Slug, anchor.DeploymentID(r.PathValue("deployment")), wire.Promote{Split: &plan})
	return done(projectAddress(p, "releases"), "split-started"), err
}

// planOf reads the form of planSplit.
func planOf(form url.Values) (plan anchor.SplitPlan, err error) {
	if plan.Weight, err = percentage(form.Get("weight")); err != nil {
		return plan, err
	}
	plan.Sticky, plan.Guard = form.Get("sticky") != "", form.Get("guard") != ""
	for _, text := range strings.FieldsFunc(form.Get("then"), func(r rune) bool { return r == ',' || r == ' ' }) {
		step, err := percentage(text)
		if err != nil {
			return plan, err
		}
		plan.Then = append(plan.Then, step)
	}
	if len(plan.Then) > 0 {
		if plan.EverySeconds, err = strconv.ParseInt(form.Get("every"), 10, 64); err != nil {
			return plan, anchor.Invalid("bad_split", "%q is not a time between steps", form.Get("every")).Hintf("Go back and choose one.")
		}
	}
	return plan, anchor.CheckSplitPlan(plan)
}

// nextStep says what happens to a split by itself.
func nextStep(s wire.ProjectSplit) string {
	if len(s.Then) == 0 {
		return "It stays so until the next release."
	}
	steps := make([]string, len(s.Then))
	for i, weight := range s.Then {
		steps[i] = fmt.Sprintf("%d %%", weight)
	}
	if s.Waiting != "" {
		return fmt.Sprintf("Next: %s. %s", strings.Join(steps, ", "), s.Waiting)
	}
	return fmt.Sprintf("Next: %s, the first in %s.", strings.Join(steps, ", "), span(max(0, time.Until(time.UnixMilli(s.NextAt)))))
}

// errorShare returns the share of requests that failed, "–" without requests.
func errorShare(s anchor.SplitShare) string {
	if s.Requests == 0 {
		return "–"
	}
	return percent(float64(s.Errors) / float64(s.Requests))
}

// endText says how a split ended.
func endText(end anchor.SplitEnd) string {
	switch end.Reason {
	case anchor.SplitCompleted:
		return fmt.Sprintf("%s was at %d %% before", end.Version, end.Weight)
	case anchor.SplitCanceled:
		return fmt.Sprintf("%s was canceled at %d %%", end.Version, end.Weight)
	case anchor.SplitRegressed:
		return fmt.Sprintf("The guard took %s back at %d %%", end.Version, end.Weight)
	}
	return fmt.Sprintf("%s was replaced at %d %%", end.Version, end.Weight)
}

// sides returns what both deployments of a split have answered, zeros where it is not counted.
func sides(e *anchor.Evidence) (live, candidate anchor.SplitShare) {
	if e == nil {
		return live, candidate
	}
	return e.Live, e.Candidate
}
