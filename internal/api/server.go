// Package api is Anchor's HTTP API: JSON over HTTP/1.1 and 2, described by the
// OpenAPI 3.1 document at /openapi.json, errors as RFC 9457. It decides nothing
// itself: every route checks the token's scope and asks a use-case.
package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/anchor-deploy/anchor/internal/access"
	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/deploy"
	"github.com/anchor-deploy/anchor/internal/domains"
	"github.com/anchor-deploy/anchor/internal/project"
	"github.com/anchor-deploy/anchor/internal/release"
)

// Services are the use-cases behind the API, and what it needs of the platform. All but those whose
// comment says what nil means are required.
type Services struct {
	Projects Projects
	Env      *project.Env
	Deploys  *deploy.Service
	Builds   *deploy.Service // nil where nothing is built: its route says so
	Pushed   Pushed          // nil where pushed commits are not built
	Remote   RemoteBuilds    // nil where no commits of repositories elsewhere are built
	Git      Git             // nil where nothing can be pushed: there are no repositories then
	Hooks    Hooks           // nil where projects cannot be connected to repositories: its routes say so
	Crons    Crons           // nil where crons are not run: its routes say so
	Previews Previews        // nil where previews cannot be protected: its routes say so
	Uploads  Uploads         // nil where contents come through the API
	Releases *release.Service
	Domains  *domains.Service // nil where domains cannot be attached: they have no routes then
	Access   *access.Service
	Logs     Logs
	Sites    Sites
	// Branches returns where the newest preview of a branch can be seen, "" when it has none; nil where
	// branches have no hosts.
	Branches func(p anchor.ProjectID, branch string) string
	System   System
	Cache    Cache        // nil where the platform does not store answers itself: its routes say so
	Splits   Splits       // nil where the platform does not count what deployments answer during a split
	Traffic  Traffic      // nil where the platform does not see requests: its route says so
	Alerts   Alerts       // nil where there are no alerts: its routes say so
	Drains   Drains       // nil where there are no drains: its routes say so
	Backups  Backups      // nil where the platform keeps copies of the records itself: its routes say so
	Errors   Errors       // nil where errors are not grouped: its routes say so
	Metrics  http.Handler // nil where there are none: its route says so
	Pages    http.Handler // of the dashboard, at / and below PagesPath; nil where there is none
}

// Options tune the API. The zero value is ready for production.
type Options struct {
	Version   string        // of Anchor, shown by /version and the OpenAPI document
	Log       *slog.Logger  // slog.Default() when nil
	MaxFile   int64         // bytes a single uploaded file may have; 0 means 1 GiB
	Heartbeat time.Duration // between comments on a silent event stream; 0 means 15 s

	Stall time.Duration // a client that takes nothing of an answer for so long is cut off; 0 means 30 s

	// Hosts, when not nil, are the names that the API answers for, besides localhost and
	// addresses.
	Hosts []string
	// TrustedProxies are those whose X-Forwarded-For is believed to name the client.
	TrustedProxies []netip.Prefix
	// Sleep delays the answer to a wrong token; nil waits for d or the end of ctx.
	Sleep func(ctx context.Context, d time.Duration)

	// WatchFor, when set, bounds an answer with an event stream: it ends when nothing
	// came for so long, or soon after something came, and the client asks for the rest.
	// It is for servers whose answers arrive only when they are whole.
	WatchFor time.Duration
}

// The largest bodies. A manifest has some 150 bytes a file.
const (
	maxJSON       = 1 << 20
	maxManifest   = 32 << 20
	defaultFile   = 1 << 30
	uploadTimeout = 30 * time.Minute
)

type server struct {
	Services
	Options
	api      huma.API
	attempts *attempts
	hooks    chan struct{} // one for each delivery whose body is read
}

