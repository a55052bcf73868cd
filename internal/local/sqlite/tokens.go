package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/records"
)

const tokenColumns = `id, name, scope, hash, created_at, revoked_at, projects, expires_at, created_by, last_used_at`

func scanToken(row scanner) (t anchor.Token, err error) {
	var projects string
	err = row.Scan(&t.ID, &t.Name, &t.Scope, &t.Hash, &t.CreatedAt, &t.RevokedAt, &projects, &t.ExpiresAt, &t.CreatedBy, &t.LastUsedAt)
	if err == nil && projects != "" {
		err = json.Unmarshal([]byte(projects), &t.Projects)
	}
	return t, err
}

// CreateToken inserts token, durable on return. It returns a Conflict when its id or hash is taken.
func (s *Store) CreateToken(ctx context.Context, token anchor.Token) error {
	projects := ""
	if token.Projects != nil {
		list, err := json.Marshal(token.Projects)
		if err != nil {
			return err
		}
		projects = string(list)
	}
	return s.writeTx(ctx, "create the token", func(t tx) error {
		_, err := t.execRows(`INSERT INTO tokens (`+tokenColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			token.ID, token.Name, token.Scope, token.Hash, token.CreatedAt, token.RevokedAt,
			projects, token.ExpiresAt, token.CreatedBy, token.LastUsedAt)
		if isUniqueViolation(err) {
			return records.IDTaken("token", token.ID)
		}
		return err
	})
}

// TokenByHash returns the token, revoked or not, of the secret with that SHA-256, or NotFound.
func (s *Store) TokenByHash(ctx context.Context, hash []byte) (anchor.Token, error) {
	t, err := scanToken(s.hot.tokenByHash.QueryRowContext(ctx, hash))
	if errors.Is(err, sql.ErrNoRows) {
		return anchor.Token{}, records.NoToken()
	}
	return t, explainError("read the token", err)
}

// Tokens returns all tokens, including revoked ones, newest first.
func (s *Store) Tokens(ctx context.Context) ([]anchor.Token, error) {
	return queryAll(ctx, s.read, "list the tokens", scanToken, `SELECT `+tokenColumns+` FROM tokens ORDER BY id DESC`)
}

// RevokeToken marks the token as revoked at at (Unix milliseconds), durable on return. It returns
// NotFound when the token is unknown. A token that is revoked again keeps its first time.
func (s *Store) RevokeToken(ctx context.Context, id string, at int64) error {
	return s.writeTx(ctx, "revoke the token", func(t tx) error {
		n, err := t.execRows(`UPDATE tokens SET revoked_at = CASE revoked_at WHEN 0 THEN ? ELSE revoked_at END WHERE id = ?`, at, id)
		if err == nil && n == 0 {
			return records.NoToken()
		}
		return err
	})
}

// UsedToken stores when the token was used last (Unix milliseconds). An unknown token is ignored.
func (s *Store) UsedToken(ctx context.Context, id string, at int64) error {
	return s.writeOn(ctx, s.journal, "store the use of a token", func(t tx) error {
		_, err := t.execRows(`UPDATE tokens SET last_used_at = max(last_used_at, ?) WHERE id = ?`, at, id)
		return err
	})
}
