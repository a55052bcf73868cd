package anchor

import "slices"

// Scope is what a token allows. Each scope includes the one before it.
type Scope string

// The scopes.
const (
	ScopeRead   Scope = "read"
	ScopeDeploy Scope = "deploy"
	ScopeAdmin  Scope = "admin"
)

var scopes = []Scope{ScopeRead, ScopeDeploy, ScopeAdmin}

// Known reports whether s is a scope.
func (s Scope) Known() bool { return slices.Contains(scopes, s) }

// Allows reports whether a token of scope s may do what needs.
func (s Scope) Allows(needs Scope) bool {
	return s.Known() && needs.Known() && slices.Index(scopes, s) >= slices.Index(scopes, needs)
}

// Token is a bearer token's record; the secret itself is only ever known to its
// holder.
type Token struct {
	ID        string `json:"tokenId"`
	Name      string `json:"name"`
	Scope     Scope  `json:"scope"`
	Hash      []byte `json:"-"` // SHA-256 of the secret
	CreatedAt int64  `json:"createdAt"`
	RevokedAt int64  `json:"revokedAt,omitempty"`

	Projects   []ProjectID `json:"projects,omitempty" doc:"The only projects that it is for; absent when it is for all"`
	ExpiresAt  int64       `json:"expiresAt,omitempty" doc:"Unix milliseconds; absent when it does not expire"`
	CreatedBy  string      `json:"createdBy,omitempty" doc:"Name of the person or token that created it"`
	LastUsedAt int64       `json:"lastUsedAt,omitempty" doc:"Unix milliseconds, to the hour; platform local only"`
}
