package cli

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

func (s *shell) previewsCommand() *cobra.Command {
	list := func(cmd *cobra.Command, _ []string) error { return s.runPreviews(cmd.Context()) }
	ls := &cobra.Command{Use: "ls", Short: "List the previews that are kept, newest first", Args: cobra.NoArgs, RunE: list}
	cmd := parentCommand("previews", "List previews, protect them, and say which are kept", ls, s.retentionCommand(), s.protectCommand(), s.unprotectCommand(), s.bypassCommand())
	cmd.Long = "Without a command, lists the previews of the project that can be opened, with\n" +
		"their URLs, and whether they are protected. The URL of a branch follows its\n" +
		"newest preview."
	cmd.RunE = list
	return cmd
}

// listedPreviews is what previews ls --json prints.
type listedPreviews struct {
	Protection *anchor.PreviewProtection `json:"protection,omitempty"` // nil where the platform has none
	Items      []listedPreview           `json:"items"`
}

type listedPreview struct {
	DeploymentID  anchor.DeploymentID `json:"deploymentId"`
	Branch        string              `json:"branch"`
	CreatedAt     int64               `json:"createdAt"`
	DeploymentURL string              `json:"deploymentUrl"`
	BranchURL     string              `json:"branchUrl,omitempty"`
}

func (s *shell) runPreviews(ctx context.Context) error {
	c, project, err := s.inProject()
	if err != nil {
		return err
	}
	p, err := c.Project(ctx, project)
	if err != nil {
		return err
	}
	out := listedPreviews{Items: []listedPreview{}}
	for page := (anchor.Page{Limit: anchor.MaxPage}); ; {
		all, err := c.Deployments(ctx, project, page)
		if err != nil {
			return err
		}
		for _, d := range all.Items {
			if d.CanServe() && p.ScopeOf(d.Branch, d.NoRelease).Environment == anchor.EnvPreview {
				out.Items = append(out.Items, listedPreview{d.ID, d.Branch, d.CreatedAt, d.DeploymentURL, d.BranchURL})
			}
		}
		if page.Cursor = all.Next; page.Cursor == "" {
			break
		}
	}
	protection, err := c.PreviewProtection(ctx, project)
	switch {
	case err == nil:
		out.Protection = &protection
	case anchor.CodeOf(err) != "no_preview_protection":
		return err
	}
	return s.printResult(out, func(w io.Writer) { s.printPreviews(w, out) })
}

func (s *shell) printPreviews(w io.Writer, out listedPreviews) {
	if len(out.Items) == 0 {
		fmt.Fprintln(w, "No previews. Deploy a branch that is not the production branch to get one.")
	} else {
		var rows [][]string
		seen := map[string]bool{}
		for _, d := range out.Items {
			at := d.DeploymentURL
			if d.BranchURL != "" && !seen[d.Branch] {
				at = d.BranchURL
			}
			seen[d.Branch] = true
			rows = append(rows, []string{s.branchCell(d.Branch), formatAge(d.CreatedAt), at})
		}
		s.printTable(w, []string{"BRANCH", "AGE", "URL"}, rows)
	}
	switch {
	case out.Protection == nil:
	case !out.Protection.Enabled:
		fmt.Fprintln(s.Err, "\nEverybody can see them. To protect them, run anchor previews protect")
	default:
		fmt.Fprintln(s.Err, "\n"+describeProtection(*out.Protection))
	}
}

func describeProtection(p anchor.PreviewProtection) string {
	how := "They ask for a password"
	if p.SignIn {
		how = "Their visitors sign in and need a role in the project"
	}
	if p.Bypass {
		return how + ".\nRequests with the bypass token are admitted, too."
	}
	return how + "."
}

// protectedPreviews is what previews protect --json prints.
type protectedPreviews struct {
	anchor.PreviewProtection
	Password string `json:"password,omitempty"` // that the command made
}

