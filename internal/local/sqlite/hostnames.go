package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/records"
)

// hostnameRecord is a hostname with the fields that its JSON hides from the API.
type hostnameRecord struct {
	anchor.Hostname
	Challenge string `json:"challenge,omitempty"`
}

const hostnameColumns = `revision, record`

func scanHostname(row scanner) (anchor.Hostname, error) {
	var text []byte
	var revision int64
	if err := row.Scan(&revision, &text); err != nil {
		return anchor.Hostname{}, err
	}
	var r hostnameRecord
	if err := json.Unmarshal(text, &r); err != nil {
		return anchor.Hostname{}, err
	}
	h := r.Hostname
	h.Challenge, h.Revision = r.Challenge, revision
	return h, nil
}

func encodeHostname(h anchor.Hostname) (string, error) {
	text, err := json.Marshal(hostnameRecord{Hostname: h, Challenge: h.Challenge})
	return string(text), err
}

// CreateHostname inserts h at revision 1, durable on return. It returns a Conflict, "domain_taken"
// or "id_taken", when there is one with that name or id, and NotFound when its project does not exist
// or is being removed.
func (s *Store) CreateHostname(ctx context.Context, h anchor.Hostname) error {
	text, err := encodeHostname(h)
	if err != nil {
		return err
	}
	return s.writeTx(ctx, "attach the domain", func(t tx) error {
		switch nameTaken, err := rowExists(t, `SELECT 1 FROM hostnames WHERE name = ?`, h.Name); {
		case err != nil:
			return err
		case nameTaken:
			return records.DomainTaken(h.Name)
		}
		if err := checkOwner(t, h.ProjectID); err != nil {
			return err
		}
		_, err := t.execRows(`INSERT INTO hostnames (id, project_id, name, revision, record) VALUES (?, ?, ?, 1, ?)`,
			h.ID, h.ProjectID, h.Name, text)
		if isUniqueViolation(err) {
			return records.IDTaken("domain", string(h.ID))
		}
		return err
	})
}

// UpdateHostname writes h if the stored revision is h's, and returns it with the next revision. It
// returns a Conflict "domain_changed" when the revision is not h's, and NotFound when there is none
// with its id and name, or when it moves to a project that does not exist or is being removed.
// Durable on return.
func (s *Store) UpdateHostname(ctx context.Context, h anchor.Hostname) (anchor.Hostname, error) {
	err := s.writeTx(ctx, "update the domain", func(t tx) error { return updateHostname(t, h) })
	if err != nil {
		return anchor.Hostname{}, err
	}
	h.Revision++
	return h, nil
}

func updateHostname(t tx, h anchor.Hostname) error {
	var stored int64
	var owner anchor.ProjectID
	err := t.queryRow(`SELECT revision, project_id FROM hostnames WHERE id = ? AND name = ?`, h.ID, h.Name).Scan(&stored, &owner)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return records.NoHostname(h.Name)
	case err != nil:
		return err
	case stored != h.Revision:
		return records.DomainChanged(h.Name, stored, h.Revision)
	}
	if owner != h.ProjectID {
		if err := checkOwner(t, h.ProjectID); err != nil {
			return err
		}
	}
	text, err := encodeHostname(h)
	if err != nil {
		return err
	}
	_, err = t.execRows(`UPDATE hostnames SET project_id = ?, revision = ?, record = ? WHERE id = ?`,
		h.ProjectID, h.Revision+1, text, h.ID)
	return err
}

// DeleteHostname removes the hostname, durable on return. Removing one that does not exist is not
// an error.
func (s *Store) DeleteHostname(ctx context.Context, id anchor.HostnameID) error {
	return s.writeTx(ctx, "remove the domain", func(t tx) error {
		_, err := t.execRows(`DELETE FROM hostnames WHERE id = ?`, id)
		return err
	})
}

// Hostname returns one hostname or NotFound.
func (s *Store) Hostname(ctx context.Context, id anchor.HostnameID) (anchor.Hostname, error) {
	return s.getHostname(ctx, `id = ?`, string(id))
}

// HostnameByName returns one hostname or NotFound.
func (s *Store) HostnameByName(ctx context.Context, name string) (anchor.Hostname, error) {
	return s.getHostname(ctx, `name = ?`, name)
}

func (s *Store) getHostname(ctx context.Context, where, key string) (anchor.Hostname, error) {
	h, err := scanHostname(s.read.QueryRowContext(ctx, `SELECT `+hostnameColumns+` FROM hostnames WHERE `+where, key))
	if errors.Is(err, sql.ErrNoRows) {
		return anchor.Hostname{}, records.NoHostname(key)
	}
	return h, explainError("read the domain", err)
}

// Hostnames lists the project's hostnames, or all when p is "", newest first. It returns Invalid
// for a malformed cursor.
func (s *Store) Hostnames(ctx context.Context, p anchor.ProjectID, page anchor.Page) (anchor.List[anchor.Hostname], error) {
	before, err := records.BeforeID(page)
	if err != nil {
		return anchor.List[anchor.Hostname]{}, err
	}
	where, args := `id < ?`, []any{before}
	if p != "" {
		where, args = `project_id = ? AND id < ?`, []any{p, before}
	}
	found, err := queryAll(ctx, s.read, "list the domains", scanHostname,
		`SELECT `+hostnameColumns+` FROM hostnames WHERE `+where+` ORDER BY id DESC LIMIT ?`, append(args, page.Size()+1)...)
	return records.Cut(found, page, records.HostnameCursor), err
}

// DueHostnames returns at most limit hostnames with 0 < NextCheck <= at, the longest due first.
func (s *Store) DueHostnames(ctx context.Context, at int64, limit int) ([]anchor.Hostname, error) {
	return queryAll(ctx, s.read, "list the domains that are due", scanHostname, dueHostnames, at, limit)
}

const dueHostnames = `SELECT ` + hostnameColumns + ` FROM hostnames
	WHERE next_check > 0 AND next_check <= ? ORDER BY next_check, id LIMIT ?`
