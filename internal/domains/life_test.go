package domains_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/domains"
)

// running returns a process whose reconciler runs until stop, which waits for its end.
func (w *world) running(t *testing.T) (s *domains.Service, stop func()) {
	t.Helper()
	s = w.start()
	ctx, cancel := context.WithCancel(t.Context())
	w.ok(s.Restore(ctx))
	var run sync.WaitGroup
	run.Go(func() { s.Run(ctx) })
	return s, sync.OnceFunc(func() { cancel(); run.Wait() })
}

func add(domain string) domains.Request { return domains.Request{Domain: domain} }

func TestService_WholeLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.ca.life = 60 * time.Hour
		s, stop := w.running(t)
		defer stop()
		v, err := s.Add(t.Context(), "one", add("Shop.Example.com."))
		w.ok(err)
		if v.Name != "shop.example.com" || v.Status != anchor.HostPending || v.IsActive || len(v.Target) != 1 {
			t.Errorf("added %+v", v)
		}
		time.Sleep(time.Minute)
		h := w.must("shop.example.com", anchor.HostPending)
		for _, part := range []string{"shop.example.com needs a A record", "192.0.2.1", "found none", "registrar"} {
			if !strings.Contains(h.Problem, part) {
				t.Errorf("the problem %q does not say %q", h.Problem, part)
			}
		}
		if _, attached := w.edge.route("shop.example.com"); attached || w.ca.ordered() != 0 {
			t.Errorf("before DNS leads here: %d orders, attached %v", w.ca.ordered(), attached)
		}

		w.dns.set(anchor.DNSRecord{Name: "shop.example.com", Type: "A", Value: "203.0.113.9"})
		time.Sleep(time.Minute)
		if h := w.must("shop.example.com", anchor.HostPending); !strings.Contains(h.Problem, "203.0.113.9") {
			t.Errorf("the problem %q does not say what was found", h.Problem)
		}

		w.dns.set(here("shop.example.com"))
		time.Sleep(time.Minute)
		h = w.must("shop.example.com", anchor.HostActive)
		if p, _ := w.edge.route("shop.example.com"); p != "one" || h.Problem != "" || w.ca.ordered() != 1 {
			t.Errorf("active: route %q, problem %q, %d orders", p, h.Problem, w.ca.ordered())
		}

		time.Sleep(10 * 24 * time.Hour)
		h = w.must("shop.example.com", anchor.HostActive)
		if h.NotAfter < time.Now().UnixMilli() || w.ca.ordered() != 1 {
			t.Errorf("after ten days the certificate ends at %v, %d orders", time.UnixMilli(h.NotAfter), w.ca.ordered())
		}

		w.ok(s.Remove(t.Context(), "one", "shop.example.com"))
		if _, found := w.stored("shop.example.com"); found || w.ca.has("shop.example.com") {
			t.Error("something of it stays after the removal")
		}
		if _, found := w.edge.route("shop.example.com"); found {
			t.Error("the edge still answers")
		}
	})
}

func TestService_Restore_Continues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		s, stop := w.running(t)
		_, err := s.Add(t.Context(), "one", add("a.example.com"))
		w.ok(err)
		w.dns.set(here("b.example.com"))
		_, err = s.Add(t.Context(), "two", add("b.example.com"))
		w.ok(err)
		time.Sleep(time.Hour)
		before := w.must("a.example.com", anchor.HostPending)
		for time.Until(time.UnixMilli(before.NextCheck)) < 10*time.Second { // its look may be about to come
			time.Sleep(10 * time.Second)
			before = w.must("a.example.com", anchor.HostPending)
		}
		stop()
		w.edge.routes = map[string]anchor.ProjectID{} // the edge was part of the process

		_, stop = w.running(t)
		defer stop()
		if p, _ := w.edge.route("b.example.com"); p != "two" {
			t.Errorf("after Restore: route %q", p)
		}
		if p, attached := w.edge.route("a.example.com"); attached {
			t.Errorf("after Restore: a name without a certificate has the route %q", p)
		}
		synctest.Wait()
		if after := w.must("a.example.com", anchor.HostPending); after.NextCheck != before.NextCheck || after.Attempts != before.Attempts {
			t.Errorf("the restart forgot the backoff: %+v, before %+v", after, before)
		}
		w.dns.set(here("a.example.com"))
		time.Sleep(time.Until(time.UnixMilli(before.NextCheck)) + time.Minute)
		w.must("a.example.com", anchor.HostActive)
		if w.ca.ordered() != 2 {
			t.Errorf("%d orders for two names", w.ca.ordered())
		}
	})
}

