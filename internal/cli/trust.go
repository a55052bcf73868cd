package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/anchor-deploy/anchor/internal/api/client"
	"github.com/anchor-deploy/anchor/internal/local/discovery"
	"github.com/anchor-deploy/anchor/internal/local/server"
)

type trustOptions struct {
	data      string
	uninstall bool
}

type trustOutput struct {
	Root    string `json:"root"`
	Trusted bool   `json:"trusted"`
}

func (s *shell) trustCommand() *cobra.Command {
	var o trustOptions
	cmd := &cobra.Command{
		Use: "trust", Short: "Trust the certificates of *.localhost on this machine", Args: cobra.NoArgs,
		Long: "Adds the root certificate of Anchor's own CA to the trust store of this system.\n" +
			"The CA issues certificates for *.localhost only. The server must run with\n" +
			"--https.",
		RunE: func(cmd *cobra.Command, _ []string) error { return s.runTrust(cmd.Context(), o) },
	}
	cmd.Flags().StringVar(&o.data, "data", "", "data folder of the server (default: that of the running server)")
	cmd.Flags().BoolVar(&o.uninstall, "uninstall", false, "remove the root certificate from the trust store")
	return cmd
}

func (s *shell) runTrust(ctx context.Context, o trustOptions) error {
	if o.data == "" {
		here, tried, running := discovery.Find()
		if !running {
			return &client.Unreachable{Err: noServer(tried)}
		}
		o.data = here.Data
	}
	root, browsers, err := server.Trust(ctx, o.data, !o.uninstall)
	if err != nil {
		return err
	}
	return s.printResult(trustOutput{Root: root, Trusted: !o.uninstall}, func(w io.Writer) {
		if o.uninstall {
			fmt.Fprintf(w, "%s is no longer trusted.\n", root)
			return
		}
		fmt.Fprintf(w, "%s This system now trusts %s.\n%s\n", s.paintText(green, "✓"), root, browsers)
	})
}
