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
}
