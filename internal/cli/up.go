package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/local/discovery"
	"github.com/anchor-deploy/anchor/internal/local/server"
)

func (s *shell) upCommand() *cobra.Command {
	var o server.Config
	var buildMemory int64
	var http3 bool
	var otlp func(*server.OTLP) error
	var domains map[string]string
	cmd := &cobra.Command{
		Use: "up", Short: "Run the server: sites, API and workers", Args: cobra.NoArgs,
		Long: "Runs the server in the foreground until Ctrl-C, SIGTERM or SIGHUP. Requests and\n" +
			"work that apps do after their responses then have 10 s to finish; a second\n" +
			"signal stops the server at once.\n\n" +
			"The data folder is --data, else $XDG_DATA_HOME/anchor, else /var/lib/anchor for\n" +
			"root and ~/.local/share/anchor for other users. The server does not start if the\n" +
			"records in it do not match the deployments: see anchor doctor --repair.\n\n" +
			"For each project, the server keeps the newest deployments that were live\n" +
			"(--keep), the newest that were never live (--keep-previews), always the live one\n" +
			"and its predecessor, and those that open tabs may use (--skew-protection).",
		Example: "  anchor up\n  anchor up --data /srv/anchor --listen :80 --base-domain example.com",
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Builds.MemoryBytes = buildMemory << 20
			o.HTTPS.NoHTTP3 = !http3
			if err := otlp(&o.OTLP); err != nil {
				return err
			}
			for domain, role := range domains {
				if o.OIDC.Domains == nil {
					o.OIDC.Domains = map[string]anchor.Role{}
				}
				o.OIDC.Domains[domain] = anchor.Role(role)
			}
			return s.runUp(cmd.Context(), o)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.Data, "data", "", "data folder (default: see above)")
	flags.StringVar(&o.Listen, "listen", ":3000", "HOST:PORT that serves the sites")
	flags.StringVar(&o.API, "api", "127.0.0.1:3080", "HOST:PORT that serves the API")
	flags.StringSliceVar(&o.APIHosts, "api-host", nil, "host name that a proxy forwards to the API")
	flags.StringVar(&o.AdminDomain, "admin-domain", "", "host name on which to serve the API and Git over HTTPS, beside the sites")
	flags.StringVar(&o.BaseDomain, "base-domain", "localhost", "domain under which the sites are served")
	flags.StringVar(&o.Node, "node", server.AutoNode, "path or version of Node.js; auto installs version 24, or uses PATH")
	flags.StringVar(&o.PublicURL, "public-url", "", "origin of the sites as seen by browsers")
	flags.StringSliceVar(&o.TrustProxies, "trust-proxy", nil, "proxy whose X-Forwarded-* headers to trust")
	flags.StringVar(&o.HTTPS.Listen, "https", "", "HOST:PORT for custom domains over TLS, such as :443")
	flags.BoolVar(&http3, "http3", true, "serve HTTP/3 on the UDP port of --https, too")
	flags.StringVar(&o.HTTPS.Email, "acme-email", "", "contact for the certificate authority")
	flags.StringVar(&o.HTTPS.CA, "acme-ca", "", "ACME directory URL of a CA other than Let's Encrypt")
	flags.StringVar(&o.HTTPS.Fallback, "acme-fallback", "", "ACME directory URL of a CA to use while the first one is unavailable")
	flags.StringVar(&o.HTTPS.CARoots, "acme-roots", "", "PEM file with the root certificates of that CA")
	flags.BoolVar(&o.HTTPS.Staging, "acme-staging", false, "use the staging CA of Let's Encrypt, for tests")
	flags.StringVar(&o.HTTPS.DNSHook, "acme-dns-hook", "", "program that sets DNS records, for wildcards and *.<base-domain>")
	flags.StringSliceVar(&o.HTTPS.Resolvers, "resolver", nil, "HOST:PORT of a DNS server to query")
	flags.StringSliceVar(&o.HTTPS.Addresses, "public-ip", nil, "public IP address that custom domains should point to")
	flags.IntVar(&o.RequireIsolation, "require-isolation", 0, "refuse to start below this isolation level, 1 to 3")
	flags.IntVar(&o.Keep, "keep", 10, "number of deployments per project to keep that were live")
	flags.IntVar(&o.KeepPreviews, "keep-previews", 10, "number of deployments per project to keep that were never live")
	flags.IntVar(&o.PreviewDays, "preview-days", 0, "how old previews may be, in days, unless a project says (default: any age)")
	flags.DurationVar(&o.PreviewIdle, "preview-idle", time.Minute, "how long a process of a preview stays without requests")
	flags.DurationVar(&o.KeepAssets, "keep-assets", 7*24*time.Hour, "how long to keep serving hashed files of earlier live deployments")
	flags.DurationVar(&o.SkewProtection, "skew-protection", 24*time.Hour, "how long open tabs may use the deployment they loaded; 0 turns it off")
	flags.IntVar(&o.Quotas.Projects, "max-projects", 1000, "maximum number of projects")
	flags.IntVar(&o.Quotas.Queued, "max-queued", 20, "maximum number of running and queued deployments per project")
	flags.IntVar(&o.Quotas.Functions, "max-functions", 64, "maximum number of functions per deployment")
	flags.IntVar(&o.Quotas.Processes, "max-processes", 0, "maximum number of processes for the split functions of a deployment (default: 2 per core, at least 8)")
	flags.Int64Var(&o.Quotas.BodyMiB, "max-body-mib", 0, "maximum size of the body of a request to a site, in MiB (default: no limit)")
	flags.Int64Var(&o.Quotas.CacheMiB, "max-cache-mib", 4096, "maximum size of a project's incremental cache, in MiB")
	flags.Int64Var(&o.PageCacheMiB, "page-cache-mib", 128, "memory for pages and images that visitors share, in MiB; 0 turns the cache off")
	flags.Int64Var(&o.PageDiskMiB, "page-disk-mib", 1024, "disk space for those, in MiB; 0 keeps them in memory only")
	flags.Int64Var(&o.Quotas.UploadMiB, "max-upload-mib", 8192, "maximum size of unfinished uploads, in MiB")
	flags.IntVar(&o.Builds.Builds, "max-builds", 0, "maximum number of builds of pushed commits at a time (default: half of the cores)")
	flags.DurationVar(&o.Builds.Timeout, "build-timeout", 20*time.Minute, "how long a build of a pushed commit may last")
	flags.Int64Var(&buildMemory, "build-memory-mib", 0, "maximum memory of a build, in MiB (default: half of the machine's)")
	addLogFlags(cmd, &o)
	otlp = addOTLPFlags(cmd)
	addProviderFlags(cmd, &o.OIDC, &domains)
	return cmd
}

