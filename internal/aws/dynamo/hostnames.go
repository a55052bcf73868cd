package dynamo

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/records"
)

const challengeAttr = "challenge"

// errElsewhere ends an attempt when the hostname belongs to another project by now.
var errElsewhere = errors.New("the domain now belongs to another project")

// hostnameItem returns the item of a hostname: its fields, including those that its JSON hides
// from the API, and its place in the index when it is due at some time.
func hostnameItem(h anchor.Hostname) (item, error) {
	rec, err := encodeRecord(h)
	it := item{
		recordAttr: rec, challengeAttr: stringValue(h.Challenge), revisionAttr: numberValue(h.Revision), duePK: nil, dueSK: nil,
	}
	if h.NextCheck > 0 {
		it[duePK], it[dueSK] = stringValue("DUE"), stringValue(sortableNumber(h.NextCheck)+"#"+string(h.ID))
	}
	return it, err
}

func readHostname(it item) (anchor.Hostname, error) {
	h, err := decodeRecord[anchor.Hostname](it)
	h.Challenge, h.Revision = strOf(it, challengeAttr), numOf(it, revisionAttr)
	return h, err
}

// CreateHostname inserts h at revision 1, durable on return: a Conflict "domain_taken" or
// "id_taken" when its name or id exists, NotFound when its project is unknown.
func (s *Store) CreateHostname(ctx context.Context, h anchor.Hostname) error {
	h.Revision = 1
	it, err := hostnameItem(h)
	if err != nil {
		return err
	}
	return s.writeTransaction(ctx, "attach the domain",
		change{at: s.t.hostName(h.Name), put: item{idAttr: stringValue(h.ID)}, when: notThere, refused: refuseWith(records.DomainTaken(h.Name))},
		change{at: s.t.hostKey(h.ID), set: it, when: notThere, refused: refuseWith(records.IDTaken("domain", string(h.ID)))},
		s.ownerCondition(h.ProjectID),
		change{at: s.t.hostOf(h.ProjectID, h.ID), put: item{}},
	)
}

// UpdateHostname writes h if the stored revision is h's, and returns it with the next revision.
// It returns a Conflict "domain_changed" when the revision differs, and NotFound when its id and
// name do not exist or its project is unknown. Durable on return.
func (s *Store) UpdateHostname(ctx context.Context, h anchor.Hostname) (anchor.Hostname, error) {
	const what = "update the domain"
	next := h
	next.Revision++
	it, err := hostnameItem(next)
	if err != nil {
		return anchor.Hostname{}, err
	}
	var was anchor.ProjectID
	err = s.writeTransaction(ctx, what, s.writeHostname(h, h.ProjectID, it, &was))
	if errors.Is(err, errElsewhere) {
		err = s.writeTransaction(ctx, what,
			s.writeHostname(h, was, it, &was),
			s.ownerCondition(h.ProjectID),
			change{at: s.t.hostOf(was, h.ID), delete: true},
			change{at: s.t.hostOf(h.ProjectID, h.ID), put: item{}},
		)
	}
	if err != nil {
		return anchor.Hostname{}, err
	}
	return next, nil
}

// writeHostname replaces h, which must belong to owner. When it belongs to another project, the
// error is errElsewhere, and that project is stored in was.
func (s *Store) writeHostname(h anchor.Hostname, owner anchor.ProjectID, it item, was *anchor.ProjectID) change {
	return change{
		at: s.t.hostKey(h.ID), set: it,
		when:   "#record.#domain = :name AND #revision = :revision AND #record.#projectId = :p",
		values: item{":name": stringValue(h.Name), ":revision": numberValue(h.Revision), ":p": stringValue(owner)},
		refused: func(stored item) error {
			have := mapOf(stored, recordAttr)
			switch {
			case strOf(have, "domain") != h.Name:
				return records.NoHostname(h.Name)
			case numOf(stored, revisionAttr) != h.Revision:
				return records.DomainChanged(h.Name, numOf(stored, revisionAttr), h.Revision)
			}
			*was = anchor.ProjectID(strOf(have, "projectId"))
			return errElsewhere
		},
	}
}

