package memory

import (
	"bytes"
	"context"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/records"
)

// CreateToken inserts token: a Conflict when its id or hash is taken.
func (s *Store) CreateToken(ctx context.Context, token anchor.Token) error {
	return changeWithFault(ctx, s, "CreateToken", func() error {
		_, sameID := s.tokens[token.ID]
		if _, sameHash := s.findByHash(token.Hash); sameID || sameHash {
			return records.IDTaken("token", token.ID)
		}
		token.Hash = bytes.Clone(token.Hash)
		s.tokens[token.ID] = token
		return nil
	})
}

func (s *Store) findByHash(hash []byte) (anchor.Token, bool) {
	for _, t := range s.tokens {
		if bytes.Equal(t.Hash, hash) {
			return t, true
		}
	}
	return anchor.Token{}, false
}

// TokenByHash returns the token, revoked or not, or NotFound.
func (s *Store) TokenByHash(ctx context.Context, hash []byte) (anchor.Token, error) {
	return callWithFault(ctx, s, "TokenByHash", func() (anchor.Token, error) {
		t, found := s.findByHash(hash)
		if !found {
			return t, records.NoToken()
		}
		return t, nil
	})
}

// Tokens returns all, newest first.
func (s *Store) Tokens(ctx context.Context) ([]anchor.Token, error) {
	return callWithFault(ctx, s, "Tokens", func() ([]anchor.Token, error) {
		return newestFirst(s.tokens, func(string, anchor.Token) bool { return true }), nil
	})
}

// RevokeToken marks the token, or is NotFound; the first time stays.
func (s *Store) RevokeToken(ctx context.Context, id string, at int64) error {
	return changeWithFault(ctx, s, "RevokeToken", func() error {
		t, found := s.tokens[id]
		if !found {
			return records.NoToken()
		}
		if t.RevokedAt == 0 {
			t.RevokedAt = at
		}
		s.tokens[id] = t
		return nil
	})
}