// As after a change of --acme-ca, or the end of --acme-staging: without the start's check the
// names would be checked half a day later.
func TestService_Restore_OtherCA(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.dns.set(here("a.example.com"))
		s, stop := w.running(t)
		_, err := s.Add(t.Context(), "one", add("a.example.com"))
		w.ok(err)
		time.Sleep(time.Hour)
		w.must("a.example.com", anchor.HostActive)
		stop()

		w.ca.answers(&domains.Certificate{Status: anchor.CertPending})
		_, stop = w.running(t)
		defer stop()
		synctest.Wait()
		w.must("a.example.com", anchor.HostIssuing)
		w.ca.answers(nil)
		time.Sleep(time.Minute)
		w.must("a.example.com", anchor.HostActive)
	})
}

func TestService_Run_StoppedDuringCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.dns.set(here("a.example.com"))
		free := w.ca.stuck()
		s, stop := w.running(t)
		_, err := s.Add(t.Context(), "one", add("a.example.com"))
		w.ok(err)
		synctest.Wait()
		stop()
		free()
		s = w.start() // as another process, that does not Restore
		s.Reconcile(t.Context())
		w.must("a.example.com", anchor.HostActive)
	})
}

func TestService_Check_ChecksAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		s, stop := w.running(t)
		defer stop()
		_, err := s.Add(t.Context(), "one", add("a.example.com"))
		w.ok(err)
		time.Sleep(24 * time.Hour)
		w.dns.set(here("a.example.com"))
		v, err := s.Check(t.Context(), "one", "A.example.com")
		w.ok(err)
		if v.Diagnosis == nil || !v.Diagnosis.OK {
			t.Errorf("diagnosis %+v", v.Diagnosis)
		}
		synctest.Wait()
		w.must("a.example.com", anchor.HostActive)
	})
}

// Two processes run the reconciler over the same records: no name is worked on by
// both (the authority fails the test on orders that overlap).
func TestService_Run_TwoProcesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.ca.life = 60 * time.Hour
		var asked atomic.Int32
		w.ca.hang = func(context.Context, string) { asked.Add(1); time.Sleep(30 * time.Second) }
		s, stop := w.running(t)
		defer stop()
		_, stopOther := w.running(t)
		defer stopOther()
		const n = 40
		for i := range n {
			name := fmt.Sprintf("a%d.example.com", i)
			w.dns.set(here(name))
			_, err := s.Add(t.Context(), "one", add(name))
			w.ok(err)
		}
		time.Sleep(5 * time.Minute)
		for i := range n {
			w.must(fmt.Sprintf("a%d.example.com", i), anchor.HostActive)
		}
		if got := asked.Load(); got != n {
			t.Errorf("the authority was asked %d times about %d names", got, n)
		}
		time.Sleep(24 * time.Hour) // some looks at each active name
		if got := asked.Load(); got < 2*n {
			t.Errorf("the authority was asked %d times in a day", got)
		}
	})
}

// A removal by one process while another is at the name's certificate waits for it.
func TestService_Remove_DuringOrderOfAnotherProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.dns.set(here("a.example.com"))
		w.ca.hang = func(context.Context, string) { time.Sleep(30 * time.Second) }
		s, stop := w.running(t)
		defer stop()
		_, err := s.Add(t.Context(), "one", add("a.example.com"))
		w.ok(err)
		synctest.Wait()
		other := w.start()
		w.ok(other.Remove(t.Context(), "one", "a.example.com"))
		w.must("a.example.com", anchor.HostRemoving)
		time.Sleep(5 * time.Minute)
		if _, found := w.stored("a.example.com"); found || w.ca.has("a.example.com") {
			t.Errorf("found %v, certificate %v", found, w.ca.has("a.example.com"))
		}
		if _, attached := w.edge.route("a.example.com"); attached {
			t.Error("the edge answers still")
		}
	})
}

// The records go in the middle of an order: what the order made goes too.
func TestService_Run_ProjectDeletedDuringOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.dns.set(here("a.example.com"))
		w.ca.hang = func(context.Context, string) { time.Sleep(30 * time.Second) }
		s, stop := w.running(t)
		defer stop()
		_, err := s.Add(t.Context(), "one", add("a.example.com"))
		w.ok(err)
		synctest.Wait()
		w.ok(w.store.DeleteProject(t.Context(), "one"))
		time.Sleep(time.Minute)
		if _, attached := w.edge.route("a.example.com"); attached || w.ca.has("a.example.com") {
			t.Errorf("attached %v, certificate %v", attached, w.ca.has("a.example.com"))
		}
	})
}