// DeleteHostname removes a hostname, durable on return. It succeeds when the hostname does not
// exist.
func (s *Store) DeleteHostname(ctx context.Context, id anchor.HostnameID) error {
	const what = "remove the domain"
	for turn := (pause{what: what}); ; {
		h, err := s.Hostname(ctx, id)
		if errors.Is(err, anchor.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if err = s.deleteHostname(ctx, what, h); !errors.Is(err, errElsewhere) {
			return err
		}
		if err := turn.wait(ctx, err); err != nil {
			return err
		}
	}
}

// deleteHostname removes a hostname if it still belongs to the project; otherwise the error is
// errElsewhere.
func (s *Store) deleteHostname(ctx context.Context, what string, h anchor.Hostname) error {
	return s.writeTransaction(ctx, what,
		change{at: s.t.hostKey(h.ID), delete: true, when: "#record.#projectId = :p", values: item{":p": stringValue(h.ProjectID)},
			refused: refuseWith(errElsewhere)},
		change{at: s.t.hostName(h.Name), delete: true},
		change{at: s.t.hostOf(h.ProjectID, h.ID), delete: true},
	)
}

// deleteHostnames removes the project's hostnames, except those that move to another project
// meanwhile.
func (s *Store) deleteHostnames(ctx context.Context, what string, p anchor.ProjectID) error {
	all, err := s.loadHostnames(ctx, what, withPrefix(s.t.Domains, ofProject(p), hostPrefix))
	if err != nil {
		return err
	}
	for _, h := range all {
		if h.ProjectID != p {
			continue
		}
		if err := s.deleteHostname(ctx, what, h); err != nil && !errors.Is(err, errElsewhere) {
			return err
		}
	}
	return nil
}

// Hostname returns one hostname or NotFound.
func (s *Store) Hostname(ctx context.Context, id anchor.HostnameID) (anchor.Hostname, error) {
	return s.getHostname(ctx, id, string(id))
}

func (s *Store) getHostname(ctx context.Context, id anchor.HostnameID, idOrName string) (anchor.Hostname, error) {
	it, err := s.getItem(ctx, "read the domain", s.t.hostKey(id))
	switch {
	case err != nil:
		return anchor.Hostname{}, err
	case it == nil:
		return anchor.Hostname{}, records.NoHostname(idOrName)
	}
	return readHostname(it)
}

// HostnameByName returns one hostname or NotFound.
func (s *Store) HostnameByName(ctx context.Context, name string) (anchor.Hostname, error) {
	it, err := s.getItem(ctx, "read the domain", s.t.hostName(name))
	switch {
	case err != nil:
		return anchor.Hostname{}, err
	case it == nil:
		return anchor.Hostname{}, records.NoHostname(name)
	}
	return s.getHostname(ctx, anchor.HostnameID(strOf(it, idAttr)), name)
}

// Hostnames lists the project's hostnames, or all when p is "", newest first; Invalid for a
// malformed cursor.
func (s *Store) Hostnames(ctx context.Context, p anchor.ProjectID, page anchor.Page) (anchor.List[anchor.Hostname], error) {
	const what = "list the domains"
	partition := allHosts
	if p != "" {
		partition = ofProject(p)
	}
	entries, err := s.queryPage(ctx, what, s.t.Domains, partition, hostPrefix, page)
	if err != nil {
		return anchor.List[anchor.Hostname]{}, err
	}
	list := records.Cut(entries, page, keySuffix)
	items := list.Items
	if p != "" {
		if items, err = s.loadHosts(ctx, what, items); err != nil {
			return anchor.List[anchor.Hostname]{}, err
		}
	}
	rows, err := decodeRecords(items, readHostname)
	return anchor.List[anchor.Hostname]{Items: rows, Next: list.Next}, err
}

// loadHosts reads the hostnames that the items name.
func (s *Store) loadHosts(ctx context.Context, what string, entries []item) ([]item, error) {
	at := make([]address, 0, len(entries))
	for _, e := range entries {
		at = append(at, s.t.hostKey(anchor.HostnameID(keySuffix(e))))
	}
	return s.loadItems(ctx, what, at)
}

// loadHostnames reads the hostnames that the items of a span name.
func (s *Store) loadHostnames(ctx context.Context, what string, q span) ([]anchor.Hostname, error) {
	entries, err := s.queryAll(ctx, what, q)
	if err != nil {
		return nil, err
	}
	items, err := s.loadHosts(ctx, what, entries)
	if err != nil {
		return nil, err
	}
	return decodeRecords(items, readHostname)
}

// DueHostnames returns at most limit hostnames with 0 < NextCheck <= at, the longest due first.
// The index that it reads may be some seconds behind: a hostname that just became due is returned
// by a later call. Each returned hostname is as it is stored now.
func (s *Store) DueHostnames(ctx context.Context, at int64, limit int) ([]anchor.Hostname, error) {
	if limit <= 0 {
		return []anchor.Hostname{}, ctx.Err()
	}
	all, err := s.loadHostnames(ctx, "list the domains that are due", span{
		table: s.t.Domains, index: true, pk: "DUE", from: sortableNumber(0), to: sortableNumber(max(at, 0)) + "~", limit: limit,
	})
	all = slices.DeleteFunc(all, func(h anchor.Hostname) bool { return h.NextCheck <= 0 || h.NextCheck > at })
	slices.SortFunc(all, func(a, b anchor.Hostname) int {
		return cmp.Or(cmp.Compare(a.NextCheck, b.NextCheck), cmp.Compare(a.ID, b.ID))
	})
	return all, err
}
