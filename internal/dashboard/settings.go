package dashboard

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

func (d *Dashboard) settingRoutes(mux *http.ServeMux) {
	const p = root + "/projects/{project}"
	mux.HandleFunc("GET "+p+"/domains", d.page(showDomains))
	mux.HandleFunc("POST "+p+"/domains", d.action(addDomain))
	mux.HandleFunc("POST "+p+"/domains/{domain}/remove", d.action(removeDomain))
	mux.HandleFunc("GET "+p+"/env", d.page(showEnv))
	mux.HandleFunc("POST "+p+"/env", d.action(setEnv))
	mux.HandleFunc("POST "+p+"/env/remove", d.action(removeEnv))
	mux.HandleFunc("GET "+p+"/settings", d.page(showSettings))
	mux.HandleFunc("POST "+p+"/limits", d.action(setLimits))
	mux.HandleFunc("POST "+p+"/purge", d.action(purgeCache))
	mux.HandleFunc("POST "+p+"/delete", d.action(deleteProject))
}

func showDomains(r request) (view, error) {
	p, err := r.project()
	if err != nil {
		return view{}, err
	}
	list, err := r.api.Domains(r.Context(), p.Slug, anchor.Page{Limit: 50})
	if err != nil {
		return view{}, err
	}
	for i, one := range list.Items {
		if one.IsActive && one.Problem == "" {
			continue // the diagnosis asks the DNS, which takes time
		}
		full, err := r.api.Domain(r.Context(), p.Slug, string(one.ID))
		if anchor.KindOf(err) == anchor.KindNotFound && err != nil {
			continue // removed meanwhile
		}
		if err != nil {
			return view{}, err
		}
		list.Items[i] = full
	}
	may := r.may(p, anchor.ScopeDeploy)
	return view{Title: "Domains of " + p.Slug, Section: "domains", Project: &p, Live: domainList(p, list.Items, may), Rest: addDomainForm(p, may)}, nil
}

func addDomain(r request) (string, error) {
	p, err := r.project()
	if err != nil {
		return "", err
	}
	_, err = r.api.AddDomain(r.Context(), p.Slug, wire.AddDomain{Domain: strings.TrimSpace(r.PostFormValue("domain")), WWW: r.PostFormValue("www") != ""})
	return done(projectAddress(p, "domains"), "domain-added"), err
}

func removeDomain(r request) (string, error) {
	p, err := r.project()
	if err != nil {
		return "", err
	}
	return done(projectAddress(p, "domains"), "domain-removed"), r.api.RemoveDomain(r.Context(), p.Slug, r.PathValue("domain"))
}

func showEnv(r request) (view, error) {
	p, err := r.project()
	if err != nil {
		return view{}, err
	}
	vars, err := r.api.Env(r.Context(), p.Slug, false)
	if err != nil {
		return view{}, err
	}
	slices.SortFunc(vars, func(a, b anchor.EnvVar) int { return a.Slot().Compare(b.Slot()) })
	may := r.may(p, anchor.ScopeDeploy)
	return view{Title: "Variables of " + p.Slug, Section: "env", Project: &p, Live: variableTable(p, vars, may), Rest: setVariableForm(p, may)}, nil
}

func setEnv(r request) (string, error) {
	p, err := r.project()
	if err != nil {
		return "", err
	}
	// A browser sends line breaks of a textarea as CRLF (HTML Living Standard, §4.10.21.7).
	value := strings.ReplaceAll(r.PostFormValue("value"), "\r\n", "\n")
	err = r.api.SetEnv(r.Context(), p.Slug, []wire.SetVar{{
		Name: strings.TrimSpace(r.PostFormValue("name")), Value: value, For: anchor.EnvPhase(r.PostFormValue("for")),
		Environment: anchor.Environment(r.PostFormValue("environment")), Branch: strings.TrimSpace(r.PostFormValue("branch")),
	}})
	return done(projectAddress(p, "env"), "env-set"), err
}

func removeEnv(r request) (string, error) {
	p, err := r.project()
	if err != nil {
		return "", err
	}
	slot := anchor.EnvSlot{Name: r.PostFormValue("name"), Environment: anchor.Environment(r.PostFormValue("environment")), Branch: r.PostFormValue("branch")}
	return done(projectAddress(p, "env"), "env-removed"), r.api.RemoveEnv(r.Context(), p.Slug, slot)
}

func showSettings(r request) (view, error) {
	p, err := r.project()
	if err != nil {
		return view{}, err
	}
	limits, err := r.api.Limits(r.Context(), p.Slug)
	if err != nil {
		return view{}, err
	}
	return view{
		Title: "Settings of " + p.Slug, Section: "settings", Project: &p,
		Rest: settingsPage(p, limits, r.may(p, anchor.ScopeDeploy), r.may(p, anchor.ScopeAdmin)),
	}, nil
}

func setLimits(r request) (string, error) {
	p, err := r.project()
	if err != nil {
		return "", err
	}
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
	_, err = r.api.SetLimits(r.Context(), p.Slug, l)
	return done(projectAddress(p, "settings"), "limits-set"), err
}

func purgeCache(r request) (string, error) {
	p, err := r.project()
	if err != nil {
		return "", err
	}
	_, err = r.api.PurgeCache(r.Context(), p.Slug, wire.PurgeCache{Prefix: "/"})
	return done(projectAddress(p, "settings"), "purged"), err
}

func deleteProject(r request) (string, error) {
	p, err := r.project()
	if err != nil {
		return "", err
	}
	if r.PostFormValue("confirm") != p.Slug {
		return "", anchor.Invalid("not_confirmed", "the project was not deleted, because its name was not entered").
			Hintf("Go back and enter %s to delete the project.", p.Slug)
	}
	_, err = r.api.DeleteProject(r.Context(), p.Slug)
	return done(root, "deleted"), err
}
