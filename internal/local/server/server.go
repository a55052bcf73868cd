package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/anchor-deploy/anchor/internal/access/oidc"
	"github.com/anchor-deploy/anchor/internal/access/passkey"
	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api"
	"github.com/anchor-deploy/anchor/internal/artifact"
	"github.com/anchor-deploy/anchor/internal/core"
	"github.com/anchor-deploy/anchor/internal/crons"
	"github.com/anchor-deploy/anchor/internal/dashboard"
	"github.com/anchor-deploy/anchor/internal/deploy/queue"
	"github.com/anchor-deploy/anchor/internal/local/acme"
	"github.com/anchor-deploy/anchor/internal/local/alerts"
	"github.com/anchor-deploy/anchor/internal/local/builder"
	"github.com/anchor-deploy/anchor/internal/local/discovery"
	"github.com/anchor-deploy/anchor/internal/local/drains"
	"github.com/anchor-deploy/anchor/internal/local/edge"
	"github.com/anchor-deploy/anchor/internal/local/edge/accesslog"
	"github.com/anchor-deploy/anchor/internal/local/edge/cache"
	"github.com/anchor-deploy/anchor/internal/local/errorgroup"
	"github.com/anchor-deploy/anchor/internal/local/git"
	"github.com/anchor-deploy/anchor/internal/local/hooks"
	"github.com/anchor-deploy/anchor/internal/local/isr"
	"github.com/anchor-deploy/anchor/internal/local/logs"
	"github.com/anchor-deploy/anchor/internal/local/metrics"
	"github.com/anchor-deploy/anchor/internal/local/nodejs"
	"github.com/anchor-deploy/anchor/internal/local/previews"
	"github.com/anchor-deploy/anchor/internal/local/series"
	"github.com/anchor-deploy/anchor/internal/local/sites"
	"github.com/anchor-deploy/anchor/internal/local/sqlite"
	"github.com/anchor-deploy/anchor/internal/local/worker"
	"github.com/anchor-deploy/anchor/internal/project"
	"github.com/anchor-deploy/anchor/internal/project/secret"
	"github.com/anchor-deploy/anchor/internal/release"
)

// app is a running Anchor on one machine.
type app struct {
	Config
	started  time.Time
	node     worker.Node
	runtimes *nodejs.Runtimes
	walls    sites.Isolation
	closers  []func() error // in the order of opening

	sites, api net.Listener
	secure     net.Listener   // nil without HTTPS
	quic       net.PacketConn // nil without HTTP/3
	noHTTP3    error          // why there is none, although it is wanted
	public     origin
	proxies    []netip.Prefix
	store      *sqlite.Store
	bundles    *artifact.Store
	edge       *edge.Edge
	pages      *cache.Store // nil without a cache of answers
	platform   *sites.Platform
	core       *core.Anchor
	logs       *logs.Book
	errors     *errorgroup.Store
	alerts     *alerts.Service
	drains     *drains.Service
	telemetry  telemetry
	metrics    *prometheus.Registry
	highRates  map[string]bool // projects with a high error rate; of watchTroubles
	accessLog  *accesslog.Log
	history    *series.Store // of the traffic
	watch      *release.Watch
	shifter    *release.Shifter

	repositories *git.Store
	certs        *acme.Manager // nil without HTTPS
	localCA      *acme.LocalCA // nil unless the base domain is localhost
	builder      *builder.Builder
	hooks        *hooks.Service
	crons        *crons.Service
	previews     *previews.Service
	provider     *oidc.Provider // nil without an identity provider
	admin        adminName
	handler      http.Handler // of the API
	changed      chan string  // names whose certificate changed

	covered         atomic.Bool            // the wildcard's certificate is there
	wildcardProblem atomic.Pointer[string] // why it is not
}