// addProviderFlags adds the flags of the identity provider.
func addProviderFlags(cmd *cobra.Command, o *server.OIDC, domains *map[string]string) {
	flags := cmd.Flags()
	flags.StringVar(&o.Issuer, "oidc-issuer", "", "issuer URL of an OpenID provider at which people sign in to the dashboard")
	flags.StringVar(&o.ClientID, "oidc-client-id", "", "id of this server at the OpenID provider")
	flags.StringVar(&o.SecretFile, "oidc-client-secret-file", "", "file with the secret of this server at the OpenID provider")
	flags.StringVar(&o.Title, "oidc-name", "", "what people call the OpenID provider (default: its host)")
	flags.StringToStringVar(domains, "oidc-domain", nil, "DOMAIN=ROLE: role of people with addresses there whom nobody invited")
}

func (s *shell) runUp(ctx context.Context, o server.Config) error {
	if err := checkServer(o); err != nil {
		return err
	}
	if err := checkLogFlags(&o); err != nil {
		return err
	}
	if o.Data == "" {
		data, err := discovery.DefaultData()
		if err != nil {
			return err
		}
		o.Data = data
	}
	surviveClosedPipes()
	if o.KeepAssets == 0 {
		o.KeepAssets = -1 // the zero value is the default
	}
	if o.PageCacheMiB == 0 {
		o.PageCacheMiB = -1
	}
	if o.PageDiskMiB == 0 {
		o.PageDiskMiB = -1
	}
	if o.SkewProtection == 0 {
		o.SkewProtection = -1
	}
	o.Version = s.version
	o.Ready = s.printReady
	if err := s.parts.Server(ctx, o); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

func checkServer(o server.Config) error {
	for flag, address := range map[string]string{"--listen": o.Listen, "--api": o.API} {
		if _, _, err := net.SplitHostPort(address); err != nil {
			return usagef("%s is %q, which is not of the form HOST:PORT", flag, address)
		}
	}
	if o.Keep < 1 {
		return usagef("--keep is %d; it must be 1 or more", o.Keep)
	}
	if o.PageCacheMiB < 0 || o.PageCacheMiB > 1<<20 {
		return usagef("--page-cache-mib is %d; it must be from 0 to 2^20", o.PageCacheMiB)
	}
	if o.PageDiskMiB < 0 || o.PageDiskMiB > 1<<30 {
		return usagef("--page-disk-mib is %d; it must be from 0 to 2^30", o.PageDiskMiB)
	}
	if err := checkQuotas(o.Quotas); err != nil {
		return err
	}
	if err := o.OIDC.Check(); err != nil {
		return err
	}
	if o.PreviewIdle < time.Second {
		return usagef("--preview-idle is %s; it must be 1s or more", o.PreviewIdle)
	}
	if o.KeepPreviews < 1 {
		return usagef("--keep-previews is %d; it must be 1 or more", o.KeepPreviews)
	}
	if o.PreviewDays < 0 || o.PreviewDays > 3650 {
		return usagef("--preview-days is %d; it must be from 0 to 3650", o.PreviewDays)
	}
	if o.KeepAssets < 0 {
		return usagef("--keep-assets is %s; it must not be negative", o.KeepAssets)
	}
	if o.SkewProtection < 0 {
		return usagef("--skew-protection is %s; it must not be negative", o.SkewProtection)
	}
	if o.Builds.Builds < 0 || o.Builds.Timeout <= 0 || o.Builds.MemoryBytes < 0 {
		return usagef("--max-builds, --build-timeout and --build-memory-mib must not be negative, and the timeout not 0")
	}
	if o.RequireIsolation < 0 || o.RequireIsolation > 3 {
		return usagef("--require-isolation is %d; it must be from 0 to 3", o.RequireIsolation)
	}
	if o.BaseDomain == "" || strings.ContainsAny(o.BaseDomain, "/: ") {
		return usagef("--base-domain is %q, which is not a domain name", o.BaseDomain)
	}
	return nil
}

func checkQuotas(q server.Quotas) error {
	for flag, value := range map[string]int64{
		"--max-projects": int64(q.Projects), "--max-queued": int64(q.Queued), "--max-functions": int64(q.Functions),
		"--max-cache-mib": q.CacheMiB, "--max-upload-mib": q.UploadMiB,
	} {
		if value < 1 || value > 1<<40 {
			return usagef("%s is %d; it must be from 1 to 2^40", flag, value)
		}
	}
	if q.BodyMiB < 0 || q.BodyMiB > 1<<40 {
		return usagef("--max-body-mib is %d; it must be from 1 to 2^40, or 0 for no limit", q.BodyMiB)
	}
	if q.Processes < 0 {
		return usagef("--max-processes is %d; it must be 1 or more, or 0 for the default", q.Processes)
	}
	return nil
}

func (s *shell) printReady(r server.Ready) {
	if s.json {
		_ = s.printDocument(r) // a closed stdout is not a reason to stop serving
		return
	}
	fmt.Fprintf(s.Out, "%s Anchor is up\n\n", s.paintText(green, "✓"))
	for _, row := range [][2]string{{"Sites", r.SiteURL}, {"", r.HTTPS}, {"API", r.APIURL}, {"", r.Admin}, {"Dashboard", s.dashboardLink(r)}, {"Data", r.Data}, {"Token", r.TokenFile}} {
		if row[1] == "" {
			continue
		}
		fmt.Fprintf(s.Out, "  %s %s\n", s.paintText(dim, fmt.Sprintf("%-9s", row[0])), row[1])
	}
	if s.IsTerminal && r.SignIn != nil {
		fmt.Fprintf(s.Out, "\n  The link to the dashboard signs you in once, within 15 minutes. For another one,\n  run anchor open --dashboard.\n")
	}
	for _, warning := range r.Warnings {
		fmt.Fprintf(s.Out, "\n  Note: %s.\n", warning)
	}
	fmt.Fprintf(s.Out, "\n  To deploy an app, run %s. To stop the server, press Ctrl-C.\n", s.paintText(cyan, "anchor deploy ./my-next-app"))
}

// dashboardLink returns a link that signs in. What is not a terminal is a log, most likely, where a link would be
// read by others.
func (s *shell) dashboardLink(r server.Ready) string {
	if !s.IsTerminal || r.SignIn == nil {
		return r.Dashboard
	}
	link, err := r.SignIn()
	if err != nil {
		return r.Dashboard
	}
	return link
}
