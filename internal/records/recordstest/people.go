package recordstest

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// PeopleStore is the records of platforms on which people sign in.
type PeopleStore interface {
	Tokens
	UsedToken(ctx context.Context, id string, at int64) error
	People(ctx context.Context) ([]anchor.Person, error)
	ChangePeople(ctx context.Context, change func([]anchor.Person) ([]anchor.Person, error)) error
	CreateSession(ctx context.Context, s anchor.Session) error
	SessionByHash(ctx context.Context, hash []byte) (anchor.Session, anchor.Person, error)
	SessionByID(ctx context.Context, id string) (anchor.Session, anchor.Person, error)
	Sessions(ctx context.Context, person string) ([]anchor.Session, error)
	SeenSession(ctx context.Context, id string, at int64) error
	RemoveSession(ctx context.Context, person, id string) error
	CreateLink(ctx context.Context, l anchor.SignInLink) error
	LinkByHash(ctx context.Context, hash []byte) (anchor.SignInLink, anchor.Person, error)
	TakeLink(ctx context.Context, id string) error
	Credentials(ctx context.Context, person string) (string, error)
	PutCredentials(ctx context.Context, person, from, to string) error
	AppendAudit(ctx context.Context, e anchor.AuditEntry) error
	Audit(ctx context.Context, f anchor.AuditFilter) ([]anchor.AuditEntry, error)
}

// RunPeople checks the implementation that open returns against the ports of package access.
func RunPeople(t *testing.T, open func(t *testing.T) PeopleStore) {
	for name, run := range map[string]func(peopleBench){
		"people": testPeople, "sessions": testSessions, "links": testLinks, "credentials": testCredentials,
		"audit": testAudit, "uses of tokens": testUses,
	} {
		t.Run(name, func(t *testing.T) { run(peopleBench{bench{T: t, ctx: t.Context()}, open(t)}) })
	}
}

type peopleBench struct {
	bench
	p PeopleStore
}

func (b peopleBench) add(name string) anchor.Person {
	b.Helper()
	p := anchor.Person{ID: anchor.NewID(), Name: name, Role: anchor.RoleViewer, CreatedAt: 1}
	b.ok(b.p.ChangePeople(b.ctx, func(all []anchor.Person) ([]anchor.Person, error) { return append(all, p), nil }))
	return p
}

func testPeople(b peopleBench) {
	b.same(must(b.p.People(b.ctx))(b.bench), []anchor.Person{})
	ada, eve := b.add("Ada"), b.add("Eve")
	b.same(must(b.p.People(b.ctx))(b.bench), []anchor.Person{ada, eve})
	taken := b.p.ChangePeople(b.ctx, func(all []anchor.Person) ([]anchor.Person, error) {
		all[0].Role, all[1].Name = anchor.RoleOwner, "Ada"
		return all, nil
	})
	b.is(taken, anchor.KindConflict, "name_taken")
	refused := errors.New("refused")
	if err := b.p.ChangePeople(b.ctx, func([]anchor.Person) ([]anchor.Person, error) { return nil, refused }); !errors.Is(err, refused) {
		b.Errorf("the error is %v", err)
	}
	b.same(must(b.p.People(b.ctx))(b.bench), []anchor.Person{ada, eve})
	tom := b.add("Tom")
	b.ok(b.p.ChangePeople(b.ctx, func(all []anchor.Person) ([]anchor.Person, error) { return slices.Delete(all, 1, 2), nil })) // in place
	b.same(must(b.p.People(b.ctx))(b.bench), []anchor.Person{ada, tom})
	eve.Name, eve.Projects = "Ada", map[anchor.ProjectID]anchor.Role{"p": anchor.RoleAdmin}
	b.ok(b.p.ChangePeople(b.ctx, func([]anchor.Person) ([]anchor.Person, error) { return []anchor.Person{eve}, nil }))
	b.same(must(b.p.People(b.ctx))(b.bench), []anchor.Person{eve})
}

func testSessions(b peopleBench) {
	ada, eve := b.add("Ada"), b.add("Eve")
	one := anchor.Session{ID: anchor.NewID(), PersonID: ada.ID, Hash: []byte("1"), CreatedAt: 5, SeenAt: 5, ExpiresAt: 10, From: "192.0.2.1", Agent: "x"}
	b.ok(b.p.CreateSession(b.ctx, one))
	b.is(b.p.CreateSession(b.ctx, anchor.Session{ID: anchor.NewID(), PersonID: ada.ID, Hash: []byte("1"), ExpiresAt: 10}), anchor.KindConflict, "id_taken")
	b.is(b.p.CreateSession(b.ctx, anchor.Session{ID: anchor.NewID(), PersonID: "nobody", Hash: []byte("2")}), anchor.KindNotFound, "unknown_person")
	got, p, err := b.p.SessionByHash(b.ctx, []byte("1"))
	b.ok(err)
	b.same(got, one)
	b.same(p, ada)
	got, p, err = b.p.SessionByID(b.ctx, one.ID)
	b.ok(err)
	b.same(got, one)
	b.same(p, ada)
	_, _, err = b.p.SessionByID(b.ctx, "unknown")
	b.is(err, anchor.KindNotFound, "unknown_session")
	_, _, err = b.p.SessionByHash(b.ctx, []byte("11"))
	b.is(err, anchor.KindNotFound, "unknown_session")
	b.ok(b.p.SeenSession(b.ctx, one.ID, 8))
	b.ok(b.p.SeenSession(b.ctx, one.ID, 7))
	b.ok(b.p.SeenSession(b.ctx, "unknown", 7))
	one.SeenAt = 8
	b.same(must(b.p.Sessions(b.ctx, ada.ID))(b.bench), []anchor.Session{one})
	later := anchor.Session{ID: anchor.NewID(), PersonID: ada.ID, Hash: []byte("2"), CreatedAt: 10, SeenAt: 10, ExpiresAt: 20}
	b.ok(b.p.CreateSession(b.ctx, later)) // the first has expired
	b.same(must(b.p.Sessions(b.ctx, ada.ID))(b.bench), []anchor.Session{later})
	b.is(b.p.RemoveSession(b.ctx, eve.ID, later.ID), anchor.KindNotFound, "unknown_session")
	b.ok(b.p.RemoveSession(b.ctx, ada.ID, later.ID))
	b.same(must(b.p.Sessions(b.ctx, ada.ID))(b.bench), []anchor.Session{})

	b.ok(b.p.CreateSession(b.ctx, later))
	b.ok(b.p.ChangePeople(b.ctx, func([]anchor.Person) ([]anchor.Person, error) { return []anchor.Person{eve}, nil }))
	_, _, err = b.p.SessionByHash(b.ctx, later.Hash)
	b.is(err, anchor.KindNotFound, "unknown_session")
}

