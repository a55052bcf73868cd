package domains_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/domains"
)

var errKilled = errors.New("killed")

// kill makes the process die at its n-th call from now, before the call or after it took
// effect: no later call has an effect. It returns whether the process died.
func (w *world) kill(n int, after bool) (died func() bool) {
	calls := 0
	w.setFault(func(string) (bool, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		calls++
		if calls < n {
			return false, nil
		}
		return calls == n && after, errKilled
	})
	return func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return calls >= n
	}
}

// recover starts a new process and lets it work until nothing changes any more.
func (w *world) recover() *domains.Service {
	w.Helper()
	w.setFault(nil)
	clear(w.edge.routes) // as where the edge is part of the process
	s := w.start()
	w.ok(s.Restore(context.Background()))
	for range 12 {
		s.Reconcile(context.Background())
		w.sleep(time.Minute)
	}
	return s
}

// whole fails the test unless records, certificates and routes agree.
func (w *world) whole(names ...string) {
	w.Helper()
	for _, name := range names {
		h, found := w.stored(name)
		p, attached := w.edge.route(name)
		switch {
		case found && (h.Status != anchor.HostActive || !attached || p != h.ProjectID || !w.ca.has(name)):
			w.Errorf("%s is %s of %s (%s), route %v %q, certificate %v", name, h.Status, h.ProjectID, h.Problem, attached, p, w.ca.has(name))
		case !found && (attached || w.ca.has(name)):
			w.Errorf("%s is gone, but route %v, certificate %v", name, attached, w.ca.has(name))
		}
	}
}

// story is something a process does, and may die at any point of.
type story struct {
	before []string // names that are active before
	do     func(context.Context, *domains.Service)
	orders int // the most there may be of it
}

var stories = map[string]story{
	"add": {
		do:     func(ctx context.Context, s *domains.Service) { _, _ = s.Add(ctx, "one", add("a.example.com")) },
		orders: 1,
	},
	"add with a companion": {
		do: func(ctx context.Context, s *domains.Service) {
			_, _ = s.Add(ctx, "one", domains.Request{Domain: "example.com", WWW: true})
		},
		orders: 2,
	},
	"remove": {
		before: []string{"a.example.com"},
		do:     func(ctx context.Context, s *domains.Service) { _ = s.Remove(ctx, "one", "a.example.com") },
	},
	"move": {
		before: []string{"a.example.com"},
		do:     func(ctx context.Context, s *domains.Service) { _, _ = s.Move(ctx, "one", "a.example.com", "two") },
	},
	"remove all": {
		before: []string{"a.example.com", "www.example.com"},
		do:     func(ctx context.Context, s *domains.Service) { _ = s.RemoveAll(ctx, "one") },
	},
	"check": {
		before: []string{"a.example.com"},
		do:     func(ctx context.Context, s *domains.Service) { _, _ = s.Check(ctx, "one", "a.example.com") },
	},
}

// bystander is settled with a name of the other project, which nothing may disturb.
func bystander(t *testing.T, before []string) (*world, *domains.Service) {
	w, s := settled(t, before...)
	w.dns.set(here("bystander.example.net"))
	_, err := s.Add(t.Context(), "two", add("bystander.example.net"))
	w.ok(err)
	s.Reconcile(t.Context())
	return w, s
}

// Whatever call a process dies at, the next one makes everything whole, without a
// second order and without a word from the user.
func TestService_KilledAtEachCall(t *testing.T) {
	names := []string{"example.com", "www.example.com", "a.example.com", "bystander.example.net"}
	for name, story := range stories {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, after the effect %v", name, after), func(t *testing.T) {
				n, died := 0, true
				for died {
					n++
					w, s := bystander(t, story.before)
					w.dns.set(here("a.example.com"), here("example.com"), here("www.example.com"))
					w.ca.orders = 0
					dead := w.kill(n, after)
					story.do(t.Context(), s)
					s.Reconcile(t.Context())
					died = dead()
					w.recover()
					w.whole(names...)
					w.must("bystander.example.net", anchor.HostActive)
					if w.ca.ordered() > story.orders {
						t.Errorf("%d orders, want %d at most", w.ca.ordered(), story.orders)
					}
					if t.Failed() {
						t.Fatalf("killed at call %d", n)
					}
				}
				if n < 4 {
					t.Errorf("the story has %d calls only", n-1)
				}
			})
		}
	}
}

// A restart does not wait until the claim of the process before it runs out.
func TestService_Restore_ContinuesKilledCheck(t *testing.T) {
	w, s := settled(t)
	w.dns.set(here("a.example.com"))
	_, err := s.Add(t.Context(), "one", add("a.example.com"))
	w.ok(err)
	dead := false
	w.setFault(func(op string) (bool, error) {
		if dead = dead || op == "Ensure"; dead {
			return op == "Ensure", errKilled
		}
		return false, nil
	})
	s.Reconcile(t.Context())
	w.must("a.example.com", anchor.HostIssuing)
	s = w.start()
	w.ok(s.Restore(t.Context()))
	s.Reconcile(t.Context())
	w.must("a.example.com", anchor.HostActive)
}

// Each call fails once, as when the network does, and the process lives on.
func TestService_OneCallFails(t *testing.T) {
	for name, story := range stories {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, after the effect %v", name, after), func(t *testing.T) {
				for n, failed := 1, true; failed; n++ {
					w, s := bystander(t, story.before)
					w.dns.set(here("a.example.com"), here("example.com"), here("www.example.com"))
					calls := 0
					w.setFault(func(string) (bool, error) {
						w.mu.Lock()
						defer w.mu.Unlock()
						if calls++; calls == n {
							return after, errors.New("the network is down")
						}
						return false, nil
					})
					story.do(t.Context(), s)
					for range 12 {
						s.Reconcile(t.Context())
						w.sleep(time.Minute)
					}
					w.setFault(nil)
					failed = calls >= n
					w.whole("example.com", "www.example.com", "a.example.com", "bystander.example.net")
					w.must("bystander.example.net", anchor.HostActive)
					if t.Failed() {
						t.Fatalf("call %d failed", n)
					}
				}
			})
		}
	}
}

// A certificate that did not arrive with its name is requested in plain words.
func TestService_Add_KilledDuringImport(t *testing.T) {
	for _, op := range []string{"Import", "UpdateHostname"} {
		w, s := settled(t)
		w.dns.set(here("a.example.com"))
		dead := false
		w.setFault(func(at string) (bool, error) {
			dead = dead || at == op
			if dead {
				return false, errKilled
			}
			return false, nil
		})
		own := domains.Request{Domain: "a.example.com", Chain: []byte("valid for 8760h"), Key: []byte("key")}
		_, err := s.Add(t.Context(), "one", own)
		if !errors.Is(err, errKilled) {
			t.Errorf("error %v", err)
		}
		s = w.recover()
		if h := w.must("a.example.com", anchor.HostFailed); h.Problem == "" || w.ca.ordered() != 0 {
			t.Errorf("problem %q, %d orders", h.Problem, w.ca.ordered())
		}
		_, err = s.Add(t.Context(), "one", own)
		w.ok(err)
		s.Reconcile(t.Context())
		w.must("a.example.com", anchor.HostActive)
	}
}
