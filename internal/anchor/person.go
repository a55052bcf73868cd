package anchor

import "slices"

// Role is what a person may do. Each role includes the ones before it.
type Role string

// The roles. The zero value may do nothing.
const (
	RoleViewer    Role = "viewer"    // reads
	RoleDeveloper Role = "developer" // deploys, and changes variables and domains
	RoleAdmin     Role = "admin"     // deletes projects, and manages people and tokens
	RoleOwner     Role = "owner"     // also makes owners and tokens of scope admin
)

var roles = []Role{"", RoleViewer, RoleDeveloper, RoleAdmin, RoleOwner}

// Known reports whether r is a role. "" is none.
func (r Role) Known() bool { return r != "" && slices.Contains(roles, r) }

// Includes reports whether r may do all that other may.
func (r Role) Includes(other Role) bool {
	return slices.Contains(roles, other) && slices.Index(roles, r) >= slices.Index(roles, other)
}

// Allows reports whether r may do what needs a token of the scope.
func (r Role) Allows(needs Scope) bool { return r.Known() && r.Includes(RoleOf(needs)) }

// RoleOf returns the smallest role that may do what needs a token of the scope.
func RoleOf(s Scope) Role {
	switch s {
	case ScopeRead:
		return RoleViewer
	case ScopeDeploy:
		return RoleDeveloper
	}
	return RoleAdmin
}

// Person is somebody who can sign in. Times are Unix milliseconds.
type Person struct {
	ID   string `json:"personId"`
	Name string `json:"name"`
	// Role is the role in all projects; a project can add to it and never takes from it.
	Role     Role               `json:"role,omitempty" enum:"viewer,developer,admin,owner" doc:"In all projects; absent for somebody who has roles in single projects only"`
	Projects map[ProjectID]Role `json:"projects,omitempty" doc:"Roles in single projects, by id"`
	Email    string             `json:"email,omitempty" doc:"Address by which an identity provider signs the person in for the first time, in lower case"`
	// Identities sign the person in whatever their e-mail address is by now.
	Identities []Identity `json:"identities,omitempty" doc:"Accounts at identity providers that have signed the person in"`
	CreatedAt  int64      `json:"createdAt"`
	// SignedInAt is absent until the invitation is accepted.
	SignedInAt int64 `json:"signedInAt,omitempty" doc:"Last time; absent while the invitation is not accepted"`
}

// Identity is an account at an identity provider. Both members are those of its ID tokens (OpenID Connect
// Core 1.0, section 2), and identify it forever.
type Identity struct {
	Issuer  string `json:"issuer"`
	Subject string `json:"subject"`
}

// Claims are what an identity provider says about the holder of an account (OpenID Connect Core 1.0, section 5.1).
type Claims struct {
	Identity
	Email         string // "" when the provider does not say
	EmailVerified bool
	Name          string // "" when the provider does not say
}

// Session is one sign-in of a person.
type Session struct {
	ID        string `json:"sessionId"`
	PersonID  string `json:"personId"`
	Hash      []byte `json:"-"` // SHA-256 of the secret
	CreatedAt int64  `json:"createdAt"`
	SeenAt    int64  `json:"seenAt"`
	ExpiresAt int64  `json:"expiresAt"`
	From      string `json:"from,omitempty" doc:"The address that signed in"`
	Agent     string `json:"agent,omitempty" doc:"The browser that signed in, as it names itself"`
}

// SignInLink signs a person in once.
type SignInLink struct {
	ID        string `json:"linkId"`
	PersonID  string `json:"personId"`
	Hash      []byte `json:"-"` // SHA-256 of the secret
	CreatedAt int64  `json:"createdAt"`
	ExpiresAt int64  `json:"expiresAt"`
}

// AuditEntry is one change: who changed what, when and from where.
type AuditEntry struct {
	Seq       int64     `json:"seq" doc:"Grows with every change"`
	At        int64     `json:"at" doc:"Unix milliseconds"`
	ActorKind string    `json:"actorKind" enum:"person,token"`
	ActorID   string    `json:"actorId,omitempty"`
	Actor     string    `json:"actor" doc:"Name of the person or the token at that time"`
	Action    string    `json:"action" doc:"Operation of the API, as in its OpenAPI document"`
	ProjectID ProjectID `json:"projectId,omitempty"`
	Project   string    `json:"project,omitempty" doc:"Slug of the project at that time"`
	Target    string    `json:"target,omitempty" doc:"What was changed: an id or a name"`
	Before    string    `json:"before,omitempty" doc:"State before the change, without secrets"`
	After     string    `json:"after,omitempty"`
	From      string    `json:"from,omitempty" doc:"Address of the client"`
}

// AuditFilter selects entries of the audit log. Zero fields select all.
type AuditFilter struct {
	ProjectID ProjectID
	Actor     string // name or id
	Before    int64  // only entries with a smaller Seq; 0 is no bound
	Limit     int
}

// Passkey is a credential of a person (Web Authentication Level 3).
type Passkey struct {
	ID        string `json:"passkeyId"`
	Name      string `json:"name"`
	CreatedAt int64  `json:"createdAt"`
	UsedAt    int64  `json:"usedAt,omitempty" doc:"Last sign-in by it; absent before the first"`
}
