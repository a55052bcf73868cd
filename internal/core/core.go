// Package core wires the use-cases. One machine, an AWS account and the tests of the API
// differ in the parts they pass to New, not in what is made of them.
package core

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"github.com/anchor-deploy/anchor/internal/access"
	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/deploy"
	"github.com/anchor-deploy/anchor/internal/domains"
	"github.com/anchor-deploy/anchor/internal/project"
	"github.com/anchor-deploy/anchor/internal/release"
)

// Records are the records of all use-cases, in one store.
type Records interface {
	access.Tokens
	deploy.Records
	deploy.Journal
	deploy.Projects
	domains.Records
	domains.Directory
	project.Records
	project.Variables
	release.Pointer
	release.Records
	release.Shelf
}

// People are the records behind signing in and the audit log.
type People interface {
	access.Uses
	access.People
	access.Audit
}

// Platform is the place that deployments are served from.
type Platform interface {
	deploy.Platform
	release.Traffic
}

// Parts are what the use-cases are made of. A field is required unless its comment describes
// its zero value.
type Parts struct {
	Records   Records
	Env       *project.Env
	Artifacts deploy.Bundles
	Platform  Platform
	// Deployments removes all that is kept of a deployment, its artifact too where the
	// platform does not keep it.
	Deployments release.Remover
	// Projects removes what the platform keeps of a project.
	Projects project.Remover
	// Limiter holds the limits of a project; nil where the platform has none per project.
	// LimitsHint then says what bounds a project instead.
	Limiter    project.Limiter
	LimitsHint string
	// Settings holds the settings of projects for AWS; nil where they have no effect.
	Settings project.SettingsRecords

	People People // nil: there are tokens only, and no audit log
	// Passkeys checks the passkeys of people, Box seals the secrets of their passwords; nil: they have none.
	Passkeys access.Passkeys
	Box      access.Box
	// Provider signs people in elsewhere, and Admits are access.Ports.Admits; nil: they have to be invited.
	Provider access.IdentityProvider
	Admits   map[string]anchor.Role

	Domains *Domains       // nil: custom domains cannot be attached
	Builder deploy.Builder // nil: nothing is built from commits
	Runner  deploy.Runner  // Close ends it
	// DispatchRemoval makes another process remove a retired project, or apply the settings of one that
	// is not; nil where this one removes it.
	DispatchRemoval func(context.Context, anchor.ProjectID) error

	// AfterSwitch is release.Options.Purge; nil: Platform.Purge.
	AfterSwitch func(ctx context.Context, live anchor.Live) error

	// URLs is that of deploy.Options.
	URLs func(p anchor.Project, d anchor.DeploymentID) (site, deployment string)

	Keep   Keep
	Limits Limits

	OnEvent    func(anchor.DeploymentID, anchor.Event) // called with each event of a deployment; must not wait; nil: nothing
	BeforeStep func(step string)                       // called before each step of a deploy and of a removal; nil: nothing
	Log        *slog.Logger                            // nil: slog.Default()
}

// Domains are the parts behind custom domains.
type Domains struct {
	Certificates domains.Certificates
	Front        domains.Front
	Resolver     domains.Resolver
	Reserved     string // name that no project may have; "": none
}

// Keep is what retention keeps of a project.
type Keep struct {
	Deployments int           // deployments that were live
	Previews    int           // other deployments; 0 means as many as Deployments
	PreviewDays int           // how old those may be, where the project does not say; 0: any age
	Assets      time.Duration // how long hashed files stay after their deployment was live
	Tabs        time.Duration // how long open tabs may use a deployment after it was live; 0: not at all
}

// previews returns what is kept of the previews of a project that does not say.
func (k Keep) previews() anchor.PreviewRetention {
	return anchor.PreviewRetention{Keep: cmp.Or(k.Previews, k.Deployments), Days: k.PreviewDays}
}

// Limits bound what users may have at a time. Zero fields bound nothing.
type Limits struct {
	Projects int // projects of the installation
	Queued   int // deployments of one project that have not ended
}

// Anchor is every use-case over one set of parts.
type Anchor struct {
	Access   *access.Service
	Deploys  *deploy.Service
	Domains  *domains.Service // nil without Parts.Domains
	Env      *project.Env
	Projects *project.Service
	Releases *release.Service
}

// New wires the use-cases. It calls none of the parts. Close ends what it started.
func New(p Parts) *Anchor {
	purge := p.AfterSwitch
	if purge == nil {
		purge = p.Platform.Purge
	}
	releases := release.New(release.Ports{Pointer: p.Records, Traffic: p.Platform, Records: p.Records}, release.Options{Purge: purge})
	deploys, domains := newDeploys(p, releases), newDomains(p)
	return &Anchor{
		Access:   access.New(newAccess(p), access.Options{}),
		Deploys:  deploys,
		Domains:  domains,
		Env:      p.Env,
		Projects: newProjects(p, deploys, domains),
		Releases: releases,
	}
}

func newAccess(p Parts) access.Ports {
	ports := access.Ports{Tokens: p.Records, Passkeys: p.Passkeys, Box: p.Box, Provider: p.Provider, Admits: p.Admits}
	if p.People != nil {
		ports.Uses, ports.People, ports.Audit = p.People, p.People, p.People
	}
	return ports
}

// Close interrupts the deployments that run and waits for them. They continue when a
// deploy.Service over the same records resumes.
func (a *Anchor) Close() { a.Deploys.Close() }

func newDeploys(p Parts, releases *release.Service) *deploy.Service {
	return deploy.New(deploy.Ports{
		Projects: p.Records, Records: p.Records, Journal: p.Records, Bundles: p.Artifacts, Env: p.Env,
		Platform: p.Platform, Releases: releases, Remover: p.Deployments,
		Retention: release.Retention{
			Service: releases, Shelf: p.Records, Remover: p.Deployments,
			Keep: p.Keep.Deployments, Previews: p.Keep.previews(), Assets: p.Keep.Assets, Tabs: p.Keep.Tabs,
		},
		Runner: p.Runner, Builder: p.Builder,
	}, deploy.Options{Quota: deploy.Quota{Queued: p.Limits.Queued}, BeforeStep: p.BeforeStep, OnEvent: p.OnEvent, URLs: p.URLs})
}

func newProjects(p Parts, deploys *deploy.Service, domains *domains.Service) *project.Service {
	ports := project.Ports{Records: p.Records, Deployments: deploys, Remover: p.Projects, Limiter: p.Limiter}
	if domains != nil {
		ports.Domains = domains
	}
	ports.Dispatch, ports.Settings = p.DispatchRemoval, p.Settings
	return project.New(ports, project.Options{MaxProjects: p.Limits.Projects, LimitsHint: p.LimitsHint, Previews: p.Keep.previews(), BeforeStep: p.BeforeStep, Log: p.Log})
}

func newDomains(p Parts) *domains.Service {
	d := p.Domains
	if d == nil {
		return nil
	}
	return domains.New(domains.Ports{
		Records: p.Records, Directory: p.Records, Certificates: d.Certificates, Front: d.Front, Resolver: d.Resolver,
	}, domains.Options{Reserved: d.Reserved, Log: p.Log})
}
