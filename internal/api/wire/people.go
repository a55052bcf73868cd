package wire

import "github.com/anchor-deploy/anchor/internal/anchor"

// Me answers GET /me: who the bearer of the token or session is.
type Me struct {
	Kind      string                           `json:"kind" enum:"person,token"`
	ID        string                           `json:"id"`
	Name      string                           `json:"name"`
	SessionID string                           `json:"sessionId,omitempty"`
	Role      anchor.Role                      `json:"role,omitempty" enum:"viewer,developer,admin,owner" doc:"In all projects; absent without one"`
	Projects  map[anchor.ProjectID]anchor.Role `json:"projects,omitempty" doc:"Roles in single projects, by id"`
}

// RoleIn returns the role in a project.
func (m Me) RoleIn(p anchor.ProjectID) anchor.Role {
	if role := m.Projects[p]; !m.Role.Includes(role) {
		return role
	}
	return m.Role
}

// Roles are the roles of a person.
type Roles struct {
	Role     anchor.Role            `json:"role,omitempty" enum:"viewer,developer,admin,owner" doc:"In all projects; none by default"`
	Projects map[string]anchor.Role `json:"projects,omitempty" doc:"Roles in single projects: viewer, developer or admin by id or slug"`
}

// InvitePerson is the body of POST /people.
type InvitePerson struct {
	Name string `json:"name" minLength:"1" maxLength:"100"`
	Roles
}

// InvitedPerson answers InvitePerson and the creation of a sign-in link. The link is shown this once.
type InvitedPerson struct {
	Person    anchor.Person `json:"person"`
	Path      string        `json:"path" doc:"Path of the page, on this server, that signs the person in once"`
	ExpiresAt int64         `json:"expiresAt" doc:"Until when the link can be used, Unix milliseconds"`
}

// SignIn is the body of POST /sessions.
type SignIn struct {
	Link string `json:"link" minLength:"1" maxLength:"200" doc:"The secret of a sign-in link, which is used up"`
}

// LinkHolder answers POST /sign-in-links/look.
type LinkHolder struct {
	Name string `json:"name" doc:"Of the person whom the link signs in"`
}
