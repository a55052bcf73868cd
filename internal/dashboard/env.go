package dashboard

import (
	"slices"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

func (d *Dashboard) envRoutes(mux *routes) {
	const all = root + "/projects/{project}/env"
	mux.HandleFunc("GET "+all, d.page(inProject(showEnv)))
	mux.HandleFunc("POST "+all, d.action(inProject(setEnv)))
	mux.HandleFunc("POST "+all+"/import", d.action(inProject(importEnv)))
	mux.HandleFunc("POST "+all+"/reveal", d.reveal(inProject(revealEnv)))
	mux.HandleFunc("POST "+all+"/remove", d.action(inProject(removeEnv)))
}

// envPage is what a page shows of the variables of a project.
type envPage struct {
	Project    wire.Project
	Variables  []anchor.EnvVar
	May, Admin bool
}

func showEnv(r request, p wire.Project) (view, error) {
	vars, err := r.api.Env(r.Context(), p.Slug, false)
	if err != nil {
		return view{}, err
	}
	slices.SortFunc(vars, func(a, b anchor.EnvVar) int { return a.Slot().Compare(b.Slot()) })
	page := envPage{Project: p, Variables: vars, May: r.may(p, anchor.ScopeDeploy), Admin: r.may(p, anchor.ScopeAdmin)}
	return view{Title: "Variables of " + p.Slug, Section: "env", Project: &p, Live: variableTable(page), Rest: variableForms(page)}, nil
}

func setEnv(r request, p wire.Project) (string, error) {
	err := r.api.SetEnv(r.Context(), p.Slug, []wire.SetVar{r.variable(strings.TrimSpace(r.PostFormValue("name")), r.textarea("value"))})
	return done(projectAddress(p, "env"), "env-set"), err
}

func removeEnv(r request, p wire.Project) (string, error) {
	slot := anchor.EnvSlot{Name: r.PostFormValue("name"), Environment: anchor.Environment(r.PostFormValue("environment")), Branch: r.PostFormValue("branch")}
	return done(projectAddress(p, "env"), "env-removed"), r.api.RemoveEnv(r.Context(), p.Slug, slot)
}

// textarea returns the text of a field. A browser sends its line breaks as CRLF (HTML Living Standard, §4.10.21.7).
func (r request) textarea(name string) string {
	return strings.ReplaceAll(r.PostFormValue(name), "\r\n", "\n")
}

// variable returns a variable for the deployments that a form names.
func (r request) variable(name, value string) wire.SetVar {
	return wire.SetVar{
		Name: name, Value: value, For: anchor.EnvPhase(r.PostFormValue("for")),
		Environment: anchor.Environment(r.PostFormValue("environment")), Branch: strings.TrimSpace(r.PostFormValue("branch")),
	}
}

// importEnv sets the variables of an .env file but those that Anchor sets itself, as anchor env import does.
func importEnv(r request, p wire.Project) (string, error) {
	names, values, err := anchor.ParseEnvFile(r.textarea("file"))
	if err != nil {
		return "", err
	}
	var vars []wire.SetVar
	for _, name := range names {
		v := r.variable(name, values[name])
		err := anchor.CheckEnv(anchor.EnvVar{Name: v.Name, Value: v.Value, For: v.For, Environment: v.Environment, Branch: v.Branch})
		if anchor.CodeOf(err) == "reserved_env" {
			continue
		}
		if err != nil {
			return "", err
		}
		vars = append(vars, v)
	}
	if len(vars) == 0 {
		return "", anchor.Invalid("bad_env_file", "the file has no variables to set").Hintf("Go back and write one NAME=value in each line.")
	}
	for some := range slices.Chunk(vars, 100) { // as many as one request sets
		if err := r.api.SetEnv(r.Context(), p.Slug, some); err != nil {
			return "", err
		}
	}
	return done(projectAddress(p, "env"), "env-imported"), nil
}

// revealEnv shows the values. It is a POST so that no history, link or page that is open has them.
func revealEnv(r request, p wire.Project) (view, error) {
	vars, err := r.api.Env(r.Context(), p.Slug, true)
	if err != nil {
		return view{}, err
	}
	slices.SortFunc(vars, func(a, b anchor.EnvVar) int { return a.Slot().Compare(b.Slot()) })
	return view{Title: "Values of the variables", Section: "env", Project: &p, Rest: variableValues(p, vars)}, nil
}
