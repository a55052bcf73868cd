// Package server is the composition root: it alone knows which adapters implement the ports, and
// turns a Config into a running Anchor.
package server

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact/build"
	"github.com/anchor-deploy/anchor/internal/local/builder"
)

// Config is the configuration of `anchor up`. Zero fields take the defaults named here.
type Config struct {
	Data         string        // folder of everything Anchor keeps
	Listen       string        // host:port of site traffic, ":3000"; port 0 picks a free one
	API          string        // host:port of the control API, "127.0.0.1:3080"
	BaseDomain   string        // "localhost"
	PublicURL    string        // how sites are reached from outside, when a proxy stands in front: https://example.com
	AdminDomain  string        // name on which the edge serves the API and Git over HTTPS; none when empty
	APIHosts     []string      // names that the API answers for, besides its address and localhost
	TrustProxies []string      // addresses or CIDRs whose X-Forwarded-* are believed
	HTTPS        HTTPS         // custom domains
	OIDC         OIDC          // the identity provider by which people sign in
	Keep         int           // deployments kept per project of those that were live, 10
	KeepPreviews int           // and of the others, 10
	PreviewDays  int           // how old those may be, in days, where the project does not say; 0: any age
	KeepAssets   time.Duration // how long hashed files that production served stay, 7 days; negative: no longer than their deployment
	Quotas       Quotas
	PageCacheMiB int64          // memory for answers that visitors share, 128; negative: none
	PageDiskMiB  int64          // disk for them, 1024; negative: none
	Builds       builder.Limits // of pushed commits
	AccessLog    AccessLog
	OTLP         OTLP
	AppLogMiB    int64         // disk for the log of each project's app, 128
	ServerTiming bool          // adds Server-Timing to the answers of functions
	Node         string        // path or version of Node.js, or nodejs.Auto; found in PATH when empty
	Drain        time.Duration // how long a removed deployment's requests may continue, 5 min
	PreviewIdle  time.Duration // how long a process of a preview stays without requests, 1 min
	Warm         time.Duration // how long the previously live deployment keeps a worker, 15 min
	// SkewProtection is how long a tab that loaded a deployment may use it after another one is live,
	// 24 hours; negative: not at all.
	SkewProtection time.Duration
	// RequireIsolation is the lowest jail.Level at which Anchor starts, 0 to 3.
	RequireIsolation int
	Version          string
	Log              *slog.Logger

	// Ready is called once when everything listens.
	Ready func(Ready)
	// BeforeStep is called before each step of a deploy and of a project's removal. Tests use it to
	// end the process there.
	BeforeStep func(step string)
	// MakeBuild, when not nil, makes the OpenNext build of a pushed commit's app in place of
	// OpenNext. Tests use it.
	MakeBuild func(ctx context.Context, b *build.Builder) (tree string, err error)
}

// OIDC is an OpenID provider; there is none without an Issuer.
type OIDC struct {
	Issuer     string // URL, exactly as the provider writes it
	ClientID   string
	SecretFile string // file with the secret of the client; "" for a client that has none
	Title      string // what people call the provider; the host of the issuer when empty
	// Domains admit people whom nobody has invited: the role by the domain of their verified e-mail address.
	Domains map[string]anchor.Role
}

// Quotas bound what projects may use of the machine. Zero fields take the defaults named here.
type Quotas struct {
	Projects  int   // 1000
	Queued    int   // deployments of a project that have not ended, 20
	Functions int   // of a deployment, 64
	Processes int   // of a deployment's split functions together, 2 for each core and at least 8
	CacheMiB  int64 // that a project's apps write to the incremental cache, 4096
	BodyMiB   int64 // of a request to a site; no limit
	UploadMiB int64 // sent for deployments whose upload has not ended, 8192
}

func (q Quotas) withDefaults() Quotas {
	q.Projects = cmp.Or(max(0, q.Projects), 1000)
	q.Queued = cmp.Or(max(0, q.Queued), 20)
	q.CacheMiB = cmp.Or(max(0, q.CacheMiB), 4096)
	q.UploadMiB = cmp.Or(max(0, q.UploadMiB), 8192)
	return q // the platform has its own
}

// Ready says how to reach a started Anchor.
type Ready struct {
	SiteURL   string   `json:"url"`             // http://<project>.localhost:3000
	HTTPS     string   `json:"https,omitempty"` // the same over TLS, where there are certificates for it
	APIURL    string   `json:"api"`
	Admin     string   `json:"admin,omitempty"`    // the API and Git on a name of their own
	Dashboard string   `json:"dashboard"`          // where people sign in
	Data      string   `json:"data"`               // absolute
	TokenFile string   `json:"tokenFile"`          // where the CLI finds the admin token
	Warnings  []string `json:"warnings,omitempty"` // what is not as it should be

	// SignIn makes a link that signs the owner in once.
	SignIn func() (string, error) `json:"-"`
}

// keepAssets is the default of KeepAssets, and skewProtection that of SkewProtection.
const (
	keepAssets     = 7 * 24 * time.Hour
	skewProtection = 24 * time.Hour
)

func (c Config) withDefaults() Config {
	set := func(s *string, v string) {
		if *s == "" {
			*s = v
		}
	}
	set(&c.Listen, ":3000")
	set(&c.API, "127.0.0.1:3080")
	set(&c.BaseDomain, "localhost")
	set(&c.Version, "dev")
	if c.Keep <= 0 {
		c.Keep = 10
	}
	c.Quotas = c.Quotas.withDefaults()
	if c.KeepPreviews <= 0 {
		c.KeepPreviews = 10
	}
	if c.KeepAssets == 0 {
		c.KeepAssets = keepAssets
	}
	c.SkewProtection = cmp.Or(c.SkewProtection, skewProtection)
	c.PageCacheMiB = cmp.Or(c.PageCacheMiB, 128)
	c.PageDiskMiB = cmp.Or(c.PageDiskMiB, 1024)
	c.AppLogMiB = cmp.Or(c.AppLogMiB, 128)
	if c.Drain <= 0 {
		c.Drain = 5 * time.Minute
	}
	if c.Warm <= 0 {
		c.Warm = 15 * time.Minute
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return c
}
