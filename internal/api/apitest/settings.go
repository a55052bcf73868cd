package apitest

import (
	"context"
	"maps"
	"slices"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

type projects struct{ *Anchor }

func (a projects) Create(ctx context.Context, slug, branch string) (anchor.Project, error) {
	if err := anchor.CheckSlug(slug); err != nil {
		return anchor.Project{}, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, err := a.find(slug); err == nil {
		return anchor.Project{}, anchor.Conflict("slug_taken", "there is a project %s already", slug).Hintf("Choose another slug.")
	}
	p := anchor.Project{ID: anchor.ProjectID(anchor.NewID()), Slug: slug, ProductionBranch: branch, CreatedAt: now()}
	if err := a.store.CreateProject(ctx, p); err != nil {
		return anchor.Project{}, err
	}
	a.projects = append(a.projects, p)
	return p, nil
}

// find needs mu.
func (a *Anchor) find(idOrSlug string) (anchor.Project, error) {
	for _, p := range a.projects {
		if p.Slug == idOrSlug || string(p.ID) == idOrSlug {
			return p, nil
		}
	}
	return anchor.Project{}, anchor.NotFound("project_not_found", "there is no project %s", idOrSlug).
		Hintf("anchor projects lists them.")
}

func (a projects) Get(_ context.Context, idOrSlug string) (anchor.Project, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if idOrSlug == "panics" {
		panic("a bug, with a secret in it")
	}
	p, err := a.find(idOrSlug)
	if err == nil && p.Removing {
		if a.RemovalLooks--; a.RemovalLooks <= 0 {
			a.drop(p)
		}
	}
	return p, err
}

func (a projects) List(_ context.Context, p anchor.Page) (anchor.List[anchor.Project], error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return page(a.projects, p, func(p anchor.Project) string { return string(p.ID) })
}

func (a projects) Delete(ctx context.Context, idOrSlug string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	gone, err := a.find(idOrSlug)
	if err != nil {
		return err
	}
	if a.RemovalLooks > 0 {
		i := slices.IndexFunc(a.projects, func(p anchor.Project) bool { return p.ID == gone.ID })
		a.projects[i].Removing = true
		return nil
	}
	a.drop(gone)
	return a.store.DeleteProject(ctx, gone.ID)
}

// drop needs mu.
func (a *Anchor) drop(gone anchor.Project) {
	a.projects = slices.DeleteFunc(a.projects, func(p anchor.Project) bool { return p.ID == gone.ID })
	a.deploys = slices.DeleteFunc(a.deploys, func(d *deployment) bool { return d.ProjectID == gone.ID })
	delete(a.live, gone.ID)
}

type env struct{ *Anchor }

func (a env) Set(_ context.Context, p anchor.ProjectID, vars []anchor.EnvVar) error {
	for _, v := range vars {
		if err := anchor.CheckEnv(v); err != nil {
			return err
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.env[p] == nil {
		a.env[p] = map[string]anchor.EnvVar{}
	}
	for _, v := range vars {
		a.env[p][v.Name] = v
	}
	return nil
}

func (a env) List(_ context.Context, p anchor.ProjectID, reveal bool) ([]anchor.EnvVar, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []anchor.EnvVar
	for _, name := range slices.Sorted(maps.Keys(a.env[p])) {
		v := a.env[p][name]
		if !reveal {
			v.Value = ""
		}
		out = append(out, v)
	}
	return out, nil
}

func (a env) ForBuild(ctx context.Context, p anchor.ProjectID) (map[string]string, error) {
	vars, err := a.List(ctx, p, true)
	values := map[string]string{}
	for _, v := range vars {
		if v.For.Covers(anchor.EnvBuild) {
			values[v.Name] = v.Value
		}
	}
	return values, err
}

func (a env) Remove(_ context.Context, p anchor.ProjectID, name string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, ok := a.env[p][name]; !ok {
		return anchor.NotFound("env_not_found", "there is no variable %s", name).Hintf("anchor env ls lists them.")
	}
	delete(a.env[p], name)
	return nil
}

type access struct{ *Anchor }

func (a access) Create(_ context.Context, name string, scope anchor.Scope) (string, anchor.Token, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	secret := "anchor_" + anchor.NewID()
	a.tokens[secret] = anchor.Token{ID: "tok_" + name, Name: name, Scope: scope, CreatedAt: now()}
	return secret, a.tokens[secret], nil
}

func (a access) Check(_ context.Context, secret string) (anchor.Token, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	t, ok := a.tokens[secret]
	if !ok || t.RevokedAt > 0 {
		e := &anchor.Error{Kind: anchor.KindUnauthorized, Code: "bad_token", Message: "the token is unknown or revoked"}
		return anchor.Token{}, e.Hintf("Set ANCHOR_TOKEN to a valid one.")
	}
	return t, nil
}

func (a access) List(context.Context) ([]anchor.Token, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.SortedFunc(maps.Values(a.tokens), func(x, y anchor.Token) int {
		if x.ID < y.ID {
			return -1
		}
		return 1
	}), nil
}

func (a access) Revoke(_ context.Context, id string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for secret, t := range a.tokens {
		if t.ID == id {
			t.RevokedAt = now()
			a.tokens[secret] = t
			return nil
		}
	}
	return anchor.NotFound("token_not_found", "there is no token %s", id).Hintf("anchor tokens list lists them.")
}

type sites struct{}

func (sites) URLs(p anchor.Project, d anchor.DeploymentID) (string, string) {
	site := "http://" + p.Slug + ".localhost:3000"
	if d == "" {
		return site, ""
	}
	return site, "http://" + string(d) + "--" + p.Slug + ".localhost:3000"
}

type system struct{ *Anchor }

func (a system) Status(context.Context) (wire.Status, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	status := wire.Status{
		Version: "test", Platform: "local", UptimeMS: 90_000, Node: "20.0.0",
		Sites: "http://<project>.localhost:3000", API: "http://127.0.0.1:3080", Data: "/var/lib/anchor",
		Disk: wire.Disk{FreeBytes: 12e9, ArtifactBytes: 50e6}, Live: []wire.Serving{}, Workers: []wire.Worker{},
	}
	for _, p := range a.projects {
		if last, ok := a.lastRelease(p.ID); ok {
			status.Live = append(status.Live, wire.Serving{
				Project:      wire.Project{Project: p, URL: "http://" + p.Slug + ".localhost:3000"},
				DeploymentID: last.Deployment, Version: last.Version,
			})
			status.Workers = append(status.Workers, wire.Worker{
				DeploymentID: last.Deployment, Slug: p.Slug, Function: "default", Processes: 1, MemoryBytes: 120e6,
			})
		}
	}
	return status, nil
}

// lastRelease gives the project's; a.mu is held.
func (a system) lastRelease(p anchor.ProjectID) (last anchor.Release, ok bool) {
	for _, r := range a.releases {
		if r.ProjectID == p {
			last, ok = r, true
		}
	}
	return last, ok
}

func (a system) Doctor(context.Context) []wire.Check {
	return []wire.Check{{Name: "disk", OK: true, Detail: "12 GB free"}}
}