func (s *shell) protectCommand() *cobra.Command {
	var fromInput, signIn bool
	cmd := &cobra.Command{
		Use: "protect", Short: "Let previews ask for a password or a sign-in", Args: cobra.NoArgs,
		Long: "Lets the previews of the project ask for a password: one that the command makes\n" +
			"and prints, or the one in its input. With --sign-in, visitors sign in to Anchor\n" +
			"instead and need a role in the project. What is set replaces what was before.\n" +
			"The site of the project and its production deployments stay open.",
		Example: "  anchor previews protect\n  anchor previews protect --password-stdin <password.txt\n  anchor previews protect --sign-in",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if signIn {
				return s.protectBySignIn(cmd.Context())
			}
			return s.protectPreviews(cmd.Context(), fromInput)
		},
	}
	cmd.Flags().BoolVar(&fromInput, "password-stdin", false, "read the password from the standard input")
	cmd.Flags().BoolVar(&signIn, "sign-in", false, "let visitors sign in to Anchor")
	cmd.MarkFlagsMutuallyExclusive("password-stdin", "sign-in")
	return cmd
}

func (s *shell) protectBySignIn(ctx context.Context) error {
	c, project, err := s.inProject()
	if err != nil {
		return err
	}
	set, err := c.ProtectPreviewsBySignIn(ctx, project)
	if err != nil {
		return err
	}
	return s.printResult(protectedPreviews{PreviewProtection: set}, func(w io.Writer) {
		printWrapped(w, "", "Visitors of the previews of "+project+" sign in from now on, and need a role in the project. To invite them, run anchor people invite NAME --in "+project+"=viewer")
	})
}

func (s *shell) protectPreviews(ctx context.Context, fromInput bool) error {
	c, project, err := s.inProject()
	if err != nil {
		return err
	}
	password, made := rand.Text(), true
	if fromInput {
		text, err := io.ReadAll(io.LimitReader(s.In, 4096))
		if err != nil {
			return fmt.Errorf("read the password: %w", err)
		}
		password, made = strings.TrimRight(string(text), "\r\n"), false
	}
	set, err := c.ProtectPreviews(ctx, project, password)
	if err != nil {
		return err
	}
	out := protectedPreviews{PreviewProtection: set}
	if made {
		out.Password = password
	}
	return s.printResult(out, func(w io.Writer) {
		if made {
			fmt.Fprintln(w, password)
		}
		printWrapped(s.Err, "", "The previews of "+project+" ask for this password from now on. Anchor does not show it again.")
	})
}

func (s *shell) unprotectCommand() *cobra.Command {
	return &cobra.Command{
		Use: "unprotect", Short: "Let everybody see previews", Args: cobra.NoArgs,
		Long: "Lets everybody see the previews of the project, and ends its bypass token.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, project, err := s.inProject()
			if err == nil {
				err = c.UnprotectPreviews(cmd.Context(), project)
			}
			if err != nil {
				return err
			}
			return s.printResult(anchor.PreviewProtection{}, func(w io.Writer) { fmt.Fprintf(w, "Everybody can see the previews of %s.\n", project) })
		},
	}
}

func (s *shell) bypassCommand() *cobra.Command {
	return &cobra.Command{
		Use: "bypass", Short: "Create the token by which tests see protected previews", Args: cobra.NoArgs,
		Long: "Creates the bypass token of the project's protected previews and prints it. An\n" +
			"earlier one stops working. Tests send the token in the header\n" +
			"X-Anchor-Protection-Bypass; with X-Anchor-Set-Bypass-Cookie: true, too, the\n" +
			"response sets a cookie for the browser.",
		Example: "  curl -H \"X-Anchor-Protection-Bypass: $(anchor previews bypass)\" $PREVIEW_URL",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, project, err := s.inProject()
			if err != nil {
				return err
			}
			made, err := c.NewPreviewBypass(cmd.Context(), project)
			if err != nil {
				return err
			}
			return s.printResult(made, func(w io.Writer) { fmt.Fprintln(w, made.Token) })
		},
	}
}
