package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
	"github.com/anchor-deploy/anchor/internal/artifact"
)

func projectPath(idOrSlug string, rest ...string) string {
	path := "/projects/" + url.PathEscape(idOrSlug)
	for _, part := range rest {
		path += "/" + url.PathEscape(part)
	}
	return path
}

func deploymentPath(project string, d anchor.DeploymentID, rest ...string) string {
	return projectPath(project, append([]string{"deployments", string(d)}, rest...)...)
}

func paging(p anchor.Page) url.Values {
	q := url.Values{"limit": {strconv.Itoa(p.Size())}}
	if p.Cursor != "" {
		q.Set("cursor", p.Cursor)
	}
	return q
}

// Status reports what runs.
func (c *Client) Status(ctx context.Context) (wire.Status, error) {
	return fetch[wire.Status](ctx, c, get("/status", nil))
}

// Doctor reports what is wrong with the server's machine.
func (c *Client) Doctor(ctx context.Context) ([]wire.Check, error) {
	list, err := fetch[wire.Items[wire.Check]](ctx, c, get("/doctor", nil))
	return list.Items, err
}

// CreateProject makes a project: ErrConflict when the slug is taken.
func (c *Client) CreateProject(ctx context.Context, slug, productionBranch string) (wire.Project, error) {
	return sendFetch[wire.Project](ctx, c, http.MethodPost, "/projects",
		wire.CreateProject{Slug: slug, ProductionBranch: productionBranch})
}

// Project finds a project by id or slug, ErrNotFound.
func (c *Client) Project(ctx context.Context, idOrSlug string) (wire.Project, error) {
	return fetch[wire.Project](ctx, c, get(projectPath(idOrSlug), nil))
}

// Limits returns a project's limits, ErrNotFound.
func (c *Client) Limits(ctx context.Context, idOrSlug string) (anchor.ProjectLimits, error) {
	return fetch[anchor.ProjectLimits](ctx, c, get(projectPath(idOrSlug, "limits"), nil))
}

// SetLimits replaces a project's limits.
func (c *Client) SetLimits(ctx context.Context, idOrSlug string, l anchor.Limits) (anchor.ProjectLimits, error) {
	return sendFetch[anchor.ProjectLimits](ctx, c, http.MethodPut, projectPath(idOrSlug, "limits"), l)
}

// PreviewRetention returns which previews of a project are kept, ErrNotFound.
func (c *Client) PreviewRetention(ctx context.Context, idOrSlug string) (anchor.ProjectPreviewRetention, error) {
	return fetch[anchor.ProjectPreviewRetention](ctx, c, get(projectPath(idOrSlug, "preview-retention"), nil))
}

// SetPreviewRetention replaces which previews of a project are kept.
func (c *Client) SetPreviewRetention(ctx context.Context, idOrSlug string, r anchor.PreviewRetention) (anchor.ProjectPreviewRetention, error) {
	return sendFetch[anchor.ProjectPreviewRetention](ctx, c, http.MethodPut, projectPath(idOrSlug, "preview-retention"), r)
}

// Settings returns a project's settings for AWS, ErrNotFound.
func (c *Client) Settings(ctx context.Context, idOrSlug string) (anchor.ProjectSettings, error) {
	return fetch[anchor.ProjectSettings](ctx, c, get(projectPath(idOrSlug, "settings"), nil))
}

// SetSettings replaces a project's settings for AWS.
func (c *Client) SetSettings(ctx context.Context, idOrSlug string, set anchor.Settings) (anchor.ProjectSettings, error) {
	return sendFetch[anchor.ProjectSettings](ctx, c, http.MethodPut, projectPath(idOrSlug, "settings"), set)
}

// Cache returns what the edge stores of a project's answers.
func (c *Client) Cache(ctx context.Context, idOrSlug string) (wire.Cache, error) {
	return fetch[wire.Cache](ctx, c, get(projectPath(idOrSlug, "cache"), nil))
}

