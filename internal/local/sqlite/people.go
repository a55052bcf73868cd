package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/records"
)

// scanRecord reads a row of one column that contains a T as JSON.
func scanRecord[T any](row scanner) (v T, err error) {
	var record string
	if err = row.Scan(&record); err == nil {
		err = json.Unmarshal([]byte(record), &v)
	}
	return v, err
}

// People returns all people, oldest first.
func (s *Store) People(ctx context.Context) ([]anchor.Person, error) {
	return queryAll(ctx, s.read, "list the people", scanRecord[anchor.Person], `SELECT record FROM people ORDER BY id`)
}

// ChangePeople calls change with all people, oldest first, and stores those that it returns in their
// place, in one transaction that is durable on return. Those that it leaves out are removed with their
// sessions and links. It returns a Conflict when two have one name.
func (s *Store) ChangePeople(ctx context.Context, change func([]anchor.Person) ([]anchor.Person, error)) error {
	return s.writeTx(ctx, "change the people", func(t tx) error {
		rows, err := t.QueryContext(ctx, `SELECT record FROM people ORDER BY id`)
		before, err := scanAll("list the people", scanRecord[anchor.Person], rows, err)
		if err != nil {
			return err
		}
		after, err := change(slices.Clone(before)) // it may change the list in place
		if err != nil {
			return err
		}
		return replacePeople(t, before, after)
	})
}

