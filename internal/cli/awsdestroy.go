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
		Long: "Removes all that bootstrap made, with the records and files in it, after the\n" +
			"installation's name was typed. While there are projects it refuses; --force\n" +
			"removes them, too. What AWS does not let go yet is told.",
		RunE: func(cmd *cobra.Command, _ []string) error { return o.destroy(cmd.Context(), d) },
	}
	cmd.Flags().BoolVarP(&d.yes, "yes", "y", false, "do not ask")
	cmd.Flags().BoolVar(&d.force, "force", false, "remove the projects in it, too")
	return cmd
}

func (o *awsOptions) destroy(ctx context.Context, d destroyOptions) error {
	p := newProgress(o.shell)
	i, err := o.open(ctx, p)
	if err != nil {
		return err
	}
	options := installation.DestroyOptions{Force: d.force}
	if !d.yes {
		options.Confirm = func(projects []string) error {
			warning := "destroys the installation " + o.Name + " for good"
			if len(projects) > 0 {
				warning += ", with " + strings.Join(projects, ", ")
			}
			return o.shell.confirmName(o.Name, "destroys the installation for good", warning)
		}
	}
	done, err := i.Destroy(ctx, options)
	if err != nil {
		p.failed()
		return err
	}
	r := discovery.Remote{Installation: done.Installation, Account: done.Account, Region: done.Region}
	if err := r.Forget(); err != nil {
		return err
	}
	return o.shell.show(done, func(w io.Writer) { o.shell.destroyed(w, done) })
}

func (s *shell) destroyed(w io.Writer, d installation.Destroyed) {
	fmt.Fprintf(w, "Destroyed %s.\n", d.Installation)
	for _, kept := range d.Kept {
		fmt.Fprintf(w, "Kept: %s\n", kept)
	}
}
