package dashboard

import (
	"strconv"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

func (d *Dashboard) settingRoutes(mux *routes) {
	const p = root + "/projects/{project}"
	mux.HandleFunc("GET "+p+"/settings", d.page(inProject(showSettings)))
	mux.HandleFunc("POST "+p+"/limits", d.action(inProject(setLimits)))
	mux.HandleFunc("POST "+p+"/delete", d.action(inProject(deleteProject)))
}

func showSettings(r request, p wire.Project) (view, error) {
	limits, err := r.api.Limits(r.Context(), p.Slug)
	if err != nil {
		return view{}, err
	}
	return view{
		Title: "Settings of " + p.Slug, Section: "settings", Project: &p,
		Rest: settingsPage(p, limits, r.may(p, anchor.ScopeDeploy), r.may(p, anchor.ScopeAdmin)),
	}, nil
}

func setLimits(r request, p wire.Project) (string, error) {
	var l anchor.Limits
	for _, field := range []struct {
		name  string
		scale float64
		into  *int64
	}{{"memory", 1 << 20, &l.MemoryBytes}, {"cpu", 1000, &l.CPUMillis}, {"processes", 1, &l.Processes}} {
		text := strings.TrimSpace(r.PostFormValue(field.name))
		if text == "" {
			continue
		}
		n, err := strconv.ParseFloat(text, 64)
		if err != nil || n < 0 || n > 1<<40 {
			return "", anchor.Invalid("bad_limits", "%q is not a number", text).Hintf("Go back and enter a number, or nothing for no limit.")
		}
		*field.into = int64(n * field.scale)
	}
	_, err := r.api.SetLimits(r.Context(), p.Slug, l)
	return done(projectAddress(p, "settings"), "limits-set"), err
}

func deleteProject(r request, p wire.Project) (string, error) {
	if r.PostFormValue("confirm") != p.Slug {
		return "", anchor.Invalid("not_confirmed", "the project was not deleted, because its name was not entered").
			Hintf("Go back and enter %s to delete the project.", p.Slug)
	}
	_, err := r.api.DeleteProject(r.Context(), p.Slug)
	return done(root, "deleted"), err
}
