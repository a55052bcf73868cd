package dashboard

import (
	"strconv"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

func (d *Dashboard) repositoryRoutes(mux *routes) {
	const one = root + "/projects/{project}/repository"
	mux.HandleFunc("GET "+one, d.page(inProject(d.showRepository)))
	mux.HandleFunc("POST "+one, d.reveal(inProject(d.connect)))
	mux.HandleFunc("POST "+one+"/secret", d.reveal(inProject(d.revealConnection)))
	mux.HandleFunc("POST "+one+"/trust", d.action(inProject(trustHostKey)))
	mux.HandleFunc("POST "+one+"/disconnect", d.action(inProject(disconnect)))
}

// repositoryPage is what a page shows of the connection of a project, nil without one.
type repositoryPage struct {
	Project wire.Project
	*anchor.Connected
	Origin string // of this server, as the browser sees it
	Admin  bool
}

func (d *Dashboard) showRepository(r request, p wire.Project) (view, error) {
	page := repositoryPage{Project: p, Origin: d.origin(r.Request), Admin: r.may(p, anchor.ScopeAdmin)}
	connected, err := r.api.Connection(r.Context(), p.Slug, false)
	if err == nil {
		page.Connected = &connected
	} else if anchor.CodeOf(err) != "not_connected" {
		return view{}, err
	}
	v := view{Title: "Repository of " + p.Slug, Section: "settings", Project: &p, Live: repositoryState(page)}
	if page.Admin {
		v.Rest = repositoryForms(page)
	}
	return v, nil
}

// connect connects a project, or changes its connection, and shows what the host has to know.
func (d *Dashboard) connect(r request, p wire.Project) (view, error) {
	want := wire.Connect{
		Host: anchor.Host(r.PostFormValue("host")), Repository: strings.TrimSpace(r.PostFormValue("repository")),
		Token: strings.TrimSpace(r.PostFormValue("token")), APIURL: strings.TrimSpace(r.PostFormValue("api")),
		WatchPaths: strings.Fields(r.PostFormValue("watch")), Rotate: r.PostFormValue("rotate") != "",
	}
	if err := readApp(r, &want); err != nil {
		return view{}, err
	}
	if r.PostFormValue("set-up") != "" {
		want.HookURL = d.origin(r.Request)
	}
	connected, err := r.api.Connect(r.Context(), p.Slug, want)
	if err != nil {
		return view{}, err
	}
	return d.revealed(r, p, connected), nil
}

// readApp reads the fields of a GitHub App, which takes the place of a token.
func readApp(r request, into *wire.Connect) error {
	for _, field := range []struct {
		name, what string
		into       *int64
	}{{"app", "App ID", &into.AppID}, {"installation", "installation ID", &into.Install}} {
		text := strings.TrimSpace(r.PostFormValue(field.name))
		if text == "" {
			continue
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n <= 0 {
			return anchor.Invalid("bad_app", "%q is not the %s of a GitHub App", text, field.what).
				Hintf("Go back and enter the number from the App's settings at GitHub.")
		}
		*field.into = n
	}
	into.AppKey = strings.TrimSpace(r.textarea("app-key"))
	return nil
}

func (d *Dashboard) revealConnection(r request, p wire.Project) (view, error) {
	connected, err := r.api.Connection(r.Context(), p.Slug, true)
	if err != nil {
		return view{}, err
	}
	return d.revealed(r, p, connected), nil
}

func (d *Dashboard) revealed(r request, p wire.Project, connected anchor.Connected) view {
	page := repositoryPage{Project: p, Connected: &connected, Origin: d.origin(r.Request)}
	return view{Title: "Repository of " + p.Slug, Section: "settings", Project: &p, Rest: repositorySecrets(page)}
}

func trustHostKey(r request, p wire.Project) (string, error) {
	return done(projectAddress(p, "repository"), "host-key-forgotten"), r.api.TrustHostKey(r.Context(), p.Slug)
}

func disconnect(r request, p wire.Project) (string, error) {
	return done(projectAddress(p, "repository"), "disconnected"), r.api.Disconnect(r.Context(), p.Slug)
}
