package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

func (s *shell) peopleCommand() *cobra.Command {
	cmd := parentCommand("people", "List, invite, change and remove the people who can sign in",
		s.listPeopleCommand(), s.inviteCommand(), s.setPersonCommand(), s.linkPersonCommand(), s.removePersonCommand())
	cmd.Long = "People sign in to the dashboard. A viewer reads; a developer also deploys, and\n" +
		"changes variables and domains; an admin also deletes projects, and manages\n" +
		"people and tokens; an owner also makes owners, and tokens of scope admin.\n" +
		"Programs use tokens instead."
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return s.listPeople(cmd.Context()) }
	return cmd
}

func (s *shell) listPeopleCommand() *cobra.Command {
	return &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List people", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return s.listPeople(cmd.Context()) },
	}
}

func (s *shell) listPeople(ctx context.Context) error {
	c, err := s.newClient()
	if err != nil {
		return err
	}
	people, err := c.People(ctx)
	if err != nil {
		return err
	}
	return s.printResult(wire.Items[anchor.Person]{Items: people}, func(w io.Writer) {
		var rows [][]string
		for _, p := range people {
			signedIn := "invited"
			if p.SignedInAt > 0 {
				signedIn = formatAge(p.SignedInAt)
			}
			role := string(p.Role)
			if role == "" {
				role = "-"
			}
			if n := len(p.Projects); n > 0 {
				role += fmt.Sprintf(" +%d", n)
			}
			rows = append(rows, []string{cleanText(p.Name), role, signedIn, p.ID})
		}
		s.printTable(w, []string{"NAME", "ROLE", "SIGNED IN", "ID"}, rows)
	})
}

// roleFlags are the roles of a person on the command line.
type roleFlags struct {
	role string
	in   []string
}

func (f *roleFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.role, "role", "", "role in all projects: viewer, developer, admin or owner")
	cmd.Flags().StringArrayVar(&f.in, "in", nil, "`PROJECT=ROLE`: role in a single project; can be repeated")
}

func (f *roleFlags) roles() (wire.Roles, error) {
	r := wire.Roles{Role: anchor.Role(f.role)}
	if r.Role != "" && !r.Role.Known() {
		return r, usagef("--role is %q; it must be viewer, developer, admin or owner", f.role)
	}
	for _, one := range f.in {
		project, role, found := strings.Cut(one, "=")
		if !found || project == "" || !anchor.Role(role).Known() || role == string(anchor.RoleOwner) {
			return r, usagef("--in is %q; it must be PROJECT=ROLE with the role viewer, developer or admin", one)
		}
		if r.Projects == nil {
			r.Projects = map[string]anchor.Role{}
		}
		r.Projects[project] = anchor.Role(role)
	}
	if r.Role == "" && r.Projects == nil {
		return r, usagef("a person needs a role: pass --role, or --in PROJECT=ROLE")
	}
	return r, nil
}

func (s *shell) inviteCommand() *cobra.Command {
	var f roleFlags
	cmd := &cobra.Command{
		Use: "invite NAME", Short: "Invite a person and show a link that signs them in once", Args: cobra.ExactArgs(1),
		Example: "  anchor people invite \"Ada Lovelace\" --role developer\n  anchor people invite Bob --in shop=viewer",
		RunE: func(cmd *cobra.Command, args []string) error {
			roles, err := f.roles()
			if err != nil {
				return err
			}
			c, err := s.newClient()
			if err != nil {
				return err
			}
			made, err := c.Invite(cmd.Context(), wire.InvitePerson{Name: args[0], Roles: roles})
			if err != nil {
				return err
			}
			return s.printLink(c.Base(), made, "Invited %s. Send this link; it signs them in once, within a week:\n")
		},
	}
	f.add(cmd)
	return cmd
}

// signInLink is a person with a link that signs them in.
type signInLink struct {
	Person    anchor.Person `json:"person"`
	URL       string        `json:"url"`
	ExpiresAt int64         `json:"expiresAt"`
}

func (s *shell) printLink(base string, made wire.InvitedPerson, format string) error {
	l := signInLink{made.Person, base + made.Path, made.ExpiresAt}
	return s.printResult(l, func(w io.Writer) {
		fmt.Fprintf(s.Err, format, cleanText(l.Person.Name))
		fmt.Fprintln(w, l.URL)
	})
}

func (s *shell) linkPersonCommand() *cobra.Command {
	return &cobra.Command{
		Use: "link NAME", Short: "Show another link that signs a person in once", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := s.newClient()
			if err != nil {
				return err
			}
			made, err := c.SignInLink(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return s.printLink(c.Base(), made, "This link signs %s in once, within 15 minutes:\n")
		},
	}
}

func (s *shell) setPersonCommand() *cobra.Command {
	var f roleFlags
	cmd := &cobra.Command{
		Use: "set NAME", Short: "Replace the roles of a person", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			roles, err := f.roles()
			if err != nil {
				return err
			}
			c, err := s.newClient()
			if err != nil {
				return err
			}
			p, err := c.SetPerson(cmd.Context(), args[0], roles)
			if err != nil {
				return err
			}
			return s.printResult(p, func(w io.Writer) { fmt.Fprintf(w, "Stored the roles of %s.\n", cleanText(p.Name)) })
		},
	}
	f.add(cmd)
	return cmd
}

type removedPerson struct {
	Removed string `json:"removed"`
}

func (s *shell) removePersonCommand() *cobra.Command {
	return &cobra.Command{
		Use: "remove NAME", Aliases: []string{"rm"}, Short: "Remove a person and end their sessions", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := s.newClient()
			if err != nil {
				return err
			}
			if err := c.RemovePerson(cmd.Context(), args[0]); err != nil {
				return err
			}
			return s.printResult(removedPerson{args[0]}, func(w io.Writer) {
				fmt.Fprintf(w, "Removed %s.\nTokens that they created stay valid: see anchor tokens list --json, createdBy.\n", cleanText(args[0]))
			})
		},
	}
}