// One name whose DNS never answers, or whose CA does not, takes its own time only.
func TestService_Run_BrokenNameDelaysNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		hang := func(ctx context.Context, name string) {
			if strings.HasPrefix(name, "broken") {
				<-ctx.Done()
			}
		}
		w.dns.hang, w.ca.hang = hang, hang
		s, stop := w.running(t)
		defer stop()
		const n = 200
		began := time.Now()
		for i := range n {
			name := fmt.Sprintf("a%d.example.com", i)
			if i%25 == 0 {
				name = "broken-" + name
			}
			w.dns.set(here(name))
			_, err := s.Add(t.Context(), "one", add(name))
			w.ok(err)
		}
		for i := range n {
			for i%25 != 0 {
				name := fmt.Sprintf("a%d.example.com", i)
				if h, _ := w.stored(name); h.Status == anchor.HostActive {
					break
				}
				time.Sleep(time.Second)
			}
		}
		if took := time.Since(began); took >= 30*time.Second {
			t.Errorf("the others took %v, as long as the broken ones", took)
		}
		time.Sleep(time.Minute)
		if h := w.must("broken-a0.example.com", anchor.HostPending); !strings.Contains(h.Problem, "could not be queried") {
			t.Errorf("the broken one's problem is %q", h.Problem)
		}
	})
}

func TestService_Run_ActiveNameKeepsServing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.dns.set(here("a.example.com"))
		w.ca.life = 60 * time.Hour
		s, stop := w.running(t)
		defer stop()
		_, err := s.Add(t.Context(), "one", add("a.example.com"))
		w.ok(err)
		synctest.Wait()
		w.must("a.example.com", anchor.HostActive)
		w.dns.unset(here("a.example.com"))
		time.Sleep(4 * 24 * time.Hour)
		h := w.must("a.example.com", anchor.HostActive)
		if h.NotAfter < time.Now().UnixMilli() {
			t.Error("its certificate was not watched")
		}
		if _, attached := w.edge.route("a.example.com"); !attached || !strings.Contains(h.Problem, "found none") {
			t.Errorf("attached %v, problem %q", attached, h.Problem)
		}
		w.dns.set(here("a.example.com"))
		time.Sleep(24 * time.Hour)
		if h := w.must("a.example.com", anchor.HostActive); h.Problem != "" || h.Attempts != 0 {
			t.Errorf("with DNS again: problem %q, %d attempts", h.Problem, h.Attempts)
		}
	})
}

func TestService_Run_CARefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.dns.set(here("a.example.com"))
		again := time.Now().Add(3 * time.Hour)
		w.ca.answers(&domains.Certificate{
			Status: anchor.CertFailed, Problem: "CAA forbids it. Add ca.example to the CAA record.", RetryAt: again.UnixMilli(),
		})
		var asked atomic.Int32
		w.ca.hang = func(context.Context, string) { asked.Add(1) }
		s, stop := w.running(t)
		defer stop()
		_, err := s.Add(t.Context(), "one", add("a.example.com"))
		w.ok(err)
		time.Sleep(2 * time.Hour)
		if h := w.must("a.example.com", anchor.HostFailed); !strings.Contains(h.Problem, "CAA forbids it") || asked.Load() != 1 {
			t.Errorf("problem %q, asked %d times before it may be", h.Problem, asked.Load())
		}
		w.ca.answers(nil)
		time.Sleep(2 * time.Hour)
		w.must("a.example.com", anchor.HostActive)
	})
}

func TestDelay_FirstHalfHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		s, stop := w.running(t)
		defer stop()
		_, err := s.Add(t.Context(), "one", add("a.example.com"))
		w.ok(err)
		looks := func() int { return len(w.dns.asked()) }
		time.Sleep(30 * time.Minute)
		early := looks()
		time.Sleep(7 * 24 * time.Hour)
		before := looks()
		time.Sleep(10 * 24 * time.Hour)
		late := looks() - before
		if early < 12 || early > 40 {
			t.Errorf("%d looks in the first half hour", early)
		}
		if late < 30 || late > 60 { // every 6 h, a fifth off at most
			t.Errorf("%d looks in ten days after a week", late)
		}
	})
}
