package dnscheck_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/domains"
	"github.com/anchor-deploy/anchor/internal/domains/dnscheck"
	"github.com/anchor-deploy/anchor/internal/domains/dnscheck/dnstest"
)

// No server answers, so all queries are sent at once, and only the caller's context can end the
// wait.
func TestChecker_Diagnose_AsksInParallel(t *testing.T) {
	w := newWorld(t)
	w.cfg.Timeout, w.cfg.Budget = time.Hour, time.Hour
	for _, s := range w.servers() {
		s.Misbehave(dnstest.Fault{Drop: true})
	}
	need := issued("www.example.com", "letsencrypt.org")
	need.Records = needs("_a.example.com", "TXT", "1").Records
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := dnscheck.New(w.cfg).Diagnose(ctx, need)
		ended <- err
	}()
	for _, s := range w.servers() {
		for _, name := range []string{"www.example.com", "_a.example.com", "example.com"} {
			for s.Asked(name, "NS") == 0 {
				time.Sleep(time.Millisecond)
			}
		}
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Diagnose ended with %v, not with its context", err)
	}
}

func TestChecker_Diagnose_BudgetSpent(t *testing.T) {
	w := newWorld(t)
	w.cfg.Timeout, w.cfg.Budget = time.Hour, 50*time.Millisecond
	w.resolver.Misbehave(dnstest.Fault{Drop: true})
	d := w.diagnose(t, leads("www.example.com"))
	if d.OK || len(d.Checks) != 1 || d.Checks[0].State != domains.FindingUnknown {
		t.Errorf("a DNS that does not answer is %+v", d)
	}
}

func TestChecker_Diagnose_FallsBackToTCP(t *testing.T) {
	w := newWorld(t)
	w.cfg.Timeout = 2 * time.Second
	w.set("www.example.com", "A", 60, edge)
	delete(w.net, "192.0.2.12")
	w.ns1.MisbehaveAt("www.example.com", dnstest.Fault{DropUDP: true})
	if d := w.diagnose(t, leads("www.example.com")); !d.OK {
		t.Errorf("without UDP: %+v", d)
	}
}

func TestChecker_Diagnose_IPv6Servers(t *testing.T) {
	w := newWorld(t)
	w.set("www.example.com", "A", 60, edge)
	w.registry.Set("ns1.dns.test", "AAAA", 3600, "2001:db8::11")
	w.net["2001:db8::11"] = w.ns1
	delete(w.net, "192.0.2.11")
	d := w.diagnose(t, leads("www.example.com"))
	if !d.OK || w.ns1.Asked("www.example.com", "A") == 0 {
		t.Errorf("a server with IPv6 only was not asked: %+v", d)
	}
}

func TestChecker_Diagnose_StartsAtTheRoots(t *testing.T) {
	w := newWorld(t)
	w.set("www.example.com", "A", 60, edge)
	w.cfg.Roots = []string{"192.0.2.10:53"}
	delete(w.net, "192.0.2.53")
	d := w.diagnose(t, leads("www.example.com"))
	if !d.OK || w.ns2.Asked("www.example.com", "A") == 0 {
		t.Errorf("from the roots, without a resolver: %+v", d)
	}
}

func TestChecker_Diagnose_AsksAllResolvers(t *testing.T) {
	w := newWorld(t)
	second, third := dnstest.StartResolver(t, w.registry, w.ns1), dnstest.StartResolver(t, w.registry, w.ns1)
	w.net["192.0.2.54"], w.net["192.0.2.55"] = second, third
	w.cfg.Resolvers = []string{"192.0.2.53", "192.0.2.54:53", "192.0.2.55", "192.0.2.99"}
	w.set("www.example.com", "A", 60, edge)
	second.Cache("www.example.com", "A", 100, other)
	third.Cache("www.example.com", "A", 200, "198.51.100.8")
	f := w.diagnose(t, leads("www.example.com")).Checks[0]
	if f.State != domains.FindingCached || f.RetryIn != 200 || !slices.Equal(f.Found, []string{other, "198.51.100.8"}) {
		t.Errorf("with two old caches: %+v", f)
	}
	second.MisbehaveAt("www.example.com", dnstest.Fault{Bogus: true})
	d := w.diagnose(t, leads("www.example.com"))
	if d.OK || d.Checks[0].State != domains.FindingUnknown {
		t.Errorf("with one resolver that validates: %+v", d)
	}
}

// A wildcard is checked through a name that nobody can have looked up before.
func TestChecker_Diagnose_NewNameForEachWildcard(t *testing.T) {
	w := newWorld(t)
	w.set("*.example.com", "A", 60, edge)
	w.set("www.example.com", "A", 60, other)
	for range 2 {
		if d := w.diagnose(t, leads("*.example.com")); !d.OK {
			t.Errorf("the wildcard: %+v", d)
		}
	}
	if w.ns1.Asked("*.example.com", "A") > 0 {
		t.Error("the wildcard itself was asked for, which proves nothing")
	}
}

// What changes at the source is seen at once, however long caches keep the old.
func TestChecker_Diagnose_SeesChangeAtOnce(t *testing.T) {
	w := newWorld(t)
	c := dnscheck.New(w.cfg)
	w.set("www.example.com", "A", 86400, other)
	for _, step := range []struct {
		value string
		ok    bool
	}{{other, false}, {edge, true}, {other, false}} {
		w.set("www.example.com", "A", 86400, step.value)
		d, err := c.Diagnose(t.Context(), leads("www.example.com"))
		if err != nil || d.OK != step.ok {
			t.Errorf("with %s: %+v, %v", step.value, d, err)
		}
	}
}

func TestChecker_Diagnose_Concurrently(t *testing.T) {
	w := newWorld(t)
	c := dnscheck.New(w.cfg)
	var wg sync.WaitGroup
	for i := range 20 {
		name := fmt.Sprintf("n%d.example.com", i)
		if i%2 == 0 {
			w.set(name, "CNAME", 60, "edge.anchor.test.")
		}
		wg.Go(func() {
			d, err := c.Diagnose(t.Context(), issued(name, "letsencrypt.org"))
			if err != nil || d.OK != (i%2 == 0) {
				t.Errorf("%s: %+v, %v", name, d, err)
			}
		})
	}
	wg.Wait()
}

func TestChecker_Diagnose_RefusesNames(t *testing.T) {
	c := dnscheck.New(dnscheck.Config{Resolvers: []string{"192.0.2.53"}})
	for _, need := range []domains.Need{
		{Name: ""},
		{Name: "."},
		{Name: "a..b"},
		needs("www.example.com", "MX", "10 mail.example.com"),
		needs("", "TXT", "1"),
	} {
		if _, err := c.Diagnose(t.Context(), need); !errors.Is(err, anchor.ErrInvalid) {
			t.Errorf("%+v: %v, not Invalid", need, err)
		}
	}
}
