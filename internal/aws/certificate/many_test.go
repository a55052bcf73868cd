//go:build slow

package certificate_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/domains"
)

// What a domain may cost in calls to AWS, however many there are.
const (
	manyNames       = 1000
	callsToAttach   = 14 // from the request to the active name
	callsPerLook    = 3  // the certificate, the connection group, the tenant
	looksPerQuarter = 1  // of a day: a name that is well is looked at every twelve hours
	callsToFollow   = 8  // a deploy, with any number of domains
)

// TestManyNames_OnAWS attaches 1,000 names to one project and counts calls: the last hundred names may not
// cost more than the first, a deploy not more than with few, and idle time the same for each name.
func TestManyNames_OnAWS(t *testing.T) {
	s := newStand(t)
	process := s.process()
	service := s.service(process)
	count := func(do func()) int {
		calls := s.cloud.Wire.Record()
		do()
		return len(calls())
	}
	attach := func(from, to int) int {
		return count(func() {
			for i := from; i < to; i++ {
				v, err := service.Add(t.Context(), s.shop.ID, domains.Request{Domain: fmt.Sprintf("n%04d.example.com", i)})
				s.ok(err)
				s.zone.set(append(v.Records, v.Target...)...)
			}
			for range 100 {
				s.clock = s.clock.Add(time.Minute)
				if service.Reconcile(t.Context()); s.isActive(from, to) {
					return
				}
			}
			t.Fatalf("the names %d to %d are not active", from, to)
		})
	}
	first := attach(0, 100)
	attach(100, manyNames-100)
	last := attach(manyNames-100, manyNames)
	t.Logf("the first hundred names take %d calls, the last %d", first, last)
	if first > 100*callsToAttach || last > 100*callsToAttach {
		t.Errorf("a name takes more than %d calls", callsToAttach)
	}
	// With a page of the tenants, and no more.
	follow := count(func() { s.ok(process.Follow(t.Context(), s.shop)) })
	if follow > callsToFollow {
		t.Errorf("a deploy takes %d calls, want at most %d", follow, callsToFollow)
	}
	quarter := count(func() {
		for end := s.clock.Add(6 * time.Hour); s.clock.Before(end); {
			s.clock = s.clock.Add(15 * time.Minute)
			service.Reconcile(t.Context())
		}
	})
	t.Logf("a deploy takes %d calls, an idle quarter of a day %d", follow, quarter)
	if quarter > manyNames*callsPerLook*looksPerQuarter {
		t.Errorf("an idle quarter of a day takes %d calls", quarter)
	}
	removed := count(func() {
		s.ok(service.Remove(t.Context(), s.shop.ID, "n0500.example.com"))
		for range 5 {
			s.clock = s.clock.Add(time.Minute)
			service.Reconcile(t.Context())
		}
	})
	t.Logf("a removal takes %d calls, with the looks of five minutes", removed)
	if list, err := service.List(t.Context(), s.shop.ID, anchor.Page{Limit: anchor.MaxPage}); err != nil || len(list.Items) != anchor.MaxPage || list.Next == "" {
		t.Errorf("a page of them has %d names, %v", len(list.Items), err)
	}
}

// isActive reports whether the names are served.
func (s *stand) isActive(from, to int) bool {
	for i := from; i < to; i++ {
		h, err := s.store.HostnameByName(s.t.Context(), fmt.Sprintf("n%04d.example.com", i))
		s.ok(err)
		if h.Status != anchor.HostActive {
			return false
		}
	}
	return true
}
