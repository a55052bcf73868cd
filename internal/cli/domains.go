package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/client"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

func (s *shell) domainsCommand() *cobra.Command {
	var page pageFlags
	list := func(cmd *cobra.Command, _ []string) error { return s.runDomains(cmd.Context(), page) }
	ls := &cobra.Command{Use: "ls", Short: "List domains", Args: cobra.NoArgs, RunE: list}
	page.declareFlags(ls)
	cmd := parentCommand("domains", "Attach, check, change, move and remove custom domains",
		s.addDomainCommand(), ls, s.checkDomainCommand(), s.setDomainCommand(), s.removeDomainCommand(), s.moveDomainCommand())
	cmd.RunE = list
	page.declareFlags(cmd)
	return cmd
}

type domainOptions struct {
	redirectTo   string
	www, hsts    bool
	cert, key    string // files
	wait, noWait bool
	timeout      time.Duration
}

func (s *shell) addDomainCommand() *cobra.Command {
	var o domainOptions
	cmd := &cobra.Command{
		Use: "add NAME", Short: "Attach a domain, print the DNS records to set and watch",
		Long: "Attaches a domain to the project and prints the DNS records to set. On a\n" +
			"terminal it then shows the result of each check until the domain is served over\n" +
			"HTTPS. Ctrl-C stops watching; the server continues to set up the domain. Without\n" +
			"a terminal the command returns at once.",
		Example: "  anchor domains add shop.example.com\n" +
			"  anchor domains add example.com --www\n" +
			"  anchor domains add old.example.com --redirect-to shop.example.com\n" +
			"  anchor domains add shop.example.com --wait --timeout 30m   # in a script",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return s.addDomain(cmd.Context(), args[0], o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.redirectTo, "redirect-to", "", "redirect every request to this domain")
	f.BoolVar(&o.www, "www", false, "also attach the www name (or the name without www) as a redirect")
	f.BoolVar(&o.hsts, "hsts", false, "make browsers use only HTTPS from now on")
	f.StringVar(&o.cert, "cert", "", "PEM file with your own certificate and its chain")
	f.StringVar(&o.key, "key", "", "PEM file with the private key of that certificate")
	f.BoolVar(&o.wait, "wait", false, "watch even without a terminal")
	f.BoolVar(&o.noWait, "no-wait", false, "do not watch")
	f.DurationVar(&o.timeout, "timeout", 0, "stop watching after this time, for example 30m")
	return cmd
}

func (o domainOptions) checkFlags() error {
	switch {
	case o.wait && o.noWait:
		return usagef("use either --wait or --no-wait, not both")
	case (o.cert == "") != (o.key == ""):
		return usagef("use --cert and --key together")
	case o.timeout < 0:
		return usagef("--timeout is %s; it must be a positive duration such as 30m", o.timeout)
	}
	return nil
}

// addRequest reads the certificate's files, so that a mistake is found without a server.
func (o domainOptions) addRequest(name string) (wire.AddDomain, error) {
	r := wire.AddDomain{Domain: name, RedirectTo: o.redirectTo, WWW: o.www, HSTS: o.hsts}
	if o.cert == "" {
		return r, nil
	}
	var err error
	if r.Certificate, err = readPEM("certificate", o.cert); err != nil {
		return r, err
	}
	r.PrivateKey, err = readPEM("key", o.key)
	return r, err
}

func readPEM(what, file string) (string, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return "", usagef("read the %s: %w", what, err)
	}
	if !strings.Contains(string(content), "-----BEGIN ") {
		return "", usagef("%s is not a PEM file; the %s must begin with -----BEGIN", file, what)
	}
	return string(content), nil
}

func (s *shell) addDomain(ctx context.Context, name string, o domainOptions) error {
	if err := o.checkFlags(); err != nil {
		return err
	}
	r, err := o.addRequest(name)
	if err != nil {
		return err
	}
	c, project, err := s.inProject()
	if err != nil {
		return err
	}
	d, err := c.AddDomain(ctx, project, r)
	if err != nil {
		return err
	}
	added, err := withCompanion(ctx, c, project, d, o.www)
	if err != nil {
		return err
	}
	if !s.json {
		s.domainAdded(s.Out, project, added)
	}
	if (s.IsTerminal && !s.json || o.wait) && !o.noWait {
		if err := s.watchDomains(ctx, c, project, added, o); err != nil {
			return err
		}
	} else if !s.json {
		fmt.Fprintf(s.Out, "\nTo see its state, run anchor domains check %s\n", quoteForShell(d.Name))
	}
	if s.json {
		return s.printDocument(added[0])
	}
	return nil
}

// quoteForShell keeps shells from reading a wildcard as a pattern of files.
func quoteForShell(name string) string {
	if strings.Contains(name, "*") {
		return "'" + name + "'"
	}
	return name
}