// Run starts Anchor, calls c.Ready and serves until ctx ends. Everything acknowledged before is
// there again after the next start, however this one ends.
func Run(ctx context.Context, c Config) error {
	a := &app{Config: c.withDefaults(), started: time.Now(), changed: make(chan string, 1024)}
	defer a.close()
	defer paceCollector()()
	if err := a.openParts(ctx); err != nil {
		return err
	}
	if err := a.platform.Restore(ctx); err != nil {
		return err
	}
	if err := a.core.Domains.Restore(ctx); err != nil {
		return err
	}
	working, stop := context.WithCancel(ctx)
	var background sync.WaitGroup
	for _, work := range []func(context.Context){a.runJanitor, a.finishRemovals, a.core.Domains.Run, a.lookAtChanged, a.keepWildcard, a.keepAdminCertificate, a.finishStart, a.keepHistory, a.watchTroubles, a.exportMetrics, a.crons.Run, a.runShifter} {
		background.Go(func() { work(working) })
	}
	a.onClose(func() error { stop(); background.Wait(); return nil })
	token, err := a.localToken(ctx)
	if err != nil {
		return err
	}
	if err := a.core.Access.EnsureOwner(ctx, firstOwner); err != nil {
		return err
	}
	return a.serveUntil(ctx, token)
}

// openParts starts the parts in the order of their dependencies. It refuses what can be refused
// (Node.js, folder, port) before it changes any record.
func (a *app) openParts(ctx context.Context) (err error) {
	if a.Data, err = filepath.Abs(a.Data); err != nil {
		return fmt.Errorf("find the data folder: %w", err)
	}
	// A program that is not there is refused before the data folder is made, in which others are installed.
	if !nodejs.IsRange(a.Node) {
		if err := a.openNode(ctx); err != nil {
			return err
		}
	}
	unlock, err := lockData(a.Data)
	if err != nil {
		return err
	}
	a.onClose(func() error { unlock(); return nil })
	if a.runtimes == nil {
		if err := a.openNode(ctx); err != nil {
			return err
		}
	}
	if err := a.openWalls(ctx); err != nil {
		return err
	}
	if a.sites, err = listenOn(ctx, "--listen", a.Listen); err != nil {
		return err
	}
	a.onClose(a.sites.Close)
	if a.public, err = a.publicOrigin(a.sites); err != nil {
		return err
	}
	if err := a.openAdmin(); err != nil {
		return err
	}
	if a.HTTPS.Listen != "" {
		if a.secure, err = listenOn(ctx, "--https", a.HTTPS.Listen); err != nil {
			return err
		}
		a.onClose(a.secure.Close)
		a.openHTTP3(ctx)
	}
	if a.api, err = listenOn(ctx, "--api", a.API); err != nil {
		return err
	}
	a.onClose(a.api.Close)
	if err := a.confineWorkers(ctx); err != nil {
		return err
	}
	if err := folder(a.Data).checkRecords(ctx); err != nil {
		return err
	}
	box, err := a.openKey()
	if err != nil {
		return err
	}
	if err := a.openStores(ctx); err != nil {
		return err
	}
	return a.openUseCases(ctx, box)
}

func (a *app) openStores(ctx context.Context) (err error) {
	if a.store, err = sqlite.Open(ctx, filepath.Join(a.Data, "anchor.db")); err != nil {
		return err
	}
	a.onClose(a.store.Close)
	if a.bundles, err = artifact.Open(filepath.Join(a.Data, "artifacts")); err != nil {
		return err
	}
	a.bundles.MaxUnowned = a.Quotas.UploadMiB << 20
	a.onClose(a.bundles.Close)
	if err := a.openAccessLog(); err != nil {
		return err
	}
	if err := a.openHistory(ctx); err != nil {
		return err
	}
	if a.logs, err = logs.Open(filepath.Join(a.Data, "logs"), a.AppLogMiB<<20); err != nil {
		return err
	}
	a.onClose(a.logs.Close)
	if a.errors, err = errorgroup.Open(ctx, filepath.Join(a.Data, "errors.db"), a.Log); err != nil {
		return err
	}
	a.onClose(a.errors.Close)
	return nil
}

