// Package lambda translates the events of AWS Lambda into calls of the use-cases, and decides
// nothing else. A deployment, a rollback or a domain is the same as on one machine.
package lambda

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api"
	"github.com/anchor-deploy/anchor/internal/aws/schedule"
	"github.com/anchor-deploy/anchor/internal/core"
	"github.com/anchor-deploy/anchor/internal/deploy"
	"github.com/anchor-deploy/anchor/internal/domains"
	"github.com/anchor-deploy/anchor/internal/project"
	"github.com/anchor-deploy/anchor/internal/release"
)

// Store holds the records that the use-cases need.
type Store interface {
	core.Records
	// Lives returns the pointers of all projects that have one.
	Lives(ctx context.Context) ([]anchor.Live, error)
	// Removed reports whether the records say that a deployment was deleted with its project. It
	// returns false for a deployment that they never held.
	Removed(ctx context.Context, id anchor.DeploymentID) (bool, error)
}

// Cloud is the platform as the handlers use it.
type Cloud interface {
	deploy.Platform
	release.Traffic
	release.Observer
	release.Remover
	Platform
	CronPlatform
	RuntimePlatform
	api.Sites
	// RemoveProject removes everything that the platform stores of a project. Idempotent. The
	// error is of KindBusy while AWS is still working, and the next call continues.
	RemoveProject(ctx context.Context, p anchor.ProjectID) error
	// Sweep removes what removed projects have left, and the code of functions that no version
	// was made of. It continues where an earlier call was interrupted.
	Sweep(ctx context.Context) error
}

// Artifacts stores uploaded artifacts and imports those of builds.
type Artifacts interface {
	deploy.Bundles
	Importer
	api.Uploads
	// Remove deletes what is stored of a deployment's artifact, and Discard what is on this
	// machine's disk. Both are idempotent.
	Remove(ctx context.Context, id anchor.DeploymentID) error
	Discard(ctx context.Context, id anchor.DeploymentID) error
	// IDs lists the deployments of which something is stored.
	IDs(ctx context.Context) ([]anchor.DeploymentID, error)
	// Collect removes contents that no deployment names and that arrived longer ago than
	// unusedSince. It returns the number of bytes freed.
	Collect(ctx context.Context, unusedSince time.Duration) (freed int64, err error)
}

// Parts holds what the handlers are made of. All fields but Settings, Domains, Crons and Log are required.
type Parts struct {
	Installation string
	Version      string
	Region       string
	Keep         int           // deployments kept per project, 10 when 0
	Tabs         time.Duration // how long open tabs may use a deployment after it was live; 0: not at all

	Store     Store
	Settings  project.SettingsRecords // nil: projects have no settings
	Leases    Leases
	Box       project.Box
	Cloud     Cloud
	Artifacts Artifacts
	Domains   *Domains // nil: names cannot be attached
	Builder   BuilderWithEnv
	Logs      api.Tail
	Dispatch  Dispatcher
	Crons     CronRecords // nil: no crons run
	// DispatchCron sends the crons handler an event.
	DispatchCron func(ctx context.Context, e schedule.Event) error
	Log          *slog.Logger // slog.Default() when nil
}

// Domains holds the parts of custom domains.
type Domains struct {
	Certificates domains.Certificates
	Front        domains.Front
	Resolver     domains.Resolver
}

// watchFor bounds an answer with an event stream: API Gateway ends an answer after 30 s and then
// discards its content.
const watchFor = 20 * time.Second

// Handlers are the handlers of the installation, made of one set of parts.
type Handlers struct {
	deployer  *Deployer
	hostnames *domains.Service // nil without domains
	crons     cronHandler
	http      http.Handler
	log       *slog.Logger
}

// Compose returns the handlers. It makes no call.
func Compose(p Parts) *Handlers {
	log := cmp.Or(p.Log, slog.Default())
	env := project.NewEnv(project.EnvPorts{Variables: p.Store, Box: p.Box}, project.EnvOptions{})
	remover := remover{p.Cloud, p.Artifacts}
	all := core.New(core.Parts{
		Records: p.Store, Env: env, Artifacts: p.Artifacts, Platform: p.Cloud, Deployments: remover,
		Projects: p.Cloud, Domains: p.domainParts(), Builder: builder{p.Builder, env, p.Cloud.URLs}, LimitsHint: limitsHint, Settings: p.Settings, URLs: p.Cloud.URLs,
		AfterSwitch:     p.Cloud.AfterSwitch,
		Runner:          NewRunner(p.Leases, p.Store, p.Dispatch),
		DispatchRemoval: func(ctx context.Context, id anchor.ProjectID) error { return p.Dispatch(ctx, id, "") },
		Keep:            core.Keep{Deployments: cmp.Or(p.Keep, 10), Assets: keepAssets, Tabs: p.Tabs}, Log: log,
	})
	h := &Handlers{log: log, hostnames: all.Domains, deployer: &Deployer{
		Deploys: all.Deploys, Projects: all.Projects, Records: p.Store, Leases: p.Leases, Remover: remover, Dispatch: p.Dispatch,
		Artifacts: p.Artifacts, Platform: p.Cloud, Log: log,
		Upkeep:  &Upkeep{Store: p.Store, Leases: p.Leases, Cloud: p.Cloud, Artifacts: p.Artifacts, Deploys: all.Deploys, Log: log},
		Builder: p.Builder,
		Shifter: &release.Shifter{Releases: all.Releases, Observer: p.Cloud, Log: log},
	}}
	services := api.Services{
		Projects: all.Projects, Env: env, Deploys: all.Deploys, Builds: all.Deploys, Remote: remoteBuilds{p.Builder, all.Deploys}, Uploads: p.Artifacts, Releases: all.Releases, Access: all.Access, Domains: all.Domains,
		Logs: p.Logs, Sites: p.Cloud, System: system{Parts: p, started: time.Now()},
	}
	if p.Crons != nil {
		handler, ofAPI := p.cronServices(env)
		h.crons, services.Crons = cronHandler{p.Cloud.Warm, handler, p.Crons}, ofAPI
	}
	h.http = api.New(services, api.Options{Version: p.Version, Log: log, WatchFor: watchFor})
	return h
}

// limitsHint stands in for the limits per project, which Lambda does not have.
const limitsHint = "On aws, Lambda bounds the memory and the time of each function by itself. " +
	"To bound a whole site, set a budget in AWS Budgets or the account's concurrency quota."

// domainParts returns the parts of custom domains, or nil without any.
func (p Parts) domainParts() *core.Domains {
	if p.Domains == nil {
		return nil
	}
	return &core.Domains{Certificates: p.Domains.Certificates, Front: p.Domains.Front, Resolver: p.Domains.Resolver}
}

// keepAssets is how long the hashed files of a page that a browser has loaded stay available.
const keepAssets = 7 * 24 * time.Hour

// remover also removes the artifact.
type remover struct {
	Cloud
	artifacts Artifacts
}

func (r remover) Remove(ctx context.Context, d anchor.Deployment) error {
	if err := r.Cloud.Remove(ctx, d); err != nil {
		return err
	}
	if d.KeepsAssets(time.Now()) {
		return nil // the sweep finds it by its artifact once that time is over
	}
	return r.artifacts.Remove(ctx, d.ID)
}
