package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/anchor-deploy/anchor/internal/aws/installation"
)

func (o *awsOptions) planCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "plan", Short: "Show what bootstrap would change, without changing anything", Args: cobra.NoArgs,
		Long: "Creates a CloudFormation change set, shows the changes that bootstrap would\n" +
			"make, and deletes the change set.",
		RunE: func(cmd *cobra.Command, _ []string) error { return o.runPlan(cmd.Context()) },
	}
	o.declareSettings(cmd)
	return cmd
}

func (o *awsOptions) runPlan(ctx context.Context) error {
	i, err := o.openInstallation(ctx, newProgress(o.shell))
	if err != nil {
		return err
	}
	p, err := i.Plan(ctx)
	if err != nil {
		return err
	}
	return o.shell.printResult(p, func(w io.Writer) {
		o.shell.printPlanned(w, p)
		for _, warning := range p.Warnings {
			fmt.Fprintln(w)
			printWrapped(w, "", warning)
		}
	})
}

func (s *shell) printPlanned(w io.Writer, p installation.Plan) {
	place := fmt.Sprintf("%s in %s, account %s", p.Installation, p.Region, p.Account)
	if len(p.Changes) == 0 {
		fmt.Fprintf(w, "Nothing to do: the installation %s matches anchor %s.\n", place, p.To)
		return
	}
	fmt.Fprintf(w, "The installation %s\n\n", place)
	s.printChanges(w, p.Changes)
	fmt.Fprintf(w, "\n%s", pluralize(int64(len(p.Changes)), "change"))
	if p.From != "" && p.From != p.To {
		fmt.Fprintf(w, ", from anchor %s to %s", p.From, p.To)
	}
	fmt.Fprintf(w, ". To apply them, run %s.\n", s.paintText(cyan, "anchor aws bootstrap"))
}
