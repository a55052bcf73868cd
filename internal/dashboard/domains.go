package dashboard

import (
	"strings"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

func (d *Dashboard) domainRoutes(mux *routes) {
	const all = root + "/projects/{project}/domains"
	const one = all + "/{domain}"
	mux.HandleFunc("GET "+all, d.page(inProject(showDomains)))
	mux.HandleFunc("POST "+all, d.action(inProject(addDomain)))
	mux.HandleFunc("GET "+one, d.page(inProject(showDomain)))
	mux.HandleFunc("POST "+one, d.action(inProject(setDomain)))
	mux.HandleFunc("POST "+one+"/check", d.action(inProject(checkDomain)))
	mux.HandleFunc("POST "+one+"/move", d.action(inProject(moveDomain)))
	mux.HandleFunc("POST "+one+"/remove", d.action(inProject(removeDomain)))
}

func showDomains(r request, p wire.Project) (view, error) {
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
	return view{Title: "Domains of " + p.Slug, Section: "domains", Project: &p, Every: 5 * time.Second, Live: domainList(p, list.Items, may), Rest: addDomainForm(p, may)}, nil
}

func addDomain(r request, p wire.Project) (string, error) {
	_, err := r.api.AddDomain(r.Context(), p.Slug, wire.AddDomain{Domain: strings.TrimSpace(r.PostFormValue("domain")), WWW: r.PostFormValue("www") != ""})
	return done(projectAddress(p, "domains"), "domain-added"), err
}

func removeDomain(r request, p wire.Project) (string, error) {
	return done(projectAddress(p, "domains"), "domain-removed"), r.api.RemoveDomain(r.Context(), p.Slug, r.PathValue("domain"))
}

// domainPage is the page of one domain.
type domainPage struct {
	Project wire.Project
	wire.Domain
	Others     []wire.Project // to which it can be moved
	May, Admin bool
}

func showDomain(r request, p wire.Project) (view, error) {
	one, err := r.api.Domain(r.Context(), p.Slug, r.PathValue("domain"))
	if err != nil {
		return view{}, err
	}
	page := domainPage{Project: p, Domain: one, May: r.may(p, anchor.ScopeDeploy), Admin: r.may(p, anchor.ScopeAdmin)}
	if page.Admin {
		list, err := r.api.Projects(r.Context(), anchor.Page{Limit: mostProjects})
		if err != nil {
			return view{}, err
		}
		for _, other := range list.Items {
			if other.ID != p.ID && r.may(other, anchor.ScopeAdmin) {
				page.Others = append(page.Others, other)
			}
		}
	}
	v := view{Title: one.Unicode, Section: "domains", Project: &p, Every: 5 * time.Second, Live: domainView(p, one, page.May)}
	if page.May {
		v.Rest = domainForms(page)
	}
	return v, nil
}

func setDomain(r request, p wire.Project) (string, error) {
	to, hsts := strings.TrimSpace(r.PostFormValue("redirect")), r.PostFormValue("hsts") != ""
	one, err := r.api.SetDomain(r.Context(), p.Slug, r.PathValue("domain"), wire.SetDomain{RedirectTo: &to, HSTS: &hsts})
	return done(projectAddress(p, "domains", string(one.ID)), "domain-set"), err
}

func checkDomain(r request, p wire.Project) (string, error) {
	one, err := r.api.CheckDomain(r.Context(), p.Slug, r.PathValue("domain"))
	return done(projectAddress(p, "domains", string(one.ID)), "checked"), err
}

func moveDomain(r request, p wire.Project) (string, error) {
	to := r.PostFormValue("project")
	_, err := r.api.MoveDomain(r.Context(), p.Slug, r.PathValue("domain"), to)
	return done(address("projects", to, "domains"), "domain-moved"), err
}
