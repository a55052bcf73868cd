package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/anchor-deploy/anchor/internal/aws/installation"
	"github.com/anchor-deploy/anchor/internal/local/discovery"
)

// destroyOptions are the flags of aws destroy.
type destroyOptions struct {
	yes, force bool
}

func (o *awsOptions) destroyCommand() *cobra.Command {
	var d destroyOptions
	cmd := &cobra.Command{
		Use: "destroy", Short: "Remove the installation from the account", Args: cobra.NoArgs,
		Long: "Removes everything that bootstrap created, including records and files, after\n" +
			"you type the name of the installation. It refuses to run while there are\n" +
			"projects, unless --force is set. It lists resources that AWS cannot delete yet.",
		RunE: func(cmd *cobra.Command, _ []string) error { return o.runDestroy(cmd.Context(), d) },
	}
	cmd.Flags().BoolVarP(&d.yes, "yes", "y", false, "do not ask for confirmation")
	cmd.Flags().BoolVar(&d.force, "force", false, "remove the installation's projects too")
	return cmd
}

func (o *awsOptions) runDestroy(ctx context.Context, d destroyOptions) error {
	p := newProgress(o.shell)
	i, err := o.openInstallation(ctx, p)
	if err != nil {
		return err
	}
	options := installation.DestroyOptions{Force: d.force}
	if !d.yes {
		options.Confirm = func(projects []string) error {
			warning := "permanently destroys the installation " + o.Name
			if len(projects) > 0 {
				warning += ", with " + strings.Join(projects, ", ")
			}
			return o.shell.confirmName(o.Name, "permanently destroys the installation", warning)
		}
	}
	done, err := i.Destroy(ctx, options)
	if err != nil {
		p.failStep()
		return err
	}
	r := discovery.Remote{Installation: done.Installation, Account: done.Account, Region: done.Region}
	if err := r.Forget(); err != nil {
		return err
	}
	return o.shell.printResult(done, func(w io.Writer) { o.shell.printDestroyed(w, done) })
}

func (s *shell) printDestroyed(w io.Writer, d installation.Destroyed) {
	fmt.Fprintf(w, "Destroyed %s.\n", d.Installation)
	for _, kept := range d.Kept {
		fmt.Fprintf(w, "Kept: %s\n", kept)
	}
}
