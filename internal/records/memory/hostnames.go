package memory

import (
	"cmp"
	"context"
	"slices"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/records"
)

func cloneHostname(h anchor.Hostname) anchor.Hostname {
	if h.DNSValidation != nil {
		record := *h.DNSValidation
		h.DNSValidation = &record
	}
	return h
}

// CreateHostname inserts h at revision 1: a Conflict when its name or id is taken,
// NotFound when its project is unknown.
func (s *Store) CreateHostname(ctx context.Context, h anchor.Hostname) error {
	return changeWithFault(ctx, s, "CreateHostname", func() error {
		if _, found := s.findByName(h.Name); found {
			return records.DomainTaken(h.Name)
		}
		if _, found := s.hostnames[h.ID]; found {
			return records.IDTaken("domain", string(h.ID))
		}
		if err := s.checkOwner(h.ProjectID); err != nil {
			return err
		}
		h = cloneHostname(h)
		h.Revision = 1
		s.hostnames[h.ID] = h
		return nil
	})
}

func (s *Store) findByName(name string) (anchor.Hostname, bool) {
	for _, h := range s.hostnames {
		if h.Name == name {
			return h, true
		}
	}
	return anchor.Hostname{}, false
}

// UpdateHostname writes h if the stored revision is h's and returns it with the next one, else
// a Conflict; NotFound when it or its project does not exist.
func (s *Store) UpdateHostname(ctx context.Context, h anchor.Hostname) (anchor.Hostname, error) {
	return callWithFault(ctx, s, "UpdateHostname", func() (anchor.Hostname, error) {
		stored, found := s.hostnames[h.ID]
		switch {
		case !found || stored.Name != h.Name:
			return h, records.NoHostname(h.Name)
		case stored.Revision != h.Revision:
			return h, records.DomainChanged(h.Name, stored.Revision, h.Revision)
		}
		if h.ProjectID != stored.ProjectID {
			if err := s.checkOwner(h.ProjectID); err != nil {
				return h, err
			}
		}
		h.Revision++
		s.hostnames[h.ID] = cloneHostname(h)
		return h, nil
	})
}

// DeleteHostname removes the hostname. It succeeds when there is none.
func (s *Store) DeleteHostname(ctx context.Context, id anchor.HostnameID) error {
	return changeWithFault(ctx, s, "DeleteHostname", func() error {
		delete(s.hostnames, id)
		return nil
	})
}

// Hostname returns one hostname or NotFound.
func (s *Store) Hostname(ctx context.Context, id anchor.HostnameID) (anchor.Hostname, error) {
	return callWithFault(ctx, s, "Hostname", func() (anchor.Hostname, error) {
		h, found := s.hostnames[id]
		if !found {
			return h, records.NoHostname(string(id))
		}
		return cloneHostname(h), nil
	})
}

// HostnameByName returns one hostname or NotFound.
func (s *Store) HostnameByName(ctx context.Context, name string) (anchor.Hostname, error) {
	return callWithFault(ctx, s, "HostnameByName", func() (anchor.Hostname, error) {
		h, found := s.findByName(name)
		if !found {
			return h, records.NoHostname(name)
		}
		return cloneHostname(h), nil
	})
}

// Hostnames lists the project's, or all when p is "", newest first.
func (s *Store) Hostnames(ctx context.Context, p anchor.ProjectID, page anchor.Page) (anchor.List[anchor.Hostname], error) {
	return callWithFault(ctx, s, "Hostnames", func() (anchor.List[anchor.Hostname], error) {
		before, err := records.BeforeID(page)
		found := newestFirst(s.hostnames, func(id anchor.HostnameID, h anchor.Hostname) bool {
			return (p == "" || h.ProjectID == p) && string(id) < before
		})
		for i := range found {
			found[i] = cloneHostname(found[i])
		}
		return records.Cut(found, page, records.HostnameCursor), err
	})
}

// DueHostnames returns at most limit with 0 < NextCheck <= at, the longest due first.
func (s *Store) DueHostnames(ctx context.Context, at int64, limit int) ([]anchor.Hostname, error) {
	return callWithFault(ctx, s, "DueHostnames", func() ([]anchor.Hostname, error) {
		found := []anchor.Hostname{}
		for _, h := range s.hostnames {
			if h.NextCheck > 0 && h.NextCheck <= at {
				found = append(found, cloneHostname(h))
			}
		}
		slices.SortFunc(found, func(a, b anchor.Hostname) int {
			return cmp.Or(cmp.Compare(a.NextCheck, b.NextCheck), cmp.Compare(a.ID, b.ID))
		})
		return found[:min(limit, len(found))], nil
	})
}
