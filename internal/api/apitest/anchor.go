// Package apitest serves the API for tests: the use-cases are the product's, over records and a
// platform in memory and artifacts in a temporary folder. What is outside of Anchor, the DNS,
// the CA and the apps, answers as a test wants.
package apitest

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/access/passkey"
	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api"
	"github.com/anchor-deploy/anchor/internal/artifact"
	"github.com/anchor-deploy/anchor/internal/core"
	"github.com/anchor-deploy/anchor/internal/deploy"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
	"github.com/anchor-deploy/anchor/internal/deploy/queue"
	"github.com/anchor-deploy/anchor/internal/project"
	"github.com/anchor-deploy/anchor/internal/project/secret"
	"github.com/anchor-deploy/anchor/internal/records/memory"
)

// The secrets of the three tokens that are valid from the start, and of one that never was.
const (
	ReadToken    = "anchor_0000000000000000000000000000000000000000001"
	DeployToken  = "anchor_0000000000000000000000000000000000000000002"
	AdminToken   = "anchor_0000000000000000000000000000000000000000003"
	UnknownToken = "anchor_0000000000000000000000000000000000000000004"
)

// Options replace parts. The zero value is an Anchor on one machine.
type Options struct {
	Artifacts deploy.Bundles // nil: a store in a temporary folder
	Uploads   api.Uploads    // nil: contents come through the API
	// Distribution, when set, is the host name that custom domains lead to. The CA then wants a
	// separate record, as on AWS.
	Distribution string
	// OnLine, when not nil, is called with each line that Log writes.
	OnLine func(anchor.ProjectID, anchor.LogLine)
}

// Anchor is the use-cases and their dependencies.
type Anchor struct {
	*core.Anchor
	Records  *memory.Store
	Platform *platformtest.Memory

	uploads api.Uploads
	world   *world
	logs    *logs
	hanging chan anchor.DeploymentID // those whose probe hangs
	builds  sync.WaitGroup
}

// New returns an Anchor that has three tokens and nothing else. It ends with the test.
func New(t testing.TB, o Options) *Anchor {
	t.Helper()
	a := &Anchor{
		Records: memory.New(), Platform: platformtest.NewMemory(), uploads: o.Uploads,
		hanging: make(chan anchor.DeploymentID, 16),
	}
	a.world, a.logs = newWorld(a, o.Distribution), newLogs(a.Records, o.OnLine)
	a.Platform.Fault = a.fault
	box, err := secret.New(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	remover := remover{Memory: a.Platform, records: a.Records}
	if o.Artifacts == nil {
		remover.artifacts = openArtifacts(t)
		o.Artifacts = remover.artifacts
	}
	a.Anchor = core.New(core.Parts{
		Records: a.Records, People: a.Records, Passkeys: passkey.Ceremonies{}, Box: box, Env: project.NewEnv(project.EnvPorts{Variables: a.Records, Box: box}, project.EnvOptions{}),
		Artifacts: o.Artifacts, Platform: a.Platform, Deployments: remover, Projects: remover, Limiter: limiter{},
		Runner:  queue.New(2),
		Domains: a.world.parts(), Builder: builder{Anchor: a, app: buildApp(t)},
		Keep: core.Keep{Deployments: 10}, Log: slog.New(slog.DiscardHandler),
	})
	t.Cleanup(func() { a.Close(); a.builds.Wait() })
	a.createTokens(t)
	return a
}

func openArtifacts(t testing.TB) *artifact.Store {
	t.Helper()
	store, err := artifact.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

// createTokens records the tokens of the constants: secrets that the use-case makes are
// random.
func (a *Anchor) createTokens(t testing.TB) {
	t.Helper()
	for secret, scope := range map[string]anchor.Scope{
		ReadToken: anchor.ScopeRead, DeployToken: anchor.ScopeDeploy, AdminToken: anchor.ScopeAdmin,
	} {
		hash := sha256.Sum256([]byte(secret))
		token := anchor.Token{ID: anchor.NewID(), Name: string(scope), Scope: scope, Hash: hash[:], CreatedAt: time.Now().UnixMilli()}
		if err := a.Records.CreateToken(t.Context(), token); err != nil {
			t.Fatal(err)
		}
	}
}

// Services returns what the API works with.
func (a *Anchor) Services() api.Services {
	return api.Services{
		Projects: a.Projects, Env: a.Env, Deploys: a.Deploys, Builds: a.Deploys, Uploads: a.uploads, Releases: a.Releases,
		Domains: a.Domains, Access: a.Access, Logs: a.logs, Sites: sites{}, System: system{a.Records},
	}
}

// Serve starts the API over services and returns its URL; wrap, when not nil, stands in
// front of it.
func Serve(t testing.TB, services api.Services, o api.Options, wrap func(http.Handler) http.Handler) string {
	t.Helper()
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Sleep == nil {
		o.Sleep = func(context.Context, time.Duration) {} // tests send wrong tokens by the dozen
	}
	handler := api.New(services, o)
	if wrap != nil {
		handler = wrap(handler)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server.URL
}
