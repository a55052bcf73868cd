package cli

import (
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

func (s *shell) pullsCommand() *cobra.Command {
	return &cobra.Command{
		Use: "pulls", Short: "List pull requests", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, project, err := s.inProject()
			if err != nil {
				return err
			}
			pulls, err := c.PullRequests(cmd.Context(), project)
			if err != nil {
				return err
			}
			return s.printResult(wire.Items[anchor.PullRequest]{Items: pulls}, func(w io.Writer) { s.printPulls(w, pulls) })
		},
	}
}

func (s *shell) printPulls(w io.Writer, pulls []anchor.PullRequest) {
	if len(pulls) == 0 {
		fmt.Fprintln(w, "No pull requests yet.")
		return
	}
	var rows [][]string
	for _, p := range pulls {
		state := "open"
		switch {
		case p.Closed:
			state = "closed"
		case p.Fork && p.Approved != p.Commit:
			state = "waits for approval"
		}
		rows = append(rows, []string{strconv.FormatInt(p.Number, 10), state, s.branchCell(p.Branch), cleanText(shortSHA(p.Commit) + " " + p.Title)})
	}
	s.printTable(w, []string{"NUMBER", "STATE", "BRANCH", "COMMIT"}, rows)
}

func (s *shell) approveCommand() *cobra.Command {
	var commit string
	cmd := &cobra.Command{
		Use: "approve NUMBER", Short: "Build a pull request that comes from a fork", Args: cobra.ExactArgs(1),
		Long: "Builds the commit of a fork's pull request and deploys it as a preview. Look at\n" +
			"the commit first: its code runs on the server. Neither the build nor the preview\n" +
			"gets variables of the project. Each further commit needs an approval of its own.",
		Example: "  anchor connect approve 12 --commit 1f3c9d2",
		RunE: func(cmd *cobra.Command, args []string) error {
			number, err := strconv.ParseInt(args[0], 10, 64)
			if err != nil || number < 1 {
				return usagef("%q is not the number of a pull request", args[0])
			}
			c, project, err := s.inProject()
			if err != nil {
				return err
			}
			pull, err := c.Approve(cmd.Context(), project, number, commit)
			if err != nil {
				return err
			}
			return s.printResult(pull, func(w io.Writer) {
				fmt.Fprintf(w, "%s of pull request %d is built. To follow it, run anchor builds.\n", cleanText(shortSHA(pull.Commit)), pull.Number)
			})
		},
	}
	cmd.Flags().StringVar(&commit, "commit", "", "the commit that you looked at; another one is refused")
	return cmd
}

func (s *shell) trustHostKeyCommand() *cobra.Command {
	return &cobra.Command{
		Use: "trust-host-key", Short: "Accept a new key of the repository's ssh server", Args: cobra.NoArgs,
		Long: "Accepts the key that the repository's ssh server has at the next clone. Anchor\n" +
			"stores the key of the first clone and refuses another one. Ask the operator of the\n" +
			"host for its new key, and compare it with anchor connect show after the clone.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, project, err := s.inProject()
			if err != nil {
				return err
			}
			if err := c.TrustHostKey(cmd.Context(), project); err != nil {
				return err
			}
			return s.printResult(struct {
				Project string `json:"project"`
			}{project}, func(w io.Writer) {
				fmt.Fprintln(w, "The next clone accepts the key that the ssh server has then.")
			})
		},
	}
}

func (s *shell) disconnectCommand() *cobra.Command {
	return &cobra.Command{
		Use: "rm", Short: "Disconnect the project from its repository", Args: cobra.NoArgs,
		Long: "Removes the connection with its secret, deploy key and token. Deployments stay.\n" +
			"The webhook and the deploy key at the host are not removed.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, project, err := s.inProject()
			if err != nil {
				return err
			}
			before, err := c.Connection(cmd.Context(), project, false)
			if err == nil {
				err = c.Disconnect(cmd.Context(), project)
			}
			if err != nil {
				return err
			}
			return s.printResult(removed{Removed: before.Repository}, func(w io.Writer) {
				fmt.Fprintf(w, "%s is no longer connected to %s. Remove the webhook and the deploy key there, too.\n", project, cleanText(before.Name))
			})
		},
	}
}
