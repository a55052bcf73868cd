package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/anchor-deploy/anchor/internal/local/discovery"
	"github.com/anchor-deploy/anchor/internal/local/server"
)

func (s *shell) upCommand() *cobra.Command {
	var o server.Config
	cmd := &cobra.Command{
		Use: "up", Short: "Run the server: API, edge and workers, data in one folder", Args: cobra.NoArgs,
		Long: "Runs the server in the foreground until Ctrl-C, SIGTERM or SIGHUP. Then\n" +
			"requests and what apps do after their answers have 10 s to end; a second signal\n" +
			"ends the server at once. Without --data it keeps everything in\n" +
			"$XDG_DATA_HOME/anchor, else /var/lib/anchor for root, else\n" +
			"~/.local/share/anchor. Of each project it keeps the newest deployments that\n" +
			"were live (--keep) and that never were (--keep-previews), and always the live\n" +
			"one and the one live before it. It refuses to start when the records do not\n" +
			"know the deployments in the folder: see anchor doctor --repair.",
		Example: "  anchor up\n  anchor up --data /srv/anchor --listen :80 --base-domain example.com",
		RunE:    func(cmd *cobra.Command, _ []string) error { return s.up(cmd.Context(), o) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.Data, "data", "", "data folder (default: see above)")
	flags.StringVar(&o.Listen, "listen", ":3000", "HOST:PORT of the sites")
	flags.StringVar(&o.API, "api", "127.0.0.1:3080", "HOST:PORT of the API")
	flags.StringSliceVar(&o.APIHosts, "api-host", nil, "host name under which a proxy reaches the API")
	flags.StringVar(&o.BaseDomain, "base-domain", "localhost", "domain the sites are below")
	flags.StringVar(&o.Node, "node", "", "path of Node.js (default: node in PATH)")
	flags.StringVar(&o.PublicURL, "public-url", "", "origin of the sites as browsers see it")
	flags.StringSliceVar(&o.TrustProxies, "trust-proxy", nil, "proxy whose X-Forwarded-* headers to trust")
	flags.StringVar(&o.HTTPS.Listen, "https", "", "HOST:PORT for custom domains over TLS, such as :443")
	flags.StringVar(&o.HTTPS.Email, "acme-email", "", "contact for the certificate authority")
	flags.StringVar(&o.HTTPS.CA, "acme-ca", "", "URL of another CA than Let's Encrypt")
	flags.StringVar(&o.HTTPS.Fallback, "acme-fallback", "", "URL of a CA to ask while the first one is out of order")
	flags.StringVar(&o.HTTPS.CARoots, "acme-roots", "", "PEM file of that CA's own roots")
	flags.BoolVar(&o.HTTPS.Staging, "acme-staging", false, "use Let's Encrypt's staging CA, for trials")
	flags.StringVar(&o.HTTPS.DNSHook, "acme-dns-hook", "", "program that sets DNS records, for wildcards and *.<base-domain>")
	flags.StringSliceVar(&o.HTTPS.Resolvers, "resolver", nil, "HOST:PORT of a DNS server to ask")
	flags.StringSliceVar(&o.HTTPS.Addresses, "public-ip", nil, "address that domains must point to")
	flags.IntVar(&o.RequireIsolation, "require-isolation", 0, "refuse to start below this level of isolation, 1 to 3")
	flags.IntVar(&o.Keep, "keep", 10, "deployments to keep of each project that were live")
	flags.IntVar(&o.KeepPreviews, "keep-previews", 10, "deployments to keep of each project that were never live")
	flags.DurationVar(&o.KeepAssets, "keep-assets", 7*24*time.Hour, "how long hashed files that production served stay reachable")
	flags.IntVar(&o.Quotas.Projects, "max-projects", 1000, "number of projects")
	flags.IntVar(&o.Quotas.Queued, "max-queued", 20, "deployments of a project that have not ended")
	flags.IntVar(&o.Quotas.Functions, "max-functions", 64, "functions of a deployment")
	flags.IntVar(&o.Quotas.Processes, "max-processes", 0, "processes of a deployment's split functions together (default: 2 a core, at least 8)")
	flags.Int64Var(&o.Quotas.CacheMiB, "max-cache-mib", 4096, "MiB that a project's apps may write to the incremental cache")
	flags.Int64Var(&o.Quotas.UploadMiB, "max-upload-mib", 8192, "MiB sent for deployments whose upload has not ended")
	return cmd
}

func (s *shell) up(ctx context.Context, o server.Config) error {
	if err := checkServer(o); err != nil {
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
	o.Version = s.version
	o.Ready = s.ready
	if err := s.parts.Server(ctx, o); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

func checkServer(o server.Config) error {
	for flag, address := range map[string]string{"--listen": o.Listen, "--api": o.API} {
		if _, _, err := net.SplitHostPort(address); err != nil {
			return usagef("%s is %q, which is no HOST:PORT", flag, address)
		}
	}
	if o.Keep < 1 {
		return usagef("--keep is %d; it takes 1 or more", o.Keep)
	}
	if err := checkQuotas(o.Quotas); err != nil {
		return err
	}
	if o.KeepPreviews < 1 {
		return usagef("--keep-previews is %d; it takes 1 or more", o.KeepPreviews)
	}
	if o.KeepAssets < 0 {
		return usagef("--keep-assets is %s; it takes 0 or more", o.KeepAssets)
	}
	if o.RequireIsolation < 0 || o.RequireIsolation > 3 {
		return usagef("--require-isolation is %d; it takes 0 to 3", o.RequireIsolation)
	}
	if o.BaseDomain == "" || strings.ContainsAny(o.BaseDomain, "/: ") {
		return usagef("--base-domain is %q, which is no domain", o.BaseDomain)
	}
	return nil
}

func checkQuotas(q server.Quotas) error {
	for flag, value := range map[string]int64{
		"--max-projects": int64(q.Projects), "--max-queued": int64(q.Queued), "--max-functions": int64(q.Functions),
		"--max-cache-mib": q.CacheMiB, "--max-upload-mib": q.UploadMiB,
	} {
		if value < 1 || value > 1<<40 {
			return usagef("%s is %d; it takes 1 or more", flag, value)
		}
	}
	if q.Processes < 0 {
		return usagef("--max-processes is %d; it takes 1 or more, or 0 for the default", q.Processes)
	}
	return nil
}

func (s *shell) ready(r server.Ready) {
	if s.json {
		_ = s.document(r) // a closed stdout is no reason to stop serving
		return
	}
	fmt.Fprintf(s.Out, "%s Anchor is up\n\n", s.paint(green, "✓"))
	for _, row := range [][2]string{{"Sites", r.SiteURL}, {"", r.HTTPS}, {"API", r.APIURL}, {"Data", r.Data}, {"Token", r.TokenFile}} {
		if row[1] == "" {
			continue
		}
		fmt.Fprintf(s.Out, "  %s %s\n", s.paint(dim, fmt.Sprintf("%-6s", row[0])), row[1])
	}
	for _, warning := range r.Warnings {
		fmt.Fprintf(s.Out, "\n  Note: %s.\n", warning)
	}
	fmt.Fprintf(s.Out, "\n  Deploy with %s. Stop with Ctrl-C.\n", s.paint(cyan, "anchor deploy ./my-next-app"))
}
