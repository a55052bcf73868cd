package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/spf13/cobra"

	"github.com/anchor-deploy/anchor/internal/api/mcp"
)

func (s *shell) mcpCommand() *cobra.Command {
	var allowChanges bool
	cmd := &cobra.Command{
		Use: "mcp", Short: "Serve tools for agents on stdin and stdout (MCP)", Args: cobra.NoArgs,
		Long: "Serves the Model Context Protocol on stdin and stdout, so that an agent can read\n" +
			"status, deployments, releases, statistics, logs, errors and domains. With\n" +
			"--allow-changes it can also promote and roll back, if the token permits it.",
		Example: "  claude mcp add anchor -- anchor mcp\n  anchor mcp --project shop --allow-changes",
		RunE:    func(cmd *cobra.Command, _ []string) error { return s.runMCP(cmd.Context(), allowChanges) },
	}
	cmd.Flags().BoolVar(&allowChanges, "allow-changes", false, "offer the tools that switch traffic, too")
	return cmd
}

func (s *shell) runMCP(ctx context.Context, allowChanges bool) error {
	if s.json {
		return usagef("anchor mcp has no document to print; omit --json")
	}
	c, err := s.newClient()
	if err != nil {
		return err
	}
	project, err := s.projectFor(ctx, c, ".")
	if err != nil {
		project = "" // tools ask for one
	}
	server := mcp.New(c, mcp.Options{Version: s.version, Project: project, AllowChanges: allowChanges})
	if err := server.Run(ctx, &sdk.StdioTransport{}); err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, io.EOF) {
		return fmt.Errorf("serve the Model Context Protocol: %w", err)
	}
	return nil
}