// Stats returns the traffic of a project within the last d.
func (c *Client) Stats(ctx context.Context, idOrSlug string, d time.Duration) (wire.Stats, error) {
	return fetch[wire.Stats](ctx, c, get(projectPath(idOrSlug, "stats"), url.Values{"last": {strconv.Itoa(int(d / time.Second))}}))
}

// CachedAnswers lists the stored answers of a project whose address, or path, begins with prefix and
// that have the tag; "" for any.
func (c *Client) CachedAnswers(
	ctx context.Context, idOrSlug string, which wire.PurgeCache, page anchor.Page,
) (anchor.List[wire.CachedAnswer], error) {
	query := paging(page)
	for name, value := range map[string]string{"prefix": which.Prefix, "tag": which.Tag, "deploymentId": string(which.DeploymentID)} {
		if value != "" {
			query.Set(name, value)
		}
	}
	return fetch[anchor.List[wire.CachedAnswer]](ctx, c, get(projectPath(idOrSlug, "cache", "answers"), query))
}

// PurgeCache removes stored answers of a project.
func (c *Client) PurgeCache(ctx context.Context, idOrSlug string, which wire.PurgeCache) (wire.PurgedCache, error) {
	return sendFetch[wire.PurgedCache](ctx, c, http.MethodPost, projectPath(idOrSlug, "cache", "purge"), which)
}

// Projects lists projects, newest first.
func (c *Client) Projects(ctx context.Context, p anchor.Page) (anchor.List[wire.Project], error) {
	return fetch[anchor.List[wire.Project]](ctx, c, get("/projects", paging(p)))
}

// DeleteProject removes a project and everything that belongs to it, or begins to: removing
// means that the removal continues after the call, until the project is ErrNotFound.
func (c *Client) DeleteProject(ctx context.Context, idOrSlug string) (removing bool, err error) {
	p, err := fetch[*wire.Project](ctx, c, call{method: http.MethodDelete, path: projectPath(idOrSlug)})
	return p != nil && p.Removing, err
}

// Start begins a deployment and returns which files the server lacks: ErrConflict with the code
// no_base when the server cannot build the manifest from r.Delta.
func (c *Client) Start(ctx context.Context, project string, r wire.StartDeployment) (wire.StartedDeployment, error) {
	cl, err := sendCompressed(http.MethodPost, projectPath(project, "deployments"), r)
	if err != nil {
		return wire.StartedDeployment{}, err
	}
	return fetch[wire.StartedDeployment](ctx, c, cl)
}

// StartBuild has the server build a commit and deploy it. Calls with the same key
// start one build.
func (c *Client) StartBuild(ctx context.Context, project, key string, r wire.StartBuild) (wire.Deployment, error) {
	cl, err := send(http.MethodPost, projectPath(project, "builds"), r)
	if err != nil {
		return wire.Deployment{}, err
	}
	cl.once = key == ""
	if key != "" {
		cl.header.Set("Idempotency-Key", key)
	}
	return fetch[wire.Deployment](ctx, c, cl)
}

// Builds lists a project's builds, newest first.
func (c *Client) Builds(ctx context.Context, project string, p anchor.Page) (anchor.List[wire.Deployment], error) {
	return fetch[anchor.List[wire.Deployment]](ctx, c, get(projectPath(project, "builds"), paging(p)))
}

func buildPath(project string, d anchor.DeploymentID, rest string) string {
	return projectPath(project, "builds", string(d), rest)
}

// BuildLog returns what a build printed, oldest line first.
func (c *Client) BuildLog(ctx context.Context, project string, d anchor.DeploymentID) ([]anchor.LogLine, error) {
	list, err := fetch[wire.Items[anchor.LogLine]](ctx, c, get(buildPath(project, d, "logs"), nil))
	return list.Items, err
}

// CancelBuild ends a build that has not ended, ErrConflict if it has.
func (c *Client) CancelBuild(ctx context.Context, project string, d anchor.DeploymentID) (wire.Deployment, error) {
	return sendFetch[wire.Deployment](ctx, c, http.MethodPost, buildPath(project, d, "cancel"), nil)
}

