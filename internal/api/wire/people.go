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
	Name  string `json:"name" minLength:"1" maxLength:"100"`
	Email string `json:"email,omitempty" maxLength:"254" doc:"Address by which an identity provider signs the person in, in place of the link"`
	Roles
}

// SetPerson is the body of PUT /people/{personId}.
type SetPerson struct {
	Roles
	Email *string `json:"email,omitempty" maxLength:"254" doc:"Address by which an identity provider signs the person in; accounts that did so before do so no more. It stays when absent; none when empty"`
}

// IdentityProvider answers GET /sessions/oidc.
type IdentityProvider struct {
	Name string `json:"name" doc:"What people call the provider; empty without one"`
}

// BeginProviderSignIn is the body of POST /sessions/oidc/begin.
type BeginProviderSignIn struct {
	Redirect string `json:"redirect" minLength:"1" maxLength:"500" example:"https://anchor.example.com/dashboard/sign-in/oidc/callback" doc:"Where the provider sends the browser back to; it has to be registered there"`
}

// ProviderSignInBegun answers BeginProviderSignIn.
type ProviderSignInBegun struct {
	ID  string `json:"id" doc:"Only for the browser that begins; it is needed at the end"`
	URL string `json:"url" doc:"What the browser opens: a page of the provider"`
}

// ProviderSignIn is the body of POST /sessions/oidc.
type ProviderSignIn struct {
	ID    string `json:"id" maxLength:"100"`
	State string `json:"state" maxLength:"500" doc:"Of the address to which the provider sent the browser"`
	Code  string `json:"code" maxLength:"4096" doc:"Of the same address"`
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

// BeginPasskey is the body of POST /me/passkeys/begin and /sessions/passkey/begin.
type BeginPasskey struct {
	Origin string `json:"origin" minLength:"1" maxLength:"300" example:"https://anchor.example.com" doc:"Origin of the page that asks the browser"`
}

// PasskeySignIn is the body of POST /sessions/passkey.
type PasskeySignIn struct {
	ID       string         `json:"id" maxLength:"100" doc:"Of the ceremony"`
	Response map[string]any `json:"response" doc:"What navigator.credentials.get returned, as JSON"`
}

// AddPasskey is the body of POST /me/passkeys.
type AddPasskey struct {
	ID       string         `json:"id" maxLength:"100" doc:"Of the ceremony"`
	Name     string         `json:"name" minLength:"1" maxLength:"100"`
	Response map[string]any `json:"response" doc:"What navigator.credentials.create returned, as JSON"`
}

// PasswordSignIn is the body of POST /sessions/password.
type PasswordSignIn struct {
	Name     string `json:"name" maxLength:"100"`
	Password string `json:"password" maxLength:"1000"`
	Code     string `json:"code" maxLength:"20" doc:"Of the authenticator app; each works once"`
}

// HasPassword answers GET /me/password.
type HasPassword struct {
	Set bool `json:"set"`
}

// SetPassword is the body of POST /me/password.
type SetPassword struct {
	Password string `json:"password" maxLength:"1000"`
}

// ConfirmPassword is the body of PUT /me/password.
type ConfirmPassword struct {
	ID   string `json:"id" maxLength:"100" doc:"Of the setup"`
	Code string `json:"code" maxLength:"20" doc:"Of the authenticator app"`
}
