package memory

import (
	"bytes"
	"context"
	"maps"
	"slices"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/records"
)

// signIns are the records behind signing in.
type signIns struct {
	people      map[string]anchor.Person
	credentials map[string]string
	sessions    map[string]anchor.Session
	links       map[string]anchor.SignInLink
	audit       []anchor.AuditEntry // by Seq, from 1
}

func newSignIns() signIns {
	return signIns{
		people: map[string]anchor.Person{}, credentials: map[string]string{},
		sessions: map[string]anchor.Session{}, links: map[string]anchor.SignInLink{},
	}
}

func (s *Store) allPeople() []anchor.Person {
	all := make([]anchor.Person, 0, len(s.people))
	for _, id := range slices.Sorted(maps.Keys(s.people)) {
		p := s.people[id]
		p.Projects = maps.Clone(p.Projects)
		all = append(all, p)
	}
	return all
}

// People returns all people, oldest first.
func (s *Store) People(ctx context.Context) ([]anchor.Person, error) {
	return callWithFault(ctx, s, "People", func() ([]anchor.Person, error) { return s.allPeople(), nil })
}

// ChangePeople stores the people that change returns in place of those that it gets. Those that it
// leaves out are removed with their sessions and links: a Conflict when two have one name.
func (s *Store) ChangePeople(ctx context.Context, change func([]anchor.Person) ([]anchor.Person, error)) error {
	return changeWithFault(ctx, s, "ChangePeople", func() error {
		after, err := change(s.allPeople())
		if err != nil {
			return err
		}
		people, names := map[string]anchor.Person{}, map[string]bool{}
		for _, p := range after {
			if names[p.Name] {
				return records.NameTaken(p.Name)
			}
			p.Projects = maps.Clone(p.Projects)
			names[p.Name], people[p.ID] = true, p
		}
		s.people = people
		gone := func(person string) bool { _, found := people[person]; return !found }
		maps.DeleteFunc(s.sessions, func(_ string, one anchor.Session) bool { return gone(one.PersonID) })
		maps.DeleteFunc(s.links, func(_ string, one anchor.SignInLink) bool { return gone(one.PersonID) })
		maps.DeleteFunc(s.credentials, func(person, _ string) bool { return gone(person) })
		return nil
	})
}

func (s *Store) checkPerson(id string) error {
	if _, found := s.people[id]; !found {
		return records.NoPerson(id)
	}
	return nil
}

// CreateSession stores a session and removes those that have expired: NotFound without its person.
func (s *Store) CreateSession(ctx context.Context, session anchor.Session) error {
	return changeWithFault(ctx, s, "CreateSession", func() error {
		if err := s.checkPerson(session.PersonID); err != nil {
			return err
		}
		for _, other := range s.sessions {
			if other.ID == session.ID || bytes.Equal(other.Hash, session.Hash) {
				return records.IDTaken("session", session.ID)
			}
		}
		maps.DeleteFunc(s.sessions, func(_ string, one anchor.Session) bool { return one.ExpiresAt <= session.CreatedAt })
		s.sessions[session.ID] = session
		return nil
	})
}

// SessionByHash returns the session, expired or not, with its person, or NotFound.
func (s *Store) SessionByHash(ctx context.Context, hash []byte) (session anchor.Session, p anchor.Person, err error) {
	err = changeWithFault(ctx, s, "SessionByHash", func() error {
		for _, one := range s.sessions {
			if bytes.Equal(one.Hash, hash) {
				session, p = one, s.people[one.PersonID]
				return nil
			}
		}
		return records.NoSession()
	})
	return session, p, err
}

// SessionByID returns the session, expired or not, with its person, or NotFound.
func (s *Store) SessionByID(ctx context.Context, id string) (session anchor.Session, p anchor.Person, err error) {
	err = changeWithFault(ctx, s, "SessionByID", func() error {
		one, found := s.sessions[id]
		if !found {
			return records.NoSession()
		}
		session, p = one, s.people[one.PersonID]
		return nil
	})
	return session, p, err
}

// Sessions returns the sessions of a person, newest first.
func (s *Store) Sessions(ctx context.Context, person string) ([]anchor.Session, error) {
	return callWithFault(ctx, s, "Sessions", func() ([]anchor.Session, error) {
		return newestFirst(s.sessions, func(_ string, one anchor.Session) bool { return one.PersonID == person }), nil
	})
}

