package api

import (
	"context"
	"net/http"
	"net/url"

	"github.com/anchor-deploy/anchor/internal/access"
	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

// InPerson is the part of an input that names a person.
type InPerson struct {
	PersonID string `path:"personId" doc:"The person's id or name; me: the one who asks, and for a token the oldest owner" maxLength:"100"`
}

func (s *server) peopleRoutes() {
	const all, one = "/people", "/people/{personId}"
	handleRoute(s, newOperation("list-people", http.MethodGet, all, anchor.ScopeAdmin, "List people, oldest first", 404), s.listPeople)
	invite := newOperation("invite-person", http.MethodPost, all, anchor.ScopeAdmin, "Invite a person; only this response contains the link", 404, 409)
	invite.DefaultStatus = http.StatusCreated
	handleRoute(s, invite, s.invitePerson)
	handleRoute(s, newOperation("set-person", http.MethodPut, one, anchor.ScopeAdmin, "Replace the roles of a person, and the e-mail address", 404, 409), s.setPerson)
	handleRoute(s, newOperation("remove-person", http.MethodDelete, one, anchor.ScopeAdmin, "Remove a person and end their sessions", 404, 409), s.removePerson)
	link := newOperation("create-sign-in-link", http.MethodPost, one+"/links", anchor.ScopeRead,
		"Create a link that signs a person in once; others' links are for admins", 404)
	link.DefaultStatus = http.StatusCreated
	link.Metadata[anywhereKey] = true
	handleRoute(s, link, s.createSignInLink)
}

func (s *server) listPeople(ctx context.Context, _ *none) (*body[wire.Items[anchor.Person]], error) {
	people, err := s.Access.ListPeople(ctx)
	if err != nil {
		return nil, err
	}
	return answerWith(wire.Items[anchor.Person]{Items: append([]anchor.Person{}, people...)}), nil
}

func (s *server) invitePerson(ctx context.Context, in *struct{ Body wire.InvitePerson }) (*body[wire.InvitedPerson], error) {
	projects, err := s.rolesByID(ctx, in.Body.Projects)
	if err != nil {
		return nil, err
	}
	p, link, err := s.Access.Invite(ctx, actorOf(ctx), anchor.Person{Name: in.Body.Name, Email: in.Body.Email, Role: in.Body.Role, Projects: projects})
	if err != nil {
		return nil, err
	}
	noteTarget(ctx, p.Name)
	noteChange(ctx, nil, p)
	return answerWith(invited(p, link)), nil
}

func invited(p anchor.Person, link access.NewLink) wire.InvitedPerson {
	return wire.InvitedPerson{Person: p, Path: PagesPath + "/sign-in?link=" + url.QueryEscape(link.Secret), ExpiresAt: link.ExpiresAt}
}

// rolesByID replaces slugs by ids.
func (s *server) rolesByID(ctx context.Context, roles map[string]anchor.Role) (map[anchor.ProjectID]anchor.Role, error) {
	if len(roles) == 0 {
		return nil, nil
	}
	byID := make(map[anchor.ProjectID]anchor.Role, len(roles))
	for idOrSlug, role := range roles {
		p, err := s.Projects.Get(ctx, idOrSlug)
		if err != nil {
			return nil, err
		}
		byID[p.ID] = role
	}
	return byID, nil
}

func (s *server) setPerson(ctx context.Context, in *struct {
	InPerson
	Body wire.SetPerson
}) (*body[anchor.Person], error) {
	projects, err := s.rolesByID(ctx, in.Body.Projects)
	if err != nil {
		return nil, err
	}
	before, after, err := s.Access.SetPerson(ctx, actorOf(ctx), in.PersonID, access.PersonChange{Role: in.Body.Role, Projects: projects, Email: in.Body.Email})
	if err != nil {
		return nil, err
	}
	noteTarget(ctx, after.Name)
	noteChange(ctx, rolesOf(before), rolesOf(after))
	return answerWith(after), nil
}

func rolesOf(p anchor.Person) any {
	return struct {
		Role     anchor.Role                      `json:"role,omitempty"`
		Projects map[anchor.ProjectID]anchor.Role `json:"projects,omitempty"`
		Email    string                           `json:"email,omitempty"`
	}{p.Role, p.Projects, p.Email}
}

func (s *server) removePerson(ctx context.Context, in *InPerson) (*empty, error) {
	removed, err := s.Access.Remove(ctx, actorOf(ctx), in.PersonID)
	if err != nil {
		return nil, err
	}
	noteTarget(ctx, removed.Name)
	noteChange(ctx, rolesOf(removed), nil)
	return nil, nil
}

func (s *server) createSignInLink(ctx context.Context, in *InPerson) (*body[wire.InvitedPerson], error) {
	p, link, err := s.Access.SignInLink(ctx, actorOf(ctx), in.PersonID)
	if err != nil {
		return nil, err
	}
	noteTarget(ctx, p.Name)
	return answerWith(invited(p, link)), nil
}