func testLinks(b peopleBench) {
	ada := b.add("Ada")
	link := anchor.SignInLink{ID: anchor.NewID(), PersonID: ada.ID, Hash: []byte("1"), CreatedAt: 5, ExpiresAt: 10}
	b.ok(b.p.CreateLink(b.ctx, link))
	b.is(b.p.CreateLink(b.ctx, anchor.SignInLink{ID: anchor.NewID(), PersonID: "nobody", Hash: []byte("2")}), anchor.KindNotFound, "unknown_person")
	got, p, err := b.p.LinkByHash(b.ctx, []byte("1"))
	b.ok(err)
	b.same(got, link)
	b.same(p, ada)
	b.ok(b.p.TakeLink(b.ctx, link.ID))
	b.is(b.p.TakeLink(b.ctx, link.ID), anchor.KindNotFound, "unknown_link")
	_, _, err = b.p.LinkByHash(b.ctx, []byte("1"))
	b.is(err, anchor.KindNotFound, "unknown_link")
	b.ok(b.p.CreateLink(b.ctx, link))
	b.ok(b.p.CreateLink(b.ctx, anchor.SignInLink{ID: anchor.NewID(), PersonID: ada.ID, Hash: []byte("2"), CreatedAt: 10, ExpiresAt: 20}))
	b.is(b.p.TakeLink(b.ctx, link.ID), anchor.KindNotFound, "unknown_link") // it has expired
}

func testCredentials(b peopleBench) {
	ada := b.add("Ada")
	b.same(must(b.p.Credentials(b.ctx, ada.ID))(b.bench), "")
	b.ok(b.p.PutCredentials(b.ctx, ada.ID, "", "one"))
	b.is(b.p.PutCredentials(b.ctx, ada.ID, "", "two"), anchor.KindConflict, "credentials_changed")
	b.ok(b.p.ChangePeople(b.ctx, func(all []anchor.Person) ([]anchor.Person, error) { all[0].Role = anchor.RoleAdmin; return all, nil }))
	b.same(must(b.p.Credentials(b.ctx, ada.ID))(b.bench), "one")
	b.is(b.p.PutCredentials(b.ctx, "nobody", "", "two"), anchor.KindNotFound, "unknown_person")
	_, err := b.p.Credentials(b.ctx, "nobody")
	b.is(err, anchor.KindNotFound, "unknown_person")
}

func testAudit(b peopleBench) {
	all := anchor.AuditFilter{Limit: 10}
	b.same(must(b.p.Audit(b.ctx, all))(b.bench), []anchor.AuditEntry{})
	var whole anchor.AuditEntry
	fill(&whole)
	whole.Seq = 1
	entries := []anchor.AuditEntry{whole, {Seq: 2, ProjectID: "p", Actor: "Ada", ActorID: "1"}, {Seq: 3, ProjectID: "q", Actor: "Ada", ActorID: "1"}}
	for _, e := range entries {
		b.ok(b.p.AppendAudit(b.ctx, e))
	}
	for _, c := range []struct {
		filter anchor.AuditFilter
		want   []anchor.AuditEntry
	}{
		{all, []anchor.AuditEntry{entries[2], entries[1], entries[0]}},
		{anchor.AuditFilter{Limit: 1}, entries[2:]},
		{anchor.AuditFilter{Limit: 10, Before: 3, Actor: "Ada"}, entries[1:2]},
		{anchor.AuditFilter{Limit: 10, Actor: "1", ProjectID: "q"}, entries[2:]},
		{anchor.AuditFilter{Limit: 10, Actor: "nobody"}, []anchor.AuditEntry{}},
	} {
		b.same(must(b.p.Audit(b.ctx, c.filter))(b.bench), c.want)
	}
}

func testUses(b peopleBench) {
	t := anchor.Token{ID: anchor.NewID(), Name: "ci", Scope: anchor.ScopeRead, Hash: []byte("1"), CreatedAt: 1}
	b.ok(b.p.CreateToken(b.ctx, t))
	b.ok(b.p.UsedToken(b.ctx, t.ID, 9))
	b.ok(b.p.UsedToken(b.ctx, t.ID, 7))
	b.ok(b.p.UsedToken(b.ctx, "unknown", 7))
	t.LastUsedAt = 9
	b.same(must(b.p.TokenByHash(b.ctx, t.Hash))(b.bench), t)
}