// RetryBuild builds the commit of a build again and returns the new one.
func (c *Client) RetryBuild(ctx context.Context, project string, d anchor.DeploymentID) (wire.Deployment, error) {
	return sendFetch[wire.Deployment](ctx, c, http.MethodPost, buildPath(project, d, "retry"), nil)
}

// Missing returns which files of a deployment have not arrived.
func (c *Client) Missing(ctx context.Context, project string, d anchor.DeploymentID) ([]artifact.Digest, error) {
	m, err := fetch[wire.Missing](ctx, c, get(deploymentPath(project, d, "missing"), nil))
	return m.Missing, err
}

// Finish completes the upload, and the pipeline begins.
func (c *Client) Finish(ctx context.Context, project string, d anchor.DeploymentID) (wire.Deployment, error) {
	cl, err := send(http.MethodPost, deploymentPath(project, d, "finish"), nil)
	if err != nil {
		return wire.Deployment{}, err
	}
	cl.once = false // the server takes it again after a lost answer
	return fetch[wire.Deployment](ctx, c, cl)
}

// Cancel ends a deployment that has not ended, ErrConflict if it has.
func (c *Client) Cancel(ctx context.Context, project string, d anchor.DeploymentID) (wire.Deployment, error) {
	return sendFetch[wire.Deployment](ctx, c, http.MethodPost, deploymentPath(project, d, "cancel"), nil)
}

// Deployment gets one deployment.
func (c *Client) Deployment(ctx context.Context, project string, d anchor.DeploymentID) (wire.Deployment, error) {
	return fetch[wire.Deployment](ctx, c, get(deploymentPath(project, d), nil))
}

// Deployments lists a project's deployments, newest first.
func (c *Client) Deployments(ctx context.Context, project string, p anchor.Page) (anchor.List[wire.Deployment], error) {
	return fetch[anchor.List[wire.Deployment]](ctx, c, get(projectPath(project, "deployments"), paging(p)))
}

// Promote makes a deployment live.
func (c *Client) Promote(ctx context.Context, project string, d anchor.DeploymentID, r wire.Promote) (wire.Promoted, error) {
	return sendFetch[wire.Promoted](ctx, c, http.MethodPost, deploymentPath(project, d, "promote"), r)
}

// Split returns how a project's traffic is divided, ErrNotFound when it is not.
func (c *Client) Split(ctx context.Context, project string) (wire.ProjectSplit, error) {
	return fetch[wire.ProjectSplit](ctx, c, get(projectPath(project, "split"), nil))
}

// CancelSplit returns all traffic to the live deployment, ErrConflict without a split.
func (c *Client) CancelSplit(ctx context.Context, project string) (wire.Promoted, error) {
	return sendFetch[wire.Promoted](ctx, c, http.MethodDelete, projectPath(project, "split"), nil)
}

// Rollback makes r's target live again, or without one what was live before the current one.
func (c *Client) Rollback(ctx context.Context, project string, r wire.Rollback) (wire.RolledBack, error) {
	r.Previous = r.TargetDeploymentID == ""
	return sendFetch[wire.RolledBack](ctx, c, http.MethodPost, projectPath(project, "rollback"), r)
}

// Live returns the live pointer of a project, ErrNotFound before its first release.
func (c *Client) Live(ctx context.Context, project string) (anchor.Live, error) {
	return fetch[anchor.Live](ctx, c, get(projectPath(project, "live"), nil))
}

// Releases lists a project's releases, newest first.
func (c *Client) Releases(ctx context.Context, project string, p anchor.Page) (anchor.List[anchor.Release], error) {
	return fetch[anchor.List[anchor.Release]](ctx, c, get(projectPath(project, "releases"), paging(p)))
}

// Env lists a project's variables; values only with reveal, which needs admin.
func (c *Client) Env(ctx context.Context, project string, reveal bool) ([]anchor.EnvVar, error) {
	q := url.Values{}
	if reveal {
		q.Set("reveal", "true")
	}
	env, err := fetch[wire.Env](ctx, c, get(projectPath(project, "env"), q))
	return env.Items, err
}

