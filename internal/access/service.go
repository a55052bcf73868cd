package access

import (
	"context"
	"crypto/subtle"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// maxName is the length, in characters, a token's name may have.
const maxName = 64

// Ports are what the use-case works with.
type Ports struct {
	Tokens Tokens
	Uses   Uses   // nil: the use of tokens is not stored
	People People // nil: there are only tokens
	Audit  Audit  // nil: there is no audit log

	Passkeys Passkeys // nil: nobody signs in by a passkey
	Box      Box      // seals the secrets of passwords; nil: nobody signs in by a password

	Provider IdentityProvider // nil: nobody signs in by an identity provider
	// Admits are the roles of people whom nobody has invited, by the domain of the e-mail address that the
	// provider has verified. nil: only those sign in who are invited.
	Admits map[string]anchor.Role
}

// Options tune the use-case. The zero value is ready for production.
type Options struct {
	Now func() time.Time // time.Now when nil
}

// Service makes, checks and revokes tokens, and signs people in.
type Service struct {
	Ports
	Options
	ceremonies ceremonies // of passkeys
	flows      ceremonies // at the identity provider
	tries      tries
}

// New returns the use-case over its ports.
func New(p Ports, o Options) *Service { return &Service{Ports: p, Options: o} }

// NewToken is what is asked of a token.
type NewToken struct {
	Name      string
	Scope     anchor.Scope
	Projects  []anchor.ProjectID // the only ones that it is for; none: all
	ExpiresAt int64              // Unix milliseconds; 0: never
}

// Create makes a token and returns its secret, which is not stored. The error is Invalid when
// the name is empty or too long or the scope is unknown.
func (s *Service) Create(ctx context.Context, name string, scope anchor.Scope) (string, anchor.Token, error) {
	return s.createToken(ctx, NewToken{Name: name, Scope: scope}, "")
}

// CreateToken is Create for an actor, who cannot give more than they have: a token of scope admin for
// all projects counts as an owner.
func (s *Service) CreateToken(ctx context.Context, by Actor, want NewToken) (string, anchor.Token, error) {
	if want.Scope == anchor.ScopeAdmin && len(want.Projects) == 0 {
		if err := by.requireRole(anchor.RoleOwner, "creating a token of scope admin for all projects"); err != nil {
			return "", anchor.Token{}, err
		}
	}
	return s.createToken(ctx, want, by.Name)
}

func (s *Service) createToken(ctx context.Context, want NewToken, by string) (string, anchor.Token, error) {
	name, scope := strings.TrimSpace(want.Name), want.Scope
	switch {
	case name == "" || utf8.RuneCountInString(name) > maxName:
		return "", anchor.Token{}, anchor.Invalid("bad_token_name", "%q is not a valid token name", name).
			Hintf("Use 1 to %d characters that describe who or what uses the token.", maxName)
	case !scope.Known():
		return "", anchor.Token{}, anchor.Invalid("bad_scope", "%q is not a scope", scope).
			Hintf("Use %s, %s or %s.", anchor.ScopeRead, anchor.ScopeDeploy, anchor.ScopeAdmin)
	case want.ExpiresAt != 0 && want.ExpiresAt <= s.now():
		return "", anchor.Token{}, anchor.Invalid("bad_expiry", "the token would have expired already").
			Hintf("Send a time in the future, in Unix milliseconds, or none.")
	}
	secret := newSecret(tokenPrefix)
	token := anchor.Token{
		ID: anchor.NewID(), Name: name, Scope: scope, Hash: hashSecret(secret), CreatedAt: s.now(),
		Projects: want.Projects, ExpiresAt: want.ExpiresAt, CreatedBy: by,
	}
	if err := s.Tokens.CreateToken(ctx, token); err != nil {
		return "", anchor.Token{}, err
	}
	return secret, token, nil
}

// Check returns the token of a secret. The error is Unauthorized when the token does not exist or
// is revoked. The time of the check reveals nothing about existing secrets: the lookup is by a
// hash, which a guesser cannot steer.
func (s *Service) Check(ctx context.Context, secret string) (anchor.Token, error) {
	if !isWellFormed(secret, tokenPrefix) {
		return anchor.Token{}, errUnauthorized("bad_token", "the server does not recognize this token")
	}
	want := hashSecret(secret)
	token, err := s.Tokens.TokenByHash(ctx, want)
	switch {
	case errors.Is(err, anchor.ErrNotFound):
		return anchor.Token{}, errUnauthorized("unknown_token", "the server does not recognize this token")
	case err != nil:
		return anchor.Token{}, err
	case subtle.ConstantTimeCompare(token.Hash, want) != 1:
		return anchor.Token{}, errUnauthorized("unknown_token", "the server does not recognize this token")
	case token.RevokedAt != 0:
		return anchor.Token{}, errUnauthorized("revoked_token", "the token was revoked")
	case token.ExpiresAt != 0 && token.ExpiresAt <= s.now():
		return anchor.Token{}, errUnauthorized("expired_token", "the token has expired")
	}
	return token, nil
}

func errUnauthorized(code, message string) error {
	e := &anchor.Error{Kind: anchor.KindUnauthorized, Code: code, Message: message}
	return e.Hintf("Set ANCHOR_TOKEN to a token of this server. An admin can create one with anchor tokens create")
}

// List returns all tokens, revoked ones too, newest first.
func (s *Service) List(ctx context.Context) ([]anchor.Token, error) { return s.Tokens.Tokens(ctx) }

// Revoke ends a token for every later Check, or is NotFound. It is idempotent.
func (s *Service) Revoke(ctx context.Context, id string) error {
	return s.Tokens.RevokeToken(ctx, id, s.now())
}

func (s *Service) now() int64 {
	if s.Now == nil {
		return time.Now().UnixMilli()
	}
	return s.Now().UnixMilli()
}
