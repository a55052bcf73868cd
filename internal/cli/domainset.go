package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/anchor-deploy/anchor/internal/api/wire"
)

func (s *shell) setDomainCommand() *cobra.Command {
	var to string
	var serve, hsts bool
	cmd := &cobra.Command{
		Use: "set NAME", Short: "Change the redirect and HSTS settings of a domain",
		Example: "  anchor domains set old.example.com --redirect-to shop.example.com\n" +
			"  anchor domains set old.example.com --serve\n" +
			"  anchor domains set shop.example.com --hsts=false",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var set wire.SetDomain
			if cmd.Flags().Changed("hsts") {
				set.HSTS = &hsts
			}
			switch {
			case to != "" && serve:
				return usagef("use either --redirect-to or --serve, not both")
			case to != "" || serve:
				set.RedirectTo = &to
			case set.HSTS == nil:
				return usagef("nothing to change; use --redirect-to NAME, --serve or --hsts")
			}
			return s.setDomain(cmd.Context(), args[0], set)
		},
	}
	f := cmd.Flags()
	f.StringVar(&to, "redirect-to", "", "redirect every request to this domain")
	f.BoolVar(&serve, "serve", false, "serve the site on this domain instead of redirecting")
	f.BoolVar(&hsts, "hsts", false, "make browsers use only HTTPS from now on")
	return cmd
}

func (s *shell) setDomain(ctx context.Context, name string, set wire.SetDomain) error {
	c, project, err := s.inProject()
	if err != nil {
		return err
	}
	d, err := c.SetDomain(ctx, project, name, set)
	if err != nil {
		return err
	}
	return s.printResult(d, func(w io.Writer) {
		answers := "serves the site"
		if d.Redirect != "" {
			answers = "redirects to " + d.Redirect
		}
		if d.HSTS {
			answers += ", with HSTS"
		}
		fmt.Fprintf(w, "%s %s.\n", d.Name, answers)
	})
}
