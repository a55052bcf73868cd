package access

import (
	"context"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// How long links and sessions last.
const (
	linkTime       = 15 * 60 * 1000          // a sign-in link, in milliseconds
	invitationTime = 7 * 24 * 60 * 60 * 1000 // the link of an invitation
	sessionTime    = 30 * 24 * 60 * 60 * 1000
	idleTime       = 7 * 24 * 60 * 60 * 1000 // a session that is not used
	seenEvery      = 5 * 60 * 1000           // how exact Session.SeenAt is
	usedEvery      = 60 * 60 * 1000          // how exact Token.LastUsedAt is
)

// errNoPeople is the error where the platform has no people.
func errNoPeople() error {
	return anchor.NotFound("no_people", "this server has no dashboard and no people: they are part of platform local").
		Hintf("To let somebody use it, create a token: anchor tokens create NAME")
}

// ListPeople returns all people, oldest first.
func (s *Service) ListPeople(ctx context.Context) ([]anchor.Person, error) {
	if s.People == nil {
		return nil, errNoPeople()
	}
	return s.People.People(ctx)
}

// Find returns a person by id or name, or NotFound. "me" is the person of the actor; for a token it is
// the oldest owner.
func (s *Service) Find(ctx context.Context, by Actor, idOrName string) (anchor.Person, error) {
	all, err := s.ListPeople(ctx)
	if err != nil {
		return anchor.Person{}, err
	}
	at := slices.IndexFunc(all, func(p anchor.Person) bool { return isCalled(p, by, idOrName) })
	if at < 0 {
		return anchor.Person{}, noPerson(idOrName)
	}
	return all[at], nil
}

func isCalled(p anchor.Person, by Actor, idOrName string) bool {
	if idOrName == "me" {
		return p.ID == by.ID || by.Kind == KindToken && p.Role == anchor.RoleOwner
	}
	return p.ID == idOrName || p.Name == idOrName
}

func noPerson(idOrName string) error {
	return anchor.NotFound("unknown_person", "there is no person %q", idOrName).
		Hintf("List the people with: anchor people")
}

// Invite makes a person who can sign in by the link whose secret it returns, once within a week, and by the
// identity provider if they have an e-mail address. The error is Invalid for a bad name, address or role, Forbidden for a role above the actor's own, and a Conflict for
// a taken name or address.
func (s *Service) Invite(ctx context.Context, by Actor, p anchor.Person) (anchor.Person, NewLink, error) {
	if s.People == nil {
		return anchor.Person{}, NewLink{}, errNoPeople()
	}
	p.Name = strings.TrimSpace(p.Name)
	var err error
	if p.Email, err = checkEmail(p.Email); err != nil {
		return anchor.Person{}, NewLink{}, err
	}
	if err := checkPerson(p); err != nil {
		return anchor.Person{}, NewLink{}, err
	}
	if err := mayGrant(by, p); err != nil {
		return anchor.Person{}, NewLink{}, err
	}
	p.ID, p.CreatedAt, p.SignedInAt, p.Identities = anchor.NewID(), s.now(), 0, nil
	err = s.People.ChangePeople(ctx, func(all []anchor.Person) ([]anchor.Person, error) {
		all = append(all, p)
		return all, checkEmails(all)
	})
	if err != nil {
		return anchor.Person{}, NewLink{}, err
	}
	link, err := s.createLink(ctx, p, invitationTime)
	return p, link, err
}

func checkName(name string) error {
	bad := func(r rune) bool { return !unicode.IsPrint(r) }
	if name == "" || name == "me" || utf8.RuneCountInString(name) > maxName || strings.ContainsFunc(name, bad) || strings.ContainsAny(name, "/") {
		return anchor.Invalid("bad_person_name", "%q is not a valid name of a person", name).
			Hintf("Use 1 to %d printable characters without a slash; \"me\" is reserved.", maxName)
	}
	return nil
}

func checkPerson(p anchor.Person) error {
	if err := checkName(p.Name); err != nil {
		return err
	}
	for _, role := range append(rolesOf(p), p.Role) {
		if role != "" && !role.Known() {
			return badRole(role)
		}
	}
	if slices.Contains(rolesOf(p), anchor.RoleOwner) {
		return anchor.Invalid("bad_role", "owner is a role in all projects, not in one").Hintf("Use admin for a single project.")
	}
	if p.Role == "" && len(p.Projects) == 0 {
		return anchor.Invalid("no_role", "%s would have no role", p.Name).
			Hintf("Pass --role, or --in PROJECT=ROLE for a single project.")
	}
	return nil
}

func badRole(role anchor.Role) error {
	return anchor.Invalid("bad_role", "%q is not a role", role).Hintf("Use viewer, developer, admin or owner.")
}

func rolesOf(p anchor.Person) (all []anchor.Role) {
	for _, role := range p.Projects {
		all = append(all, role)
	}
	return all
}

// mayGrant reports whether the actor may give somebody these roles: nobody gives more than they have,
// and only owners make owners.
func mayGrant(by Actor, p anchor.Person) error {
	if err := by.requireRole(anchor.RoleAdmin, "inviting people"); err != nil {
		return err
	}
	return by.requireRole(p.Role, "giving the role "+string(p.Role))
}

// mayChange reports whether the actor may change or remove a person.
func mayChange(by Actor, p anchor.Person) error {
	if err := by.requireRole(anchor.RoleAdmin, "changing people"); err != nil {
		return err
	}
	return by.requireRole(p.Role, "changing an "+string(p.Role))
}

// PersonChange is what SetPerson changes. A nil Email stays.
type PersonChange struct {
	Role     anchor.Role
	Projects map[anchor.ProjectID]anchor.Role
	Email    *string
}

// SetPerson replaces the roles of a person, and the e-mail address if there is one, and returns the person before
// and after. With another address, accounts at identity providers that signed the person in do so no more. The
// error is a Conflict when the installation would be left without an owner, or the address is another's.
func (s *Service) SetPerson(ctx context.Context, by Actor, idOrName string, c PersonChange) (before, after anchor.Person, err error) {
	err = s.change(ctx, by, idOrName, func(p *anchor.Person) (keep bool, err error) {
		before = *p
		p.Role, p.Projects = c.Role, c.Projects
		if c.Email != nil {
			if p.Email, err = checkEmail(*c.Email); err != nil {
				return false, err
			}
			p.Identities = nil
		}
		after = *p
		if err := checkPerson(*p); err != nil {
			return false, err
		}
		return true, mayGrant(by, *p)
	})
	return before, after, err
}

// Remove removes a person, and with that their sessions and links. The error is a Conflict for the last
// owner.
func (s *Service) Remove(ctx context.Context, by Actor, idOrName string) (removed anchor.Person, err error) {
	err = s.change(ctx, by, idOrName, func(p *anchor.Person) (keep bool, err error) {
		removed = *p
		return false, nil
	})
	return removed, err
}

// change changes or removes one person in a transaction over all.
func (s *Service) change(ctx context.Context, by Actor, idOrName string, do func(*anchor.Person) (keep bool, err error)) error {
	if s.People == nil {
		return errNoPeople()
	}
	return s.People.ChangePeople(ctx, func(all []anchor.Person) ([]anchor.Person, error) {
		at := slices.IndexFunc(all, func(p anchor.Person) bool { return isCalled(p, by, idOrName) })
		if at < 0 {
			return nil, noPerson(idOrName)
		}
		if err := mayChange(by, all[at]); err != nil {
			return nil, err
		}
		keep, err := do(&all[at])
		if err != nil {
			return nil, err
		}
		if !keep {
			all = slices.Delete(all, at, at+1)
		}
		if !slices.ContainsFunc(all, func(p anchor.Person) bool { return p.Role == anchor.RoleOwner }) {
			return nil, anchor.Conflict("last_owner", "nobody would be an owner any more").
				Hintf("Make somebody else an owner first: anchor people set NAME --role owner")
		}
		return all, checkEmails(all)
	})
}

// EnsureOwner makes the first person, an owner called name, if there are no people.
func (s *Service) EnsureOwner(ctx context.Context, name string) error {
	owner := anchor.Person{ID: anchor.NewID(), Name: name, Role: anchor.RoleOwner, CreatedAt: s.now()}
	return s.People.ChangePeople(ctx, func(all []anchor.Person) ([]anchor.Person, error) {
		if len(all) == 0 {
			all = append(all, owner)
		}
		return all, nil
	})
}
