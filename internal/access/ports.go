// Package access is the use-case of bearer tokens: who may do what. Only the
// SHA-256 of a token's secret is kept: it has 256 random bits, which no hash made
// slow would protect better.
package access

import (
	"context"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Tokens keeps the tokens' records.
type Tokens interface {
	// CreateToken inserts t, durable on return: a Conflict when its id or hash is taken.
	CreateToken(ctx context.Context, t anchor.Token) error
	// TokenByHash returns the token, revoked or not, or ErrNotFound.
	TokenByHash(ctx context.Context, hash []byte) (anchor.Token, error)
	// Tokens returns all, newest first.
	Tokens(ctx context.Context) ([]anchor.Token, error)
	// RevokeToken marks the token at at (Unix milliseconds), durable on return, or
	// is ErrNotFound. Idempotent: the first time stays.
	RevokeToken(ctx context.Context, id string, at int64) error
}