// BuildEnv returns the variables of a build in the scope with their values.
func (c *Client) BuildEnv(ctx context.Context, project string, scope anchor.EnvScope) (map[string]string, error) {
	env, err := fetch[wire.BuildEnv](ctx, c, get(projectPath(project, "env", "build"), scopeQuery(scope.Environment, scope.Branch)))
	return env.Variables, err
}

func scopeQuery(environment anchor.Environment, branch string) url.Values {
	q := url.Values{}
	if environment != "" {
		q.Set("environment", string(environment))
	}
	if branch != "" {
		q.Set("branch", branch)
	}
	return q
}

// SetEnv sets all of vars or none.
func (c *Client) SetEnv(ctx context.Context, project string, vars []wire.SetVar) error {
	return c.exec(ctx, http.MethodPut, projectPath(project, "env"), wire.SetEnv{Variables: vars})
}

// RemoveEnv takes one variable away.
func (c *Client) RemoveEnv(ctx context.Context, project string, slot anchor.EnvSlot) error {
	res, err := c.do(ctx, call{
		method: http.MethodDelete, path: projectPath(project, "env", slot.Name), query: scopeQuery(slot.Environment, slot.Branch),
	})
	if err != nil {
		return err
	}
	return res.Body.Close()
}

// AddDomain attaches a name to a project: ErrInvalid when it can be none,
// ErrConflict when it is attached already.
func (c *Client) AddDomain(ctx context.Context, project string, r wire.AddDomain) (wire.Domain, error) {
	return sendFetch[wire.Domain](ctx, c, http.MethodPost, projectPath(project, "domains"), r)
}

// Domains lists a project's names, newest first, without a diagnosis.
func (c *Client) Domains(ctx context.Context, project string, p anchor.Page) (anchor.List[wire.Domain], error) {
	return fetch[anchor.List[wire.Domain]](ctx, c, get(projectPath(project, "domains"), paging(p)))
}

// Domain returns a domain by its name or id, with a fresh diagnosis of its DNS.
func (c *Client) Domain(ctx context.Context, project, idOrName string) (wire.Domain, error) {
	return fetch[wire.Domain](ctx, c, get(projectPath(project, "domains", idOrName), nil))
}

// CheckDomain is Domain, and the server tries at once what waits for the DNS.
func (c *Client) CheckDomain(ctx context.Context, project, idOrName string) (wire.Domain, error) {
	return sendFetch[wire.Domain](ctx, c, http.MethodPost, projectPath(project, "domains", idOrName, "check"), nil)
}

// SetDomain changes how the edge answers for a name.
func (c *Client) SetDomain(ctx context.Context, project, idOrName string, set wire.SetDomain) (wire.Domain, error) {
	return sendFetch[wire.Domain](ctx, c, http.MethodPatch, projectPath(project, "domains", idOrName), set)
}

// RemoveDomain removes a name from the edge and deletes its certificate.
func (c *Client) RemoveDomain(ctx context.Context, project, idOrName string) error {
	return c.exec(ctx, http.MethodDelete, projectPath(project, "domains", idOrName), nil)
}

// MoveDomain makes another project, by id or slug, answer for a name.
func (c *Client) MoveDomain(ctx context.Context, project, idOrName, to string) (wire.Domain, error) {
	return sendFetch[wire.Domain](ctx, c, http.MethodPost, projectPath(project, "domains", idOrName, "move"), wire.MoveDomain{ProjectID: to})
}

// CreateToken makes a token; only its answer holds the secret.
func (c *Client) CreateToken(ctx context.Context, name string, scope anchor.Scope) (wire.CreatedToken, error) {
	return sendFetch[wire.CreatedToken](ctx, c, http.MethodPost, "/tokens", wire.CreateToken{Name: name, Scope: scope})
}

// Tokens lists all tokens.
func (c *Client) Tokens(ctx context.Context) ([]anchor.Token, error) {
	list, err := fetch[wire.Items[anchor.Token]](ctx, c, get("/tokens", nil))
	return list.Items, err
}

// RevokeToken makes a token useless.
func (c *Client) RevokeToken(ctx context.Context, id string) error {
	return c.exec(ctx, http.MethodDelete, "/tokens/"+url.PathEscape(id), nil)
}