// withCompanion returns the added domain and, with --www, the one that redirects to it.
func withCompanion(ctx context.Context, c *client.Client, project string, d wire.Domain, www bool) ([]wire.Domain, error) {
	added := []wire.Domain{d}
	if !www {
		return added, nil
	}
	list, err := c.Domains(ctx, project, anchor.Page{Limit: anchor.MaxPage})
	for _, other := range list.Items {
		if other.Redirect == d.Name && (other.Name == "www."+d.Name || d.Name == "www."+other.Name) {
			added = append(added, other)
		}
	}
	return added, err
}

func (s *shell) runDomains(ctx context.Context, page pageFlags) error {
	if err := page.checkFlags(); err != nil {
		return err
	}
	c, project, err := s.inProject()
	if err != nil {
		return err
	}
	list, err := c.Domains(ctx, project, page.Page)
	if err != nil {
		return err
	}
	return s.printResult(list, func(w io.Writer) {
		if len(list.Items) == 0 {
			fmt.Fprintf(w, "%s has no domains yet. To attach one, run anchor domains add NAME.\n", project)
			return
		}
		var rows [][]string
		for _, d := range list.Items {
			rows = append(rows, []string{cleanText(d.Unicode), string(d.Status), formatExpiry(d.NotAfter), formatAge(d.CreatedAt), domainRemark(d)})
		}
		s.printTable(w, []string{"DOMAIN", "STATUS", "CERTIFICATE", "AGE", ""}, rows)
		s.printMore(w, list.Next)
	})
}

func domainRemark(d wire.Domain) string {
	text := cleanText(d.Problem)
	if d.Redirect != "" {
		text = strings.TrimSpace("→ " + cleanText(d.Redirect) + "  " + text)
	}
	return text
}

// formatExpiry formats until when a certificate is valid.
func formatExpiry(ms int64) string {
	if ms == 0 {
		return "-"
	}
	return "to " + time.UnixMilli(ms).Format(time.DateOnly)
}

func (s *shell) checkDomainCommand() *cobra.Command {
	return &cobra.Command{
		Use: "check NAME", Short: "Check the DNS and certificate of a domain", Args: cobra.ExactArgs(1),
		Long: "Queries the DNS now, reports what is correct and what is wrong, and makes the\n" +
			"server retry anything that waits for the DNS. It exits with 0 only if the domain\n" +
			"is served.",
		RunE: func(cmd *cobra.Command, args []string) error { return s.checkDomain(cmd.Context(), args[0]) },
	}
}

func (s *shell) checkDomain(ctx context.Context, name string) error {
	c, project, err := s.inProject()
	if err != nil {
		return err
	}
	d, err := c.CheckDomain(ctx, project, name)
	if err != nil {
		return err
	}
	if err := s.printResult(d, func(w io.Writer) { s.domainChecked(w, d) }); err != nil {
		return err
	}
	if !d.IsActive || d.Diagnosis != nil && !d.Diagnosis.OK {
		return errReported
	}
	return nil
}

func (s *shell) removeDomainCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: "rm NAME", Short: "Remove a domain and delete its certificate", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return s.removeDomain(cmd.Context(), args[0], yes) },
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask for confirmation")
	return cmd
}

func (s *shell) removeDomain(ctx context.Context, name string, yes bool) error {
	c, project, err := s.inProject()
	if err != nil {
		return err
	}
	if !yes {
		d, err := c.Domain(ctx, project, name)
		if err != nil {
			return err
		}
		name = d.Name
		if err := s.confirmName(name, "takes the site at this name offline", "takes the site at https://"+name+" offline"); err != nil {
			return err
		}
	}
	if err := c.RemoveDomain(ctx, project, name); err != nil {
		return err
	}
	return s.printResult(removed{Removed: name}, func(w io.Writer) {
		fmt.Fprintf(w, "Removed %s. Now remove its records at your DNS provider too.\n", name)
	})
}

func (s *shell) moveDomainCommand() *cobra.Command {
	var to string
	cmd := &cobra.Command{
		Use: "move NAME --to PROJECT", Short: "Move a domain to another project (needs an admin token)",
		Args: cobra.ExactArgs(1), DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, args []string) error { return s.moveDomain(cmd.Context(), args[0], to) },
	}
	cmd.Flags().StringVar(&to, "to", "", "slug of the project to move the domain to")
	return cmd
}

func (s *shell) moveDomain(ctx context.Context, name, to string) error {
	if to == "" {
		return usagef("anchor domains move needs --to PROJECT")
	}
	c, project, err := s.inProject()
	if err != nil {
		return err
	}
	d, err := c.MoveDomain(ctx, project, name, to)
	if err != nil {
		return err
	}
	return s.printResult(d, func(w io.Writer) {
		fmt.Fprintf(w, "Moved %s from %s to %s.\n", d.Name, project, to)
	})
}
