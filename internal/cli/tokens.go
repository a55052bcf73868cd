package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/user"
	"time"

	"github.com/spf13/cobra"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

func (s *shell) tokensCommand() *cobra.Command {
	return parentCommand("tokens", "Create, list and revoke tokens", s.createTokenCommand(), s.listTokensCommand(), s.revokeTokenCommand())
}

func (s *shell) createTokenCommand() *cobra.Command {
	var scope string
	var projects []string
	var expires time.Duration
	cmd := &cobra.Command{
		Use: "create [NAME]", Short: "Create a token and show its secret once", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := whoAndWhere()
			if len(args) == 1 {
				name = args[0]
			}
			if expires < 0 {
				return usagef("--expires is %s; it must be positive", expires)
			}
			want := wire.CreateToken{Name: name, Scope: anchor.Scope(scope), Projects: projects}
			if expires > 0 {
				want.ExpiresAt = time.Now().Add(expires).UnixMilli()
			}
			return s.createToken(cmd.Context(), want)
		},
	}
	cmd.Flags().StringVar(&scope, "scope", string(anchor.ScopeDeploy), "scope of the token: read, deploy or admin")
	cmd.Flags().StringArrayVar(&projects, "for-project", nil, "slug of a project; the token is for such projects only")
	cmd.Flags().DurationVar(&expires, "expires", 0, "time after which the token expires, such as 720h (default: never)")
	return cmd
}

// whoAndWhere names a token by the person and machine that made it.
func whoAndWhere() string {
	name := "anchor"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if host, err := os.Hostname(); err == nil {
		name += "@" + host
	}
	return name
}

func (s *shell) createToken(ctx context.Context, want wire.CreateToken) error {
	if !want.Scope.Known() {
		return usagef("--scope is %q; it must be read, deploy or admin", want.Scope)
	}
	c, err := s.newClient()
	if err != nil {
		return err
	}
	t, err := c.CreateTokenFor(ctx, want)
	if err != nil {
		return err
	}
	return s.printResult(t, func(w io.Writer) {
		fmt.Fprintf(s.Err, "Created token %s (%s) for %s.\nCopy its secret now; it is not shown again:\n", t.ID, t.Scope, t.Name)
		fmt.Fprintln(w, t.Secret)
	})
}

func (s *shell) listTokensCommand() *cobra.Command {
	return &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List tokens", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return s.listTokens(cmd.Context()) },
	}
}

func (s *shell) listTokens(ctx context.Context) error {
	c, err := s.newClient()
	if err != nil {
		return err
	}
	tokens, err := c.Tokens(ctx)
	if err != nil {
		return err
	}
	return s.printResult(wire.Items[anchor.Token]{Items: tokens}, func(w io.Writer) {
		var rows [][]string
		for _, t := range tokens {
			state := "valid"
			switch {
			case t.RevokedAt > 0:
				state = "revoked"
			case t.ExpiresAt > 0 && t.ExpiresAt <= time.Now().UnixMilli():
				state = "expired"
			}
			rows = append(rows, []string{t.ID, string(t.Scope), state, formatAge(t.CreatedAt), cleanText(t.Name)})
		}
		s.printTable(w, []string{"TOKEN", "SCOPE", "STATE", "AGE", "NAME"}, rows)
	})
}

type revoked struct {
	Revoked string `json:"revoked"`
}

func (s *shell) revokeTokenCommand() *cobra.Command {
	return &cobra.Command{
		Use: "revoke ID", Short: "Revoke a token", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := s.newClient()
			if err != nil {
				return err
			}
			if err := c.RevokeToken(cmd.Context(), args[0]); err != nil {
				return err
			}
			return s.printResult(revoked{args[0]}, func(w io.Writer) { fmt.Fprintf(w, "Revoked %s.\n", args[0]) })
		},
	}
}