// SeenSession stores when a session was used last. An unknown one is ignored.
func (s *Store) SeenSession(ctx context.Context, id string, at int64) error {
	return changeWithFault(ctx, s, "SeenSession", func() error {
		if one, found := s.sessions[id]; found {
			one.SeenAt = max(one.SeenAt, at)
			s.sessions[id] = one
		}
		return nil
	})
}

// RemoveSession removes a session of a person, or is NotFound.
func (s *Store) RemoveSession(ctx context.Context, person, id string) error {
	return changeWithFault(ctx, s, "RemoveSession", func() error {
		if one, found := s.sessions[id]; !found || one.PersonID != person {
			return records.NoSession()
		}
		delete(s.sessions, id)
		return nil
	})
}

// CreateLink stores a sign-in link and removes those that have expired: NotFound without its person.
func (s *Store) CreateLink(ctx context.Context, l anchor.SignInLink) error {
	return changeWithFault(ctx, s, "CreateLink", func() error {
		if err := s.checkPerson(l.PersonID); err != nil {
			return err
		}
		for _, other := range s.links {
			if other.ID == l.ID || bytes.Equal(other.Hash, l.Hash) {
				return records.IDTaken("link", l.ID)
			}
		}
		maps.DeleteFunc(s.links, func(_ string, one anchor.SignInLink) bool { return one.ExpiresAt <= l.CreatedAt })
		s.links[l.ID] = l
		return nil
	})
}

// LinkByHash returns a sign-in link, expired or not, with its person, or NotFound.
func (s *Store) LinkByHash(ctx context.Context, hash []byte) (l anchor.SignInLink, p anchor.Person, err error) {
	err = changeWithFault(ctx, s, "LinkByHash", func() error {
		for _, one := range s.links {
			if bytes.Equal(one.Hash, hash) {
				l, p = one, s.people[one.PersonID]
				return nil
			}
		}
		return records.NoLink()
	})
	return l, p, err
}

// TakeLink removes a sign-in link, or is NotFound.
func (s *Store) TakeLink(ctx context.Context, id string) error {
	return changeWithFault(ctx, s, "TakeLink", func() error {
		if _, found := s.links[id]; !found {
			return records.NoLink()
		}
		delete(s.links, id)
		return nil
	})
}

// Credentials returns what a person signs in with, "" at first, or NotFound.
func (s *Store) Credentials(ctx context.Context, person string) (string, error) {
	return callWithFault(ctx, s, "Credentials", func() (string, error) { return s.credentials[person], s.checkPerson(person) })
}

// PutCredentials replaces what a person signs in with if it is still from, else it is a Conflict.
func (s *Store) PutCredentials(ctx context.Context, person, from, to string) error {
	return changeWithFault(ctx, s, "PutCredentials", func() error {
		if err := s.checkPerson(person); err != nil {
			return err
		}
		if s.credentials[person] != from {
			return records.CredentialsChanged()
		}
		s.credentials[person] = to
		return nil
	})
}

// UsedToken stores when the token was used last. An unknown one is ignored.
func (s *Store) UsedToken(ctx context.Context, id string, at int64) error {
	return changeWithFault(ctx, s, "UsedToken", func() error {
		if t, found := s.tokens[id]; found {
			t.LastUsedAt = max(t.LastUsedAt, at)
			s.tokens[id] = t
		}
		return nil
	})
}

// AppendAudit stores an entry under the next Seq.
func (s *Store) AppendAudit(ctx context.Context, e anchor.AuditEntry) error {
	return changeWithFault(ctx, s, "AppendAudit", func() error {
		e.Seq = int64(len(s.audit)) + 1
		s.audit = append(s.audit, e)
		return nil
	})
}

// Audit returns the entries that the filter selects, newest first.
func (s *Store) Audit(ctx context.Context, f anchor.AuditFilter) ([]anchor.AuditEntry, error) {
	return callWithFault(ctx, s, "Audit", func() ([]anchor.AuditEntry, error) {
		found := []anchor.AuditEntry{}
		for _, e := range slices.Backward(s.audit) {
			fits := (f.ProjectID == "" || e.ProjectID == f.ProjectID) && (f.Actor == "" || f.Actor == e.Actor || f.Actor == e.ActorID) &&
				(f.Before == 0 || e.Seq < f.Before)
			if fits && len(found) < f.Limit {
				found = append(found, e)
			}
		}
		return found, nil
	})
}
