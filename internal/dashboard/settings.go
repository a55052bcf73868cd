package dashboard

import (
	"slices"
	"strconv"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

func (d *Dashboard) settingRoutes(mux *routes) {
	const p = root + "/projects/{project}"
	mux.HandleFunc("GET "+p+"/env", d.page(inProject(showEnv)))
	mux.HandleFunc("POST "+p+"/env", d.action(inProject(setEnv)))
	mux.HandleFunc("POST "+p+"/env/remove", d.action(inProject(removeEnv)))
	mux.HandleFunc("GET "+p+"/settings", d.page(inProject(showSettings)))
	mux.HandleFunc("POST "+p+"/limits", d.action(inProject(setLimits)))
	mux.HandleFunc("POST "+p+"/purge", d.action(inProject(purgeCache)))
	mux.HandleFunc("POST "+p+"/delete", d.action(inProject(deleteProject)))
}

func showEnv(r request, p wire.Project) (view, error) {
	vars, err := r.api.Env(r.Context(), p.Slug, false)
	if err != nil {
		return view{}, err
	}
	slices.SortFunc(vars, func(a, b anchor.EnvVar) int { return a.Slot().Compare(b.Slot()) })
	may := r.may(p, anchor.ScopeDeploy)
	return view{Title: "Variables of " + p.Slug, Section: "env", Project: &p, Live: variableTable(p, vars, may), Rest: setVariableForm(p, may)}, nil
}

func setEnv(r request, p wire.Project) (string, error) {
	// A browser sends line breaks of a textarea as CRLF (HTML Living Standard, §4.10.21.7).
	value := strings.ReplaceAll(r.PostFormValue("value"), "\r\n", "\n")
	err := r.api.SetEnv(r.Context(), p.Slug, []wire.SetVar{{
		Name: strings.TrimSpace(r.PostFormValue("name")), Value: value, For: anchor.EnvPhase(r.PostFormValue("for")),
		Environment: anchor.Environment(r.PostFormValue("environment")), Branch: strings.TrimSpace(r.PostFormValue("branch")),
	}})
	return done(projectAddress(p, "env"), "env-set"), err
}

func removeEnv(r request, p wire.Project) (string, error) {
	slot := anchor.EnvSlot{Name: r.PostFormValue("name"), Environment: anchor.Environment(r.PostFormValue("environment")), Branch: r.PostFormValue("branch")}
	return done(projectAddress(p, "env"), "env-removed"), r.api.RemoveEnv(r.Context(), p.Slug, slot)
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

func purgeCache(r request, p wire.Project) (string, error) {
	which := wire.PurgeCache{Prefix: strings.TrimSpace(r.PostFormValue("prefix")), Tag: strings.TrimSpace(r.PostFormValue("tag"))}
	if which.Prefix == "" && which.Tag == "" {
		which.Prefix = "/"
	}
	_, err := r.api.PurgeCache(r.Context(), p.Slug, which)
	return done(projectAddress(p, "settings"), "purged"), err
}

func deleteProject(r request, p wire.Project) (string, error) {
	if r.PostFormValue("confirm") != p.Slug {
		return "", anchor.Invalid("not_confirmed", "the project was not deleted, because its name was not entered").
			Hintf("Go back and enter %s to delete the project.", p.Slug)
	}
	_, err := r.api.DeleteProject(r.Context(), p.Slug)
	return done(root, "deleted"), err
}
