package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/anchor-deploy/anchor/internal/aws/installation"
	"github.com/anchor-deploy/anchor/internal/local/discovery"
)

// bootstrapOptions are the flags of aws bootstrap.
type bootstrapOptions struct {
	installation.BootstrapOptions
	newToken bool
}

// bootstrapped is the result of aws bootstrap for --json.
type bootstrapped struct {
	installation.Bootstrapped
	TokenFile string `json:"tokenFile,omitempty"` // where this user's token is kept
}

func (o *awsOptions) bootstrapCommand() *cobra.Command {
	var b bootstrapOptions
	cmd := &cobra.Command{
		Use: "bootstrap", Short: "Create or upgrade the installation", Args: cobra.NoArgs,
		Long: "Creates the installation, or upgrades it to this version of anchor. You can run\n" +
			"it again at any time: it changes only what differs. It stores the first token,\n" +
			"which has the admin scope, in a file that only this user can read\n" +
			"(~/.config/anchor/aws-NAME-ACCOUNT-REGION.json). Commands read the token from\n" +
			"there when ANCHOR_URL is the URL of the installation's API.",
		Example: "  anchor aws bootstrap --region eu-central-1\n  anchor aws bootstrap --set LogRetentionDays=30",
		RunE:    func(cmd *cobra.Command, _ []string) error { return o.runBootstrap(cmd.Context(), b) },
	}
	o.declareSettings(cmd)
	cmd.Flags().BoolVar(&b.AllowDowngrade, "allow-downgrade", false, "replace a newer version by this older one")
	cmd.Flags().BoolVar(&b.newToken, "new-token", false, "create another admin token and store that one")
	return cmd
}

func (o *awsOptions) runBootstrap(ctx context.Context, b bootstrapOptions) error {
	p := newProgress(o.shell)
	i, err := o.openInstallation(ctx, p)
	if err != nil {
		return err
	}
	if !o.shell.json {
		b.Show = func(changes []installation.Change) error {
			o.shell.printChanges(o.shell.Err, changes)
			return nil
		}
	}
	done, err := i.Bootstrap(ctx, b.BootstrapOptions)
	if err != nil {
		p.failStep()
		return err
	}
	file, err := o.keepToken(ctx, i, done.Outputs, b.newToken)
	if err != nil {
		return err
	}
	return o.shell.printResult(bootstrapped{done, file}, func(w io.Writer) { o.shell.printInstalled(w, done, file) })
}

// keepToken makes the first token and keeps it, "" when there is one that somebody
// else keeps.
func (o *awsOptions) keepToken(ctx context.Context, i installation.Installation, out installation.Outputs, another bool) (file string, err error) {
	r := discovery.Remote{URL: out.APIURL, Installation: o.Name, Account: out.Account, Region: out.Region}
	file, kept := r.Kept()
	if kept && !another {
		return file, nil
	}
	r.Token, err = i.FirstToken(ctx, out, whoAndWhere(), another)
	if err != nil || r.Token == "" {
		return "", err
	}
	return r.Keep()
}

func (s *shell) printInstalled(w io.Writer, b installation.Bootstrapped, file string) {
	what := "is ready"
	if len(b.Changes) == 0 {
		what = "is up to date"
	}
	fmt.Fprintf(w, "%s The installation %s: anchor %s in %s\n\n", s.paintText(green, "✓"), what, b.Version, describePlace(b.Outputs))
	fmt.Fprintf(w, "  %s %s\n", s.paintText(dim, "API  "), b.APIURL)
	if file == "" {
		file = "not changed; to create another: anchor aws bootstrap --new-token"
	}
	fmt.Fprintf(w, "  %s %s\n", s.paintText(dim, "Token"), file)
	fmt.Fprintf(w, "\nNext:\n  export ANCHOR_URL=%s\n  anchor deploy ./my-next-app\n", b.APIURL)
}
