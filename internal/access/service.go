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
}

// Options tune the use-case. The zero value is ready for production.
type Options struct {
	Now func() time.Time // time.Now when nil
}

// Service makes, checks and revokes tokens.
type Service struct {
	Ports
	Options
}

// New returns the use-case over its ports.
func New(p Ports, o Options) *Service { return &Service{Ports: p, Options: o} }

// Create makes a token and returns its secret, which is not stored. The error is Invalid when
// the name is empty or too long or the scope is unknown.
func (s *Service) Create(ctx context.Context, name string, scope anchor.Scope) (string, anchor.Token, error) {
	name = strings.TrimSpace(name)
	switch {
	case name == "" || utf8.RuneCountInString(name) > maxName:
		return "", anchor.Token{}, anchor.Invalid("bad_token_name", "%q is not a valid token name", name).
			Hintf("Use 1 to %d characters that describe who or what uses the token.", maxName)
	case !scope.Known():
		return "", anchor.Token{}, anchor.Invalid("bad_scope", "%q is not a scope", scope).
			Hintf("Use %s, %s or %s.", anchor.ScopeRead, anchor.ScopeDeploy, anchor.ScopeAdmin)
	}
	secret := newSecret()
	token := anchor.Token{ID: anchor.NewID(), Name: name, Scope: scope, Hash: hashSecret(secret), CreatedAt: s.now()}
	if err := s.Tokens.CreateToken(ctx, token); err != nil {
		return "", anchor.Token{}, err
	}
	return secret, token, nil
}

// Check returns the token of a secret. The error is Unauthorized when the token does not exist or
// is revoked. The time of the check reveals nothing about existing secrets: the lookup is by a
// hash, which a guesser cannot steer.
func (s *Service) Check(ctx context.Context, secret string) (anchor.Token, error) {
	if !isWellFormed(secret) {
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
