package dashboard

import (
	"strconv"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

func (d *Dashboard) previewRoutes(mux *routes) {
	const all = root + "/projects/{project}/previews"
	mux.HandleFunc("GET "+all, d.page(inProject(showPreviews)))
	mux.HandleFunc("POST "+all+"/protect", d.action(inProject(protectPreviews)))
	mux.HandleFunc("POST "+all+"/protect/sign-in", d.action(inProject(protectBySignIn)))
	mux.HandleFunc("POST "+all+"/unprotect", d.action(inProject(unprotectPreviews)))
	mux.HandleFunc("POST "+all+"/retention", d.action(inProject(setRetention)))
	mux.HandleFunc("POST "+all+"/bypass", d.reveal(inProject(newBypass)))
	mux.HandleFunc("POST "+all+"/pulls/{number}/approve", d.action(inProject(approvePull)))
}

// previewPage is what a page shows of the previews of a project.
type previewPage struct {
	Project    wire.Project
	Branches   []branchPreviews
	Protection *anchor.PreviewProtection // nil where previews cannot be protected
	Pulls      []anchor.PullRequest      // open ones
	Retention  anchor.ProjectPreviewRetention
	May, Admin bool
}

// branchPreviews are the previews of one branch, the newest first.
type branchPreviews struct {
	Branch string
	URL    string // follows the newest preview; "" where branches have no hosts
	Items  []wire.Deployment
}

func showPreviews(r request, p wire.Project) (view, error) {
	page := previewPage{Project: p, May: r.may(p, anchor.ScopeDeploy), Admin: r.may(p, anchor.ScopeAdmin)}
	var err error
	if page.Branches, err = previewsOf(r, p); err != nil {
		return view{}, err
	}
	if page.Retention, err = r.api.PreviewRetention(r.Context(), p.Slug); err != nil {
		return view{}, err
	}
	protection, err := r.api.PreviewProtection(r.Context(), p.Slug)
	if err == nil {
		page.Protection = &protection
	} else if anchor.CodeOf(err) != "no_preview_protection" {
		return view{}, err
	}
	pulls, err := r.api.PullRequests(r.Context(), p.Slug)
	if err != nil && anchor.CodeOf(err) != "not_connected" && anchor.CodeOf(err) != "no_connections" {
		return view{}, err
	}
	for _, one := range pulls {
		if !one.Closed {
			page.Pulls = append(page.Pulls, one)
		}
	}
	return view{Title: "Previews of " + p.Slug, Section: "previews", Project: &p, Live: previewList(page), Rest: protectionForms(page)}, nil
}

// previewsOf returns the previews that can be opened, by branch, the branch with the newest one first.
func previewsOf(r request, p wire.Project) (branches []branchPreviews, err error) {
	at := map[string]int{}
	page := anchor.Page{Limit: anchor.MaxPage}
	for looked := 0; looked < mostSearched; {
		list, err := r.api.Deployments(r.Context(), p.Slug, page)
		if err != nil {
			return nil, err
		}
		looked += len(list.Items)
		for _, one := range list.Items {
			if !one.CanServe() || p.ScopeOf(one.Branch, one.NoRelease).Environment != anchor.EnvPreview {
				continue
			}
			i, known := at[one.Branch]
			if !known {
				i, at[one.Branch] = len(branches), len(branches)
				branches = append(branches, branchPreviews{Branch: one.Branch, URL: one.BranchURL})
			}
			branches[i].Items = append(branches[i].Items, one)
		}
		if page.Cursor = list.Next; page.Cursor == "" {
			break
		}
	}
	return branches, nil
}

func protectPreviews(r request, p wire.Project) (string, error) {
	_, err := r.api.ProtectPreviews(r.Context(), p.Slug, r.PostFormValue("password"))
	return done(projectAddress(p, "previews"), "protected"), err
}

func protectBySignIn(r request, p wire.Project) (string, error) {
	_, err := r.api.ProtectPreviewsBySignIn(r.Context(), p.Slug)
	return done(projectAddress(p, "previews"), "protected"), err
}

func unprotectPreviews(r request, p wire.Project) (string, error) {
	return done(projectAddress(p, "previews"), "unprotected"), r.api.UnprotectPreviews(r.Context(), p.Slug)
}

// setRetention replaces which previews are kept; an empty field is the server's default.
func setRetention(r request, p wire.Project) (string, error) {
	var set anchor.PreviewRetention
	for name, into := range map[string]*int{"keep": &set.Keep, "days": &set.Days} {
		text := strings.TrimSpace(r.PostFormValue(name))
		if text == "" {
			continue
		}
		var err error
		if *into, err = strconv.Atoi(text); err != nil || *into < 1 {
			return "", anchor.Invalid("bad_retention", "%q is not a number from 1", text).Hintf("Go back and enter a number, or nothing for the server's default.")
		}
	}
	_, err := r.api.SetPreviewRetention(r.Context(), p.Slug, set)
	return done(projectAddress(p, "previews"), "retention-set"), err
}

func newBypass(r request, p wire.Project) (view, error) {
	made, err := r.api.NewPreviewBypass(r.Context(), p.Slug)
	if err != nil {
		return view{}, err
	}
	const text = "Copy this token now; it is not shown again, and the one before does not work any more. Programs that open previews send it in the header X-Anchor-Protection-Bypass."
	return view{Title: "Bypass token", Section: "previews", Project: &p, Rest: secretPage("Bypass token", text, made.Token, projectAddress(p, "previews"))}, nil
}

func approvePull(r request, p wire.Project) (string, error) {
	number, err := strconv.ParseInt(r.PathValue("number"), 10, 64)
	if err != nil {
		return "", anchor.NotFound("unknown_pull_request", "there is no pull request %q", r.PathValue("number")).Hintf("Choose one from the page of previews.")
	}
	_, err = r.api.Approve(r.Context(), p.Slug, number, r.PostFormValue("commit"))
	return done(projectAddress(p, "previews"), "approved"), err
}