func (a *app) openUseCases(ctx context.Context, box *secret.Box) error {
	incremental, err := isr.Open(filepath.Join(a.Data, "cache"))
	if err != nil {
		return err
	}
	incremental.Quota.Bytes = a.Quotas.CacheMiB << 20
	incremental.Quota.Group = func(ns string) []string { return a.platform.Siblings(anchor.DeploymentID(ns)) }
	a.onClose(incremental.Close)
	run, err := a.runFolder()
	if err != nil {
		return err
	}

	env := project.NewEnv(project.EnvPorts{Variables: a.store, Box: box}, project.EnvOptions{})
	if a.proxies, err = parseTrusted(a.TrustProxies); err != nil {
		return err
	}
	addresses, err := a.HTTPS.publicAddresses()
	if err != nil {
		return err
	}
	if err := a.openTelemetry(ctx); err != nil {
		return err
	}
	if err := a.openDrains(ctx, box); err != nil {
		return err
	}
	if err := a.openACME(); err != nil {
		return err
	}
	a.edge = edge.New(a.edgeConfig())
	a.platform, err = sites.New(sites.Config{
		Dir: filepath.Join(a.Data, "platform"), Run: run, BaseDomain: a.BaseDomain,
		Addresses: addresses, Node: a.node, Runtimes: a.runtimes, Users: a.walls.Users, Walls: a.walls.Walls, Groups: a.walls.Groups, Drain: a.Drain, Warm: a.Warm, Tabs: a.SkewProtection,
		PreviewIdle: a.PreviewIdle,
		Limits:      sites.Limits{Functions: a.Quotas.Functions, Processes: a.Quotas.Processes},
		Edge:        a.edge, Cache: incremental, Pages: a.openPages(), Bundles: a.bundles, Logs: a.logs, OnLine: a.onLine, Records: a.store, Secrets: env,
	})
	if err != nil {
		return err
	}
	a.onClose(a.platform.Close)
	a.findSources()
	if err := a.openPreviews(ctx, box); err != nil {
		return err
	}

	provider, err := a.openProvider()
	if err != nil {
		return err
	}
	a.openAlerts(box)
	a.core = core.New(core.Parts{
		Records: a.store, People: a.store, Passkeys: passkey.Ceremonies{}, Provider: provider, Admits: a.OIDC.Domains, Box: box, Env: env, Artifacts: a.bundles, Platform: a.platform, Deployments: a.platform,
		Runner:   queue.New(max(2, runtime.NumCPU())), // a deploy is bound by the cold start of its functions
		Projects: projectFiles{a}, Limiter: limiter{a.platform, a}, Domains: a.domainParts(),
		URLs:    a.URLs,
		Keep:    core.Keep{Deployments: a.Keep, Previews: a.KeepPreviews, PreviewDays: a.PreviewDays, Assets: a.KeepAssets, Tabs: a.SkewProtection},
		Limits:  core.Limits{Projects: a.Quotas.Projects, Queued: a.Quotas.Queued},
		OnEvent: a.alertFailure, BeforeStep: a.BeforeStep, Log: a.Log,
	})
	a.onClose(func() error { a.core.Close(); return nil })
	a.openShifter()
	if err := a.openBuilder(ctx, a.core, run); err != nil {
		return err
	}
	if err := a.openCrons(ctx); err != nil {
		return err
	}
	a.metrics = metrics.Registry(a.metricsSources())
	return a.openHooks(ctx, box)
}

