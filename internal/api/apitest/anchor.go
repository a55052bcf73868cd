// Package apitest is an Anchor in memory behind the real API: the same routes, tokens
// and errors, with a pipeline that only pretends to serve. Tests of the API and of
// the command line run against it.
package apitest

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api"
	"github.com/anchor-deploy/anchor/internal/artifact"
	"github.com/anchor-deploy/anchor/internal/deploy"
	"github.com/anchor-deploy/anchor/internal/domains"
	"github.com/anchor-deploy/anchor/internal/records/memory"
)

// The secrets of the three tokens that are there from the start.
const (
	ReadToken   = "anchor_read"
	DeployToken = "anchor_deploy"
	AdminToken  = "anchor_admin"
)

// Anchor is all state, behind one lock.
type Anchor struct {
	Bundles deploy.Bundles // keeps the contents when not nil
	Uploads api.Uploads    // lets clients send them past the API when not nil

	// RemovalLooks is how often a project that is deleted is seen before it is gone.
	RemovalLooks int

	mu       sync.Mutex
	changed  chan struct{} // closed and replaced by every change of the journal and the logs
	projects []anchor.Project
	deploys  []*deployment
	live     map[anchor.ProjectID]anchor.Live
	releases []anchor.Release
	env      map[anchor.ProjectID]map[string]anchor.EnvVar
	world    *world
	domains  *domains.Service
	store    *memory.Store // of the domains and of the projects they belong to
	blobs    map[artifact.Digest]int64
	logs     []anchor.LogLine
	tokens   map[string]anchor.Token // by secret
	running  sync.WaitGroup          // pipelines
}

type deployment struct {
	anchor.Deployment
	manifest artifact.Manifest
	key      string // of the build that was asked for
	events   []anchor.Event
	stop     chan struct{} // closed by Cancel
}

// New gives an Anchor with three tokens and nothing else.
func New() *Anchor {
	a := &Anchor{
		changed: make(chan struct{}),
		live:    map[anchor.ProjectID]anchor.Live{},
		env:     map[anchor.ProjectID]map[string]anchor.EnvVar{},
		store:   memory.New(),
		blobs:   map[artifact.Digest]int64{},
		tokens:  map[string]anchor.Token{},
	}
	a.world = newWorld(a)
	a.domains = a.world.service()
	for secret, scope := range map[string]anchor.Scope{
		ReadToken: anchor.ScopeRead, DeployToken: anchor.ScopeDeploy, AdminToken: anchor.ScopeAdmin,
	} {
		a.tokens[secret] = anchor.Token{ID: "tok_" + string(scope), Name: string(scope), Scope: scope, CreatedAt: now()}
	}
	return a
}

// Services are the API's ports, all served by a.
func (a *Anchor) Services() api.Services {
	return api.Services{
		Projects: projects{a}, Env: env{a}, Deploys: deploys{a}, Builds: deploys{a}, Uploads: a.Uploads, Releases: releases{a},
		Domains: a.domains, Access: access{a}, Logs: logs{a}, Sites: sites{}, System: system{a},
	}
}

// Serve starts the API; wrap, when not nil, stands in front of it.
func Serve(t testing.TB, a *Anchor, o api.Options, wrap func(http.Handler) http.Handler) string {
	t.Helper()
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Sleep == nil {
		o.Sleep = func(context.Context, time.Duration) {} // wrong tokens are tried by the dozen
	}
	handler := api.New(a.Services(), o)
	if wrap != nil {
		handler = wrap(handler)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		a.stopAll()
	})
	return server.URL
}

// ServeServices starts the API over services of the test's own, of which some are an
// Anchor's.
func ServeServices(t testing.TB, services api.Services, o api.Options) string {
	t.Helper()
	server := httptest.NewServer(api.New(services, o))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server.URL
}

// stopAll ends the pipelines that hang.
func (a *Anchor) stopAll() {
	a.mu.Lock()
	for _, d := range a.deploys {
		d.halt()
	}
	a.mu.Unlock()
	a.running.Wait()
}

// notify wakes who waits; it needs mu.
func (a *Anchor) notify() {
	close(a.changed)
	a.changed = make(chan struct{})
}

func now() int64 { return time.Now().UnixMilli() }

// page cuts a list that is newest last into pages that are newest first. The cursor
// is the id of the last row shown.
func page[T any](rows []T, p anchor.Page, id func(T) string) (anchor.List[T], error) {
	out := anchor.List[T]{}
	skipping := p.Cursor != ""
	for i := len(rows) - 1; i >= 0; i-- {
		if skipping {
			skipping = id(rows[i]) != p.Cursor
			continue
		}
		if len(out.Items) == p.Size() {
			out.Next = id(out.Items[len(out.Items)-1])
			break
		}
		out.Items = append(out.Items, rows[i])
	}
	if skipping {
		return out, anchor.Invalid("bad_cursor", "the cursor %q is none of this list", p.Cursor).Hintf("Begin without a cursor.")
	}
	return out, nil
}