// New returns the API's handler.
func New(services Services, o Options) http.Handler {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.MaxFile == 0 {
		o.MaxFile = defaultFile
	}
	if o.Heartbeat == 0 {
		o.Heartbeat = 15 * time.Second
	}
	if o.Stall == 0 {
		o.Stall = 30 * time.Second
	}
	if o.Sleep == nil {
		o.Sleep = sleep
	}
	mux := http.NewServeMux()
	s := &server{Services: services, Options: o, attempts: newAttempts(), hooks: make(chan struct{}, hooksAtATime), api: humago.New(mux, humaConfig(o.Version))}
	s.api.UseMiddleware(s.authorize, s.beginChange)
	s.systemRoutes()
	s.projectRoutes()
	s.limitRoutes()
	s.settingRoutes()
	s.cacheRoutes()
	s.statsRoutes()
	s.deploymentRoutes()
	s.buildRoutes()
	s.hookRoutes()
	s.cronRoutes()
	s.previewRoutes()
	s.uploadRoutes()
	s.releaseRoutes()
	s.splitRoutes()
	s.envRoutes()
	if s.Domains != nil {
		s.domainRoutes()
	}
	s.logRoutes()
	s.errorRoutes()
	s.alertRoutes()
	s.drainRoutes()
	s.backupRoutes()
	s.tokenRoutes()
	s.peopleRoutes()
	s.sessionRoutes()
	s.passkeyRoutes()
	s.passwordRoutes()
	s.identityRoutes()
	s.auditRoutes()
	s.changeRoutes()
	s.contentsRoutes()
	s.llmsRoute(mux)
	s.gitRoutes(mux)
	s.pageRoutes(mux)
	return s.guardRoutes(mux)
}

func humaConfig(version string) huma.Config {
	if version == "" {
		version = "dev"
	}
	c := huma.DefaultConfig("Anchor", version)
	c.Info.Description = "Deploys OpenNext builds of Next.js apps. " +
		"Errors are RFC 9457 problems with a stable `code` and a `hint`."
	c.DocsPath, c.SchemasPath = "", ""
	c.CreateHooks = nil // no $schema members in bodies: record names are the API's own
	c.OnAddOperation = append(c.OnAddOperation, asAnswered)
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"token": {Type: "http", Scheme: "bearer", Description: "A token created by `anchor tokens create`, or the secret of a session."},
	}
	return c
}

// newOperation describes a route. The scope is what its token needs; "" makes it
// public.
func newOperation(id, method, path string, scope anchor.Scope, summary string, errs ...int) huma.Operation {
	op := huma.Operation{
		OperationID: id, Method: method, Path: path, Summary: summary,
		MaxBodyBytes: maxJSON, BodyReadTimeout: 30 * time.Second,
		RejectUnknownQueryParameters: true,
		Errors:                       append([]int{http.StatusBadRequest}, errs...),
		Metadata:                     map[string]any{scopeKey: scope},
	}
	if scope != "" {
		op.Security = []map[string][]string{{"token": {}}}
		op.Description = "Needs a token of scope `" + string(scope) + "`."
		op.Errors = append(op.Errors, http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests)
	}
	return op
}

// handleRoute registers a route whose errors become problems.
func handleRoute[I, O any](s *server, op huma.Operation, h func(context.Context, *I) (*O, error)) {
	huma.Register(s.api, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := h(ctx, in)
		if anchor.CodeOf(err) == release.DividedCode { // what is left of the switch is a change
			noteChange(ctx, nil, err.Error())
			err = errors.Join(err, s.recordChange(ctx, &op))
		} else if err == nil {
			err = s.recordChange(ctx, &op)
		}
		if err != nil {
			return nil, problemOf(ctx, s.Log, err)
		}
		return out, nil
	})
}

// body is an answer with a JSON body and the operation's default status.
type body[T any] struct{ Body T }

func answerWith[T any](v T) *body[T] { return &body[T]{Body: v} }

// empty is an answer without a body: 204.
type empty struct{}

// none is the input of a route without parameters.
type none struct{}