// serveUntil answers until ctx ends, then lets requests in flight finish.
func (a *app) serveUntil(ctx context.Context, token string) error {
	api := a.apiServer()
	failed := make(chan error, 4)
	go func() { failed <- a.edge.Serve(a.sites) }()
	if a.secure != nil {
		go func() { failed <- a.edge.ServeTLS(a.secure) }()
	}
	if a.quic != nil {
		go func() { failed <- a.edge.ServeQUIC(a.quic) }()
	}
	go func() { failed <- api.Serve(a.api) }()
	here := discovery.Server{URL: apiURL(a.api), Token: token, PID: os.Getpid(), Data: a.Data}
	if err := discovery.Write(here); err != nil {
		return err
	}
	a.onClose(func() error { return discovery.Remove(here) })
	if a.Ready != nil {
		a.Ready(a.describeReady(ctx))
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	return errors.Join(err, a.shutDown(api))
}

// apiConnections is how many connections the API takes at a time.
const apiConnections = 512

func (a *app) apiServer() *http.Server {
	connections := &api.Connections{Max: apiConnections}
	pages := dashboard.New(dashboard.Config{Version: a.Version, Log: a.Log, Secure: a.isSecure})
	services := a.buildServices()
	services.Pages = pages
	a.handler = api.New(services, api.Options{
		Version: a.Version, Log: a.Log, Hosts: a.apiHosts(), TrustedProxies: a.proxies,
	})
	pages.API = a.handler
	return &http.Server{
		Handler:           a.handler,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ConnState:         connections.Track,
	}
}

// apiHosts returns the names that the API answers for. Where it listens beyond this machine and
// none is configured, clients may know it by any name, so it answers for all: nil.
func (a *app) apiHosts() []string {
	at, err := netip.ParseAddrPort(a.api.Addr().String())
	if len(a.APIHosts) == 0 && (err != nil || !at.Addr().IsLoopback()) {
		return nil
	}
	hosts := append([]string{a.API}, a.APIHosts...)
	if a.admin.name != "" {
		hosts = append(hosts, a.admin.name)
	}
	if u, err := url.Parse(a.PublicURL); err == nil && u.Host != "" {
		hosts = append(hosts, u.Host)
	}
	return hosts
}

func (a *app) edgeConfig() edge.Config {
	c := edge.Config{
		Log: a.Log, TrustedProxies: a.proxies, GetCertificate: a.getCertificate(), Wrap: a.wrapSites, Reserved: a.admin.name,
		MaxBodyBytes: a.Quotas.BodyMiB << 20, AccessLog: a.accessLog, Tracer: a.telemetry.tracer, ServerTiming: a.ServerTiming, QUICResetKey: a.quicResetKey(),
	}
	if a.certs != nil {
		c.Wrap = func(next http.Handler) http.Handler { return a.certs.HTTPChallenge(a.wrapSites(next)) }
		_, c.HTTPSPort, _ = net.SplitHostPort(a.secure.Addr().String())
	}
	return c
}

// grace is how long requests in flight, and the work of apps after their answers, may continue when
// Anchor itself ends.
const grace = 10 * time.Second

// shutDown lets work under way end within the grace: requests first, then the work that functions
// continue after their answers. Deployments are interrupted in between, so that none fails because
// its function is stopped; the next start continues them.
func (a *app) shutDown(api *http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	err := a.edge.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = nil // streams that would never end
	}
	err = errors.Join(err, a.crons.Close())
	err = errors.Join(err, a.hooks.Close())   // before the builds that it would report as failed
	err = errors.Join(err, a.builder.Close()) // before those who push lose their connections
	err = errors.Join(err, api.Close())
	a.core.Close()
	if cut := a.platform.Finish(ctx); cut != nil {
		a.Log.Warn("requests or functions were still running when the time to stop had passed", "error", cut)
	}
	return err
}

func (a *app) describeReady(ctx context.Context) Ready {
	r := Ready{
		SiteURL: a.sitesOrigin().originOf("<project>." + a.BaseDomain), APIURL: apiURL(a.api),
		Data: a.Data, TokenFile: a.tokenFile(), HTTPS: a.httpsURL(), Admin: a.adminURL(),
		Dashboard: a.dashboardURL(), SignIn: func() (string, error) { return a.signInURL(ctx) },
	}
	if !a.isIsolated() {
		r.Warnings = append(r.Warnings, a.isolationGap())
	}
	r.Warnings = append(r.Warnings, a.limitsWarnings(ctx)...)
	r.Warnings = append(r.Warnings, a.http3Warnings()...)
	return r
}

func (a *app) onClose(f func() error) { a.closers = append(a.closers, f) }

func (a *app) close() {
	for i := len(a.closers) - 1; i >= 0; i-- {
		if err := a.closers[i](); err != nil && !errors.Is(err, net.ErrClosed) {
			a.Log.Error("close", "error", err)
		}
	}
}