func replacePeople(t tx, before, after []anchor.Person) error {
	left := map[string]bool{}
	for _, p := range before {
		left[p.ID] = true
	}
	for _, p := range after {
		delete(left, p.ID)
	}
	for id := range left { // first: a name that they had may be another's now
		if _, err := t.execRows(`DELETE FROM people WHERE id = ?`, id); err != nil {
			return err
		}
	}
	for _, p := range after {
		record, err := json.Marshal(p)
		if err != nil {
			return err
		}
		_, err = t.execRows(`INSERT INTO people (id, name, record) VALUES (?1, ?2, ?3)
			ON CONFLICT (id) DO UPDATE SET name = ?2, record = ?3`, p.ID, p.Name, string(record))
		if isUniqueViolation(err) {
			return records.NameTaken(p.Name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// CreateSession stores a session, durable on return, and removes those that have expired when it
// was created. It returns NotFound when the person does not exist.
func (s *Store) CreateSession(ctx context.Context, session anchor.Session) error {
	record, err := json.Marshal(session)
	if err != nil {
		return err
	}
	return s.writeTx(ctx, "create the session", func(t tx) error {
		if _, err := t.execRows(`DELETE FROM sessions WHERE expires_at <= ?`, session.CreatedAt); err != nil {
			return err
		}
		_, err := t.execRows(`INSERT INTO sessions (id, person_id, hash, record, seen_at, expires_at) VALUES (?, ?, ?, ?, ?, ?)`,
			session.ID, session.PersonID, session.Hash, string(record), session.SeenAt, session.ExpiresAt)
		if isForeignKeyViolation(err) {
			return records.NoPerson(session.PersonID)
		}
		if isUniqueViolation(err) {
			return records.IDTaken("session", session.ID)
		}
		return err
	})
}

func scanSession(row scanner) (session anchor.Session, err error) {
	var record string
	var seen int64
	if err = row.Scan(&record, &session.Hash, &seen); err == nil {
		err = json.Unmarshal([]byte(record), &session)
	}
	session.SeenAt = seen
	return session, err
}

// SessionByHash returns the session, expired or not, with its person, or NotFound.
func (s *Store) SessionByHash(ctx context.Context, hash []byte) (anchor.Session, anchor.Person, error) {
	return s.findSession(ctx, "s.hash = ?", hash)
}

// SessionByID returns the session, expired or not, with its person, or NotFound.
func (s *Store) SessionByID(ctx context.Context, id string) (anchor.Session, anchor.Person, error) {
	return s.findSession(ctx, "s.id = ?", id)
}

func (s *Store) findSession(ctx context.Context, where string, is any) (session anchor.Session, p anchor.Person, err error) {
	var person string
	row := s.read.QueryRowContext(ctx, `SELECT s.record, s.hash, s.seen_at, p.record
		FROM sessions s JOIN people p ON p.id = s.person_id WHERE `+where, is)
	session, err = scanSession(scanWith{row, []any{&person}})
	if errors.Is(err, sql.ErrNoRows) {
		return session, p, records.NoSession()
	}
	if err == nil {
		err = json.Unmarshal([]byte(person), &p)
	}
	return session, p, explainError("read the session", err)
}

// scanWith scans more columns after those of the caller.
type scanWith struct {
	row  scanner
	more []any
}

func (s scanWith) Scan(dest ...any) error { return s.row.Scan(append(dest, s.more...)...) }

// Sessions returns the sessions of a person, newest first.
func (s *Store) Sessions(ctx context.Context, person string) ([]anchor.Session, error) {
	return queryAll(ctx, s.read, "list the sessions", scanSession,
		`SELECT record, hash, seen_at FROM sessions WHERE person_id = ? ORDER BY id DESC`, person)
}

// SeenSession stores when a session was used last (Unix milliseconds). An unknown one is ignored.
func (s *Store) SeenSession(ctx context.Context, id string, at int64) error {
	return s.writeOn(ctx, s.journal, "store the use of a session", func(t tx) error {
		_, err := t.execRows(`UPDATE sessions SET seen_at = max(seen_at, ?) WHERE id = ?`, at, id)
		return err
	})
}

// RemoveSession removes a session of a person, durable on return, or returns NotFound.
func (s *Store) RemoveSession(ctx context.Context, person, id string) error {
	return s.writeTx(ctx, "remove the session", func(t tx) error {
		n, err := t.execRows(`DELETE FROM sessions WHERE person_id = ? AND id = ?`, person, id)
		if err == nil && n == 0 {
			return records.NoSession()
		}
		return err
	})
}

// CreateLink stores a sign-in link, durable on return, and removes those that have expired when it
// was created. It returns NotFound when the person does not exist.
func (s *Store) CreateLink(ctx context.Context, l anchor.SignInLink) error {
	record, err := json.Marshal(l)
	if err != nil {
		return err
	}
	return s.writeTx(ctx, "create the link", func(t tx) error {
		if _, err := t.execRows(`DELETE FROM sign_in_links WHERE expires_at <= ?`, l.CreatedAt); err != nil {
			return err
		}
		_, err := t.execRows(`INSERT INTO sign_in_links (id, person_id, hash, record, expires_at) VALUES (?, ?, ?, ?, ?)`,
			l.ID, l.PersonID, l.Hash, string(record), l.ExpiresAt)
		if isForeignKeyViolation(err) {
			return records.NoPerson(l.PersonID)
		}
		if isUniqueViolation(err) {
			return records.IDTaken("link", l.ID)
		}
		return err
	})
}

// LinkByHash returns a sign-in link, expired or not, with its person, or NotFound.
func (s *Store) LinkByHash(ctx context.Context, hash []byte) (l anchor.SignInLink, p anchor.Person, err error) {
	var link, person string
	err = s.read.QueryRowContext(ctx, `SELECT l.record, l.hash, p.record FROM sign_in_links l JOIN people p ON p.id = l.person_id
		WHERE l.hash = ?`, hash).Scan(&link, &l.Hash, &person)
	if errors.Is(err, sql.ErrNoRows) {
		return l, p, records.NoLink()
	}
	if err == nil {
		err = errors.Join(json.Unmarshal([]byte(link), &l), json.Unmarshal([]byte(person), &p))
	}
	return l, p, explainError("read the link", err)
}

// TakeLink removes a sign-in link, durable on return. Only one of several calls succeeds; the others
// return NotFound.
func (s *Store) TakeLink(ctx context.Context, id string) error {
	return s.writeTx(ctx, "use the link", func(t tx) error {
		n, err := t.execRows(`DELETE FROM sign_in_links WHERE id = ?`, id)
		if err == nil && n == 0 {
			return records.NoLink()
		}
		return err
	})
}

// Credentials returns what a person signs in with, "" at first, or NotFound.
func (s *Store) Credentials(ctx context.Context, person string) (credentials string, err error) {
	err = s.read.QueryRowContext(ctx, `SELECT credentials FROM people WHERE id = ?`, person).Scan(&credentials)
	if errors.Is(err, sql.ErrNoRows) {
		return "", records.NoPerson(person)
	}
	return credentials, explainError("read the credentials", err)
}

// PutCredentials replaces what a person signs in with if it is still from, durable on return. It
// returns a Conflict when it is not, and NotFound when the person does not exist.
func (s *Store) PutCredentials(ctx context.Context, person, from, to string) error {
	return s.writeTx(ctx, "store the credentials", func(t tx) error {
		var stored string
		err := t.queryRow(`SELECT credentials FROM people WHERE id = ?`, person).Scan(&stored)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return records.NoPerson(person)
		case err != nil:
			return err
		case stored != from:
			return records.CredentialsChanged()
		}
		_, err = t.execRows(`UPDATE people SET credentials = ? WHERE id = ?`, to, person)
		return err
	})
}

// AppendAudit stores an entry under the next Seq, durable on return.
func (s *Store) AppendAudit(ctx context.Context, e anchor.AuditEntry) error {
	record, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return s.writeTx(ctx, "record the change", func(t tx) error {
		_, err := t.execRows(`INSERT INTO audit (project_id, actor_id, actor, record) VALUES (?, ?, ?, ?)`,
			e.ProjectID, e.ActorID, e.Actor, string(record))
		return err
	})
}

// Audit returns the entries that the filter selects, newest first.
func (s *Store) Audit(ctx context.Context, f anchor.AuditFilter) ([]anchor.AuditEntry, error) {
	return queryAll(ctx, s.read, "read the audit log", func(row scanner) (e anchor.AuditEntry, err error) {
		var record string
		var seq int64
		if err = row.Scan(&seq, &record); err == nil {
			err = json.Unmarshal([]byte(record), &e)
		}
		e.Seq = seq
		return e, err
	}, `SELECT seq, record FROM audit WHERE (?1 = '' OR project_id = ?1) AND (?2 = '' OR actor = ?2 OR actor_id = ?2)
		AND (?3 = 0 OR seq < ?3) ORDER BY seq DESC LIMIT ?4`, f.ProjectID, f.Actor, f.Before, f.Limit)
}
