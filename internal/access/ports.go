// Package access is the use-case of people, sessions and bearer tokens: who may do what. Only the
// SHA-256 of a secret is kept: it has 256 random bits, which no hash made slow would protect better.
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

// Uses keeps when tokens were used.
type Uses interface {
	// UsedToken stores when the token was used last (Unix milliseconds). An unknown one is ignored.
	UsedToken(ctx context.Context, id string, at int64) error
}

// People keeps who may sign in, and the sign-ins.
type People interface {
	// People returns all, oldest first.
	People(ctx context.Context) ([]anchor.Person, error)
	// ChangePeople calls change with all, oldest first, and stores those that it returns in their place,
	// in one transaction that is durable on return. Those that it leaves out are removed with their
	// sessions and links. A Conflict when two have one name; an error of change changes nothing.
	ChangePeople(ctx context.Context, change func([]anchor.Person) ([]anchor.Person, error)) error

	// CreateSession and CreateLink insert one, durable on return, and remove those that have expired
	// when it was created. ErrNotFound without the person.
	CreateSession(ctx context.Context, s anchor.Session) error
	CreateLink(ctx context.Context, l anchor.SignInLink) error
	// SessionByHash and LinkByHash return one, expired or not, and its person, or ErrNotFound.
	SessionByHash(ctx context.Context, hash []byte) (anchor.Session, anchor.Person, error)
	// SessionByID is SessionByHash by the id of a session.
	SessionByID(ctx context.Context, id string) (anchor.Session, anchor.Person, error)
	LinkByHash(ctx context.Context, hash []byte) (anchor.SignInLink, anchor.Person, error)
	// TakeLink removes a link, durable on return: of several calls one succeeds, the others are
	// ErrNotFound.
	TakeLink(ctx context.Context, id string) error
	// Sessions returns those of a person, newest first.
	Sessions(ctx context.Context, person string) ([]anchor.Session, error)
	// SeenSession stores when a session was used last. An unknown one is ignored.
	SeenSession(ctx context.Context, id string, at int64) error
	// RemoveSession removes a session of the person, durable on return, or is ErrNotFound.
	RemoveSession(ctx context.Context, person, id string) error

	// Credentials returns what a person signs in with, "" at first, or ErrNotFound.
	Credentials(ctx context.Context, person string) (string, error)
	// PutCredentials replaces them, durable on return: a Conflict when they are no longer from.
	PutCredentials(ctx context.Context, person, from, to string) error
}

// Audit keeps the audit log.
type Audit interface {
	// AppendAudit stores e under the next Seq, durable on return.
	AppendAudit(ctx context.Context, e anchor.AuditEntry) error
	// Audit returns the entries that f selects, newest first.
	Audit(ctx context.Context, f anchor.AuditFilter) ([]anchor.AuditEntry, error)
}
