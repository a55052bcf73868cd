package recordstest

import (
	"fmt"
	"slices"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// hostname attaches a name and returns it as it is stored.
func (b bench) hostname(p anchor.ProjectID, name string) anchor.Hostname {
	b.Helper()
	h := anchor.Hostname{
		ID: anchor.HostnameID(anchor.NewID()), ProjectID: p, Name: name, Status: anchor.HostPending, CreatedAt: now(),
	}
	b.ok(b.s.CreateHostname(b.ctx, h))
	h.Revision = 1
	return h
}

func hostnameKey(h anchor.Hostname) string { return string(h.ID) }

var hostnameTests = []test{
	{"come back whole", func(b bench) {
		var h anchor.Hostname
		fill(&h)
		h.ID, h.ProjectID = anchor.HostnameID(anchor.NewID()), b.project("shop").ID
		b.ok(b.s.CreateHostname(b.ctx, h))
		h.Revision = 1
		b.same(must(b.s.Hostname(b.ctx, h.ID))(b), h)
		b.same(must(b.s.HostnameByName(b.ctx, h.Name))(b), h)
		b.same(must(b.s.Hostnames(b.ctx, h.ProjectID, anchor.Page{}))(b).Items, []anchor.Hostname{h})
		b.same(must(b.s.DueHostnames(b.ctx, h.NextCheck, 1))(b), []anchor.Hostname{h})

		h.Problem, h.DNSValidation, h.Challenge = "other", nil, ""
		got := must(b.s.UpdateHostname(b.ctx, h))(b)
		h.Revision = 2
		b.same(got, h)
		b.same(must(b.s.Hostname(b.ctx, h.ID))(b), h)
	}},
	{"are the store's own copies", func(b bench) {
		h := anchor.Hostname{ID: anchor.HostnameID(anchor.NewID()), ProjectID: b.project("shop").ID, Name: "a.example",
			DNSValidation: &anchor.DNSRecord{Value: "1"}}
		b.ok(b.s.CreateHostname(b.ctx, h))
		h.DNSValidation.Value = "changed after"
		got := must(b.s.Hostname(b.ctx, h.ID))(b)
		b.same(got.DNSValidation.Value, "1")
		got.DNSValidation.Value = "changed in the answer"
		b.same(must(b.s.Hostname(b.ctx, h.ID))(b).DNSValidation.Value, "1")
	}},
	{"have a name of their own over all projects", func(b bench) {
		one, two := b.project("one").ID, b.project("two").ID
		h := b.hostname(one, "www.example.com")
		for _, p := range []anchor.ProjectID{one, two} {
			second := anchor.Hostname{ID: anchor.HostnameID(anchor.NewID()), ProjectID: p, Name: h.Name}
			b.is(b.s.CreateHostname(b.ctx, second), anchor.KindConflict, "domain_taken")
			_, err := b.s.Hostname(b.ctx, second.ID)
			b.is(err, anchor.KindNotFound, "unknown_domain")
		}
		b.is(b.s.CreateHostname(b.ctx, anchor.Hostname{ID: h.ID, ProjectID: two, Name: "other.example.com"}), anchor.KindConflict, "id_taken")
		b.same(must(b.s.HostnameByName(b.ctx, h.Name))(b), h)
		_, err := b.s.HostnameByName(b.ctx, "other.example.com")
		b.is(err, anchor.KindNotFound, "unknown_domain")
	}},
	{"go to one of many who race for a name", func(b bench) {
		projects := []anchor.ProjectID{b.project("one").ID, b.project("two").ID}
		won := b.race(20, func(i int) error {
			return b.s.CreateHostname(b.ctx, anchor.Hostname{
				ID: anchor.HostnameID(anchor.NewID()), ProjectID: projects[i%2], Name: "www.example.com",
			})
		})
		b.same(won, 1)
		b.same(len(must(b.s.Hostnames(b.ctx, "", anchor.Page{}))(b).Items), 1)
	}},
	{"are updated by one of many who race for it", func(b bench) {
		h := b.hostname(b.project("shop").ID, "www.example.com")
		won := b.race(20, func(i int) error {
			mine := h
			mine.Problem = fmt.Sprint(i)
			_, err := b.s.UpdateHostname(b.ctx, mine)
			return err
		})
		b.same(won, 1)
		b.same(must(b.s.Hostname(b.ctx, h.ID))(b).Revision, int64(2))
	}},
	{"are written at the revision they have and no other", func(b bench) {
		h := b.hostname(b.project("shop").ID, "www.example.com")
		stale := h
		h.Problem = "first"
		h = must(b.s.UpdateHostname(b.ctx, h))(b)
		for _, revision := range []int64{stale.Revision, 0, h.Revision + 1} {
			stale.Revision = revision
			_, err := b.s.UpdateHostname(b.ctx, stale)
			b.is(err, anchor.KindConflict, "domain_changed")
		}
		b.same(must(b.s.Hostname(b.ctx, h.ID))(b), h)
	}},
	{"move between projects", func(b bench) {
		one, two := b.project("one").ID, b.project("two").ID
		h := b.hostname(one, "www.example.com")
		h.ProjectID = two
		h = must(b.s.UpdateHostname(b.ctx, h))(b)
		b.same(must(b.s.Hostnames(b.ctx, one, anchor.Page{}))(b).Items, []anchor.Hostname{})
		b.same(must(b.s.Hostnames(b.ctx, two, anchor.Page{}))(b).Items, []anchor.Hostname{h})
		lost := h
		lost.ProjectID = "unknown"
		_, err := b.s.UpdateHostname(b.ctx, lost)
		b.is(err, anchor.KindNotFound, "unknown_project")
		b.ok(b.s.DeleteProject(b.ctx, one))
		b.same(must(b.s.Hostname(b.ctx, h.ID))(b), h)
	}},
	{"are not found when unknown", func(b bench) {
		h := b.hostname(b.project("shop").ID, "www.example.com")
		other := h
		other.Name = "other.example.com"
		_, err := b.s.UpdateHostname(b.ctx, other)
		b.is(err, anchor.KindNotFound, "unknown_domain")
		other.ID = anchor.HostnameID(anchor.NewID())
		_, err = b.s.UpdateHostname(b.ctx, other)
		b.is(err, anchor.KindNotFound, "unknown_domain")
		other.ProjectID = "unknown"
		b.is(b.s.CreateHostname(b.ctx, other), anchor.KindNotFound, "unknown_project")
		b.same(must(b.s.Hostnames(b.ctx, "unknown", anchor.Page{}))(b), anchor.List[anchor.Hostname]{Items: []anchor.Hostname{}})
	}},
	{"leave their name to the next", func(b bench) {
		p := b.project("shop").ID
		h := b.hostname(p, "www.example.com")
		for range 2 {
			b.ok(b.s.DeleteHostname(b.ctx, h.ID))
		}
		_, err := b.s.HostnameByName(b.ctx, h.Name)
		b.is(err, anchor.KindNotFound, "unknown_domain")
		b.hostname(p, h.Name)
		b.ok(b.s.DeleteProject(b.ctx, p))
		b.hostname(b.project("next").ID, h.Name)
	}},
	{"are listed newest first, page by page", func(b bench) {
		one, two := b.project("one").ID, b.project("two").ID
		var ones, all []string
		for i := range 7 {
			h := b.hostname(one, fmt.Sprintf("a%d.example.com", i))
			ones = append(ones, string(h.ID))
			all = append(all, string(h.ID), string(b.hostname(two, fmt.Sprintf("b%d.example.com", i)).ID))
		}
		slices.Reverse(ones)
		slices.Reverse(all)
		for p, want := range map[anchor.ProjectID][]string{one: ones, "": all} {
			got := b.pages(3, func(page anchor.Page) ([]string, string) {
				list := must(b.s.Hostnames(b.ctx, p, page))(b)
				b.hostname(two, anchor.NewID()+".example.com")
				return keys(list.Items, hostnameKey), list.Next
			})
			b.same(got[len(got)-len(want):], want)
		}
		_, err := b.s.Hostnames(b.ctx, one, anchor.Page{Cursor: "nonsense"})
		b.is(err, anchor.KindInvalid, "bad_cursor")
	}},
	{"are due by the time they name", func(b bench) {
		p := b.project("shop").ID
		at := func(name string, check int64) string {
			h := b.hostname(p, name)
			h.NextCheck = check
			return string(must(b.s.UpdateHostname(b.ctx, h))(b).ID)
		}
		never, late, early, later := at("never.example", 0), at("late.example", 30), at("early.example", 20), at("later.example", 40)
		due := func(at int64, limit int) []string {
			return keys(must(b.s.DueHostnames(b.ctx, at, limit))(b), hostnameKey)
		}
		b.same(due(19, 10), []string(nil))
		b.same(due(20, 10), []string{early})
		b.same(due(1<<60, 10), []string{early, late, later})
		b.same(due(1<<60, 2), []string{early, late})
		b.same(slices.Contains(due(1<<60, 10), never), false)
		b.ok(b.s.DeleteHostname(b.ctx, anchor.HostnameID(early)))
		b.same(due(30, 10), []string{late})
	}},
}
