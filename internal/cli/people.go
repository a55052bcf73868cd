package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/client"
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
	var email string
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
			made, err := c.Invite(cmd.Context(), wire.InvitePerson{Name: args[0], Email: email, Roles: roles})
			if err != nil {
				return err
			}
			return s.printLink(c.Base(), made, "Invited %s. Send this link; it signs them in once, within a week:\n")
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&email, "email", "", "address by which an identity provider signs them in, too")
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
	var email string
	cmd := &cobra.Command{
		Use: "set NAME", Short: "Replace the roles of a person, or the e-mail address", Args: cobra.ExactArgs(1),
		Long: "Replaces the roles of a person. With --email alone, the roles stay. Accounts at\n" +
			"an identity provider that signed the person in by the address before do so no\n" +
			"more; \"\" removes the address.",
		Example: "  anchor people set Bob --role viewer --in shop=admin\n  anchor people set Bob --email bob@example.com",
		RunE: func(cmd *cobra.Command, args []string) error {
			var change wire.SetPerson
			if cmd.Flags().Changed("email") {
				change.Email = &email
			}
			return s.runSetPerson(cmd.Context(), args[0], f, change)
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&email, "email", "", "address by which an identity provider signs them in")
	return cmd
}

func (s *shell) runSetPerson(ctx context.Context, name string, f roleFlags, change wire.SetPerson) (err error) {
	onlyEmail := change.Email != nil && f.role == "" && len(f.in) == 0
	if !onlyEmail {
		if change.Roles, err = f.roles(); err != nil {
			return err
		}
	}
	c, err := s.newClient()
	if err != nil {
		return err
	}
	if onlyEmail {
		if change.Roles, err = rolesNow(ctx, c, name); err != nil {
			return err
		}
	}
	p, err := c.SetPerson(ctx, name, change)
	if err != nil {
		return err
	}
	return s.printResult(p, func(w io.Writer) {
		what := "roles"
		if onlyEmail {
			what = "e-mail address"
		}
		fmt.Fprintf(w, "Stored the %s of %s.\n", what, cleanText(p.Name))
	})
}

// rolesNow returns the roles that a person has. Those of an unknown one are empty; the server reports it.
func rolesNow(ctx context.Context, c *client.Client, name string) (r wire.Roles, err error) {
	people, err := c.People(ctx)
	for _, p := range people {
		if p.Name != name && p.ID != name {
			continue
		}
		r.Role, r.Projects = p.Role, map[string]anchor.Role{}
		for id, role := range p.Projects {
			r.Projects[string(id)] = role
		}
	}
	return r, err
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
