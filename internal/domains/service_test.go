package domains_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/domains"
)

// settled returns a world with a separate clock and a process whose names are active.
func settled(t tb, names ...string) (*world, *domains.Service) {
	w := newWorld(t)
	w.clock = time.UnixMilli(1_800_000_000_000)
	s := w.start()
	for _, name := range names {
		w.dns.set(here(name))
		_, err := s.Add(context.Background(), "one", add(name))
		w.ok(err)
		s.Reconcile(context.Background())
		w.must(name, anchor.HostActive)
	}
	return w, s
}

func TestService_Add_NameOfAnotherProject(t *testing.T) {
	w, s := settled(t, "a.example.com")
	_, err := s.Add(t.Context(), "two", add("A.EXAMPLE.com"))
	w.isKind(err, anchor.KindConflict, "domain_taken")
	if text := err.Error() + anchor.HintOf(err); strings.Contains(text, "one ") && strings.Contains(text, `"one"`) {
		t.Errorf("%q names the other project", text)
	}
	_, err = s.Add(t.Context(), "one", add("a.example.com"))
	w.isKind(err, anchor.KindConflict, "domain_attached")
	_, err = s.Add(t.Context(), "none", add("b.example.com"))
	w.isKind(err, anchor.KindNotFound, "unknown_project")
	for _, call := range []func() error{
		func() error { _, err := s.Get(t.Context(), "two", "a.example.com"); return err },
		func() error { _, err := s.Check(t.Context(), "two", "a.example.com"); return err },
		func() error { return s.Remove(t.Context(), "two", "a.example.com") },
		func() error { _, err := s.Move(t.Context(), "two", "a.example.com", "two"); return err },
		func() error { _, err := s.Get(t.Context(), "one", "not a name"); return err },
		func() error { _, err := s.Get(t.Context(), "one", anchor.NewID()); return err },
		func() error { return s.Remove(t.Context(), "one", "b.example.com") },
	} {
		w.isKind(call(), anchor.KindNotFound, "unknown_domain")
	}
	h := w.must("a.example.com", anchor.HostActive)
	v, err := s.Get(t.Context(), "one", string(h.ID))
	w.ok(err)
	if v.Name != h.Name || !v.IsActive || v.Diagnosis == nil || !v.Diagnosis.OK {
		t.Errorf("by id: %+v", v)
	}
}

func TestService_Add_TakesNameOverByProof(t *testing.T) {
	w, s := settled(t, "a.example.com")
	_, err := s.Add(t.Context(), "two", add("a.example.com"))
	w.isKind(err, anchor.KindConflict, "domain_taken")
	name, value, found := strings.Cut(anchor.HintOf(err), "_anchor-challenge.a.example.com TXT ")
	value, _, _ = strings.Cut(value, " ")
	if !found || value == "" {
		t.Fatalf("the hint %q%q does not say what to set", name, value)
	}
	proof := anchor.DNSRecord{Name: "_anchor-challenge.a.example.com", Type: "TXT", Value: "something else"}
	w.dns.set(proof)
	_, err = s.Add(t.Context(), "two", add("a.example.com"))
	w.isKind(err, anchor.KindConflict, "domain_taken")

	proof.Value = value
	w.dns.set(proof)
	_, err = s.Add(t.Context(), "none", add("a.example.com"))
	w.isKind(err, anchor.KindConflict, "domain_taken") // the record is for project two
	orders, detached := w.ca.ordered(), w.edge.detached
	v, err := s.Add(t.Context(), "two", add("a.example.com"))
	w.ok(err)
	if p, _ := w.edge.route("a.example.com"); p != "two" || v.ProjectID != "two" || !v.IsActive || !v.Verified {
		t.Errorf("route %q, view %+v", p, v.Hostname)
	}
	if w.ca.ordered() != orders || w.edge.detached != detached {
		t.Error("it was not changed over in one step")
	}
	_, err = s.Add(t.Context(), "one", add("a.example.com"))
	w.isKind(err, anchor.KindConflict, "domain_taken") // what proves it for two does not for one
}

// A claim that was never proved does not keep the owner from his name.
func TestService_Add_TakesUnprovenNameOver(t *testing.T) {
	w, s := settled(t, "example.com")
	_, err := s.Add(t.Context(), "two", add("shop.example.com"))
	w.ok(err)
	_, err = s.Add(t.Context(), "one", add("shop.example.com"))
	w.isKind(err, anchor.KindConflict, "domain_taken")
	_, value, _ := strings.Cut(anchor.HintOf(err), " TXT ")
	value, _, _ = strings.Cut(value, " ")
	w.dns.set(here("shop.example.com"), anchor.DNSRecord{Name: "_anchor-challenge.shop.example.com", Type: "TXT", Value: value})
	_, err = s.Add(t.Context(), "one", add("shop.example.com"))
	w.ok(err)
	s.Reconcile(t.Context())
	if h := w.must("shop.example.com", anchor.HostActive); h.ProjectID != "one" || !h.Verified {
		t.Errorf("%+v", h)
	}
}

func TestService_Add_RefusesBaseDomain(t *testing.T) {
	w, s := settled(t)
	w.base = "Sites.Example.org."
	for _, name := range []string{"sites.example.org", "*.sites.example.org", "shop.sites.example.org", "a.b.SITES.example.org"} {
		_, err := s.Add(t.Context(), "one", add(name))
		w.isKind(err, anchor.KindInvalid, "bad_domain")
	}
	for _, name := range []string{"example.org", "othersites.example.org"} {
		_, err := s.Add(t.Context(), "one", add(name))
		w.ok(err)
	}
}

func TestService_Add_Race(t *testing.T) {
	w, s := settled(t)
	var racers sync.WaitGroup
	var mu sync.Mutex
	won := 0
	for i := range 20 {
		racers.Go(func() {
			_, err := s.Add(context.Background(), []anchor.ProjectID{"one", "two"}[i%2], add("a.example.com"))
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won++
			} else if !errors.Is(err, anchor.ErrConflict) {
				t.Errorf("a loser's error: %v", err)
			}
		})
	}
	racers.Wait()
	if won != 1 {
		t.Errorf("%d won", won)
	}
	w.must("a.example.com", anchor.HostPending)
}

// A name below one of another project's leads here for that one's sake, maybe; so
// only a challenge proves it.
func TestService_Add_BelowAnothersNameNeedsProof(t *testing.T) {
	for _, row := range []struct{ attached, added string }{
		{"example.com", "shop.example.com"},
		{"example.com", "a.b.shop.example.com"},
		{"shop.example.com", "a.shop.example.com"},
		{"*.example.com", "shop.example.com"},
		{"*.example.com", "a.b.example.com"},
		{"*.example.com", "*.a.example.com"},
		{"example.com", "*.example.com"},
	} {
		t.Run(row.added+" below "+row.attached, func(t *testing.T) {
			w, s := settled(t, row.attached)
			w.dns.set(here(row.added))
			v, err := s.Add(t.Context(), "two", add(row.added))
			w.ok(err)
			if v.Verified || len(v.Records) != 1 || v.Records[0].Type != "TXT" ||
				v.Records[0].Name != "_anchor-challenge."+strings.TrimPrefix(row.added, "*.") {
				t.Fatalf("verified %v, records %+v", v.Verified, v.Records)
			}
			orders := w.ca.ordered()
			for _, value := range []string{"", "something else"} {
				if value != "" {
					w.dns.set(anchor.DNSRecord{Name: v.Records[0].Name, Type: "TXT", Value: value})
				}
				w.sleep(time.Hour)
				s.Reconcile(t.Context())
				h := w.must(row.added, anchor.HostPending)
				for _, part := range []string{v.Records[0].Name, v.Records[0].Value, value} {
					if !strings.Contains(h.Problem, part) {
						t.Errorf("the problem %q does not say %q", h.Problem, part)
					}
				}
			}
			if _, attached := w.edge.route(row.added); attached || w.ca.ordered() != orders {
				t.Errorf("before the proof: attached %v, orders %d", attached, w.ca.ordered()-orders)
			}
			w.dns.set(v.Records...)
			w.sleep(time.Hour)
			s.Reconcile(t.Context())
			if h := w.must(row.added, anchor.HostActive); !h.Verified {
				t.Error("active and not verified")
			}
			w.must(row.attached, anchor.HostActive)
		})
	}
}

func TestService_Add_UnrelatedNameNeedsNoProof(t *testing.T) {
	w, s := settled(t, "shop.example.com", "*.example.org", "example.co.uk")
	for _, name := range []string{"example.com", "blog.example.com", "*.example.com", "example.org", "a.example.net", "other.co.uk"} {
		v, err := s.Add(t.Context(), "two", add(name))
		w.ok(err)
		if !v.Verified || len(v.Records) != 0 {
			t.Errorf("%s: verified %v, records %+v", name, v.Verified, v.Records)
		}
	}
	v, err := s.Add(t.Context(), "one", add("a.shop.example.com"))
	w.ok(err)
	if !v.Verified {
		t.Error("a name below one of the same project has to be proved")
	}
}

func TestService_Move_SwitchesInOneStep(t *testing.T) {
	w, s := settled(t, "example.com", "other.example.com")
	_, err := s.Add(t.Context(), "one", domains.Request{Domain: "example.com", WWW: true})
	w.ok(err)
	orders, detached := w.ca.ordered(), w.edge.detached
	v, err := s.Move(t.Context(), "one", "example.com", "two")
	w.ok(err)
	if p, _ := w.edge.route("example.com"); p != "two" || v.ProjectID != "two" || !v.IsActive || w.edge.detached != detached || w.ca.ordered() != orders {
		t.Errorf("route %q, view %+v, detached %d", p, v.Hostname, w.edge.detached-detached)
	}
	if www, _ := w.stored("www.example.com"); www.ProjectID != "two" || www.Redirect != "example.com" {
		t.Errorf("its companion: %+v", www)
	}
	if other := w.must("other.example.com", anchor.HostActive); other.ProjectID != "one" {
		t.Errorf("another name moved too: %+v", other)
	}
	_, err = s.Move(t.Context(), "one", "example.com", "two")
	w.isKind(err, anchor.KindNotFound, "unknown_domain")
	_, err = s.Move(t.Context(), "two", "www.example.com", "one")
	w.isKind(err, anchor.KindConflict, "domain_redirects")
	_, err = s.Move(t.Context(), "two", "example.com", "none")
	w.isKind(err, anchor.KindNotFound, "unknown_project")
}

// The edge cannot be reached when a name moves: the reconciler announces the move later.
func TestService_Move_CompletesInBackground(t *testing.T) {
	w, s := settled(t, "a.example.com")
	w.setFault(failing("Attach"))
	v, err := s.Move(t.Context(), "one", "a.example.com", "two")
	w.ok(err)
	if p, _ := w.edge.route("a.example.com"); p != "one" || !strings.Contains(v.Problem, "moved") {
		t.Errorf("route %q, problem %q", p, v.Problem)
	}
	w.setFault(nil)
	s.Reconcile(t.Context())
	if p, _ := w.edge.route("a.example.com"); p != "two" {
		t.Errorf("route %q", p)
	}
}

func failing(ops ...string) func(string) (bool, error) {
	return func(op string) (bool, error) {
		for _, one := range ops {
			if one == op {
				return false, errors.New("it is in use")
			}
		}
		return false, nil
	}
}

// A user's change does not wait for a CA that takes its time.
func TestService_ChangeInterruptsCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, change := range map[string]func(*domains.Service) error{
			"move": func(s *domains.Service) error {
				_, err := s.Move(t.Context(), "one", "a.example.com", "two")
				return err
			},
			"remove": func(s *domains.Service) error { return s.Remove(t.Context(), "one", "a.example.com") },
		} {
			w := newWorld(t)
			w.dns.set(here("a.example.com"))
			free := w.ca.stuck()
			s, stop := w.running(t)
			_, err := s.Add(t.Context(), "one", add("a.example.com"))
			w.ok(err)
			synctest.Wait() // the order is under way
			free()          // the orders to come
			began := time.Now()
			w.ok(change(s))
			if took := time.Since(began); took > 0 {
				t.Errorf("%s waited %v", name, took)
			}
			synctest.Wait()
			time.Sleep(time.Minute)
			h, found := w.stored("a.example.com")
			if p, _ := w.edge.route("a.example.com"); found && (p != "two" || h.Status != anchor.HostActive) || found == (name == "remove") {
				t.Errorf("after the %s: %+v, route %q", name, h, p)
			}
			stop()
		}
	})
}

func TestService_Remove_CompletesInBackground(t *testing.T) {
	w, s := settled(t, "a.example.com", "b.example.com")
	w.setFault(failing("Release"))
	w.ok(s.Remove(t.Context(), "one", "a.example.com"))
	w.setFault(nil)
	h := w.must("a.example.com", anchor.HostRemoving)
	if _, attached := w.edge.route("a.example.com"); attached || !strings.Contains(h.Problem, "it is in use") {
		t.Errorf("problem %q, attached %v", h.Problem, attached)
	}
	_, err := s.Add(t.Context(), "one", add("a.example.com"))
	w.isKind(err, anchor.KindConflict, "domain_removing")
	_, err = s.Add(t.Context(), "two", add("a.example.com"))
	w.isKind(err, anchor.KindConflict, "domain_taken")
	_, err = s.Move(t.Context(), "one", "a.example.com", "two")
	w.isKind(err, anchor.KindConflict, "domain_removing")
	w.sleep(time.Minute)
	s.Reconcile(t.Context())
	if _, found := w.stored("a.example.com"); found || w.ca.has("a.example.com") {
		t.Error("it is there still")
	}
	w.must("b.example.com", anchor.HostActive)
	_, err = s.Add(t.Context(), "two", add("a.example.com"))
	w.ok(err)
}

func TestService_RemoveAll(t *testing.T) {
	w, s := settled(t, "a.example.com", "b.example.com")
	_, err := s.Add(t.Context(), "two", add("c.example.net"))
	w.ok(err)
	w.setFault(failing("Release"))
	w.isKind(s.RemoveAll(t.Context(), "one"), anchor.KindBusy, "domains_remain")
	w.setFault(nil)
	w.ok(s.RemoveAll(t.Context(), "one"))
	list, err := s.List(t.Context(), "one", anchor.Page{})
	w.ok(err)
	if len(list.Items) != 0 || len(w.edge.routes) != 0 || len(w.ca.certs) != 0 {
		t.Errorf("left: %v, routes %v", list.Items, w.edge.routes)
	}
	w.must("c.example.net", anchor.HostPending)
}

func TestService_Add_Companions(t *testing.T) {
	for primary, companion := range map[string]string{
		"example.com": "www.example.com", "www.example.com": "example.com",
		"example.co.uk": "www.example.co.uk", "www.shop.example.com": "shop.example.com",
	} {
		w, s := settled(t)
		v, err := s.Add(t.Context(), "one", domains.Request{Domain: primary, WWW: true, HSTS: true})
		w.ok(err)
		h, found := w.stored(companion)
		if !found || h.Redirect != primary || !h.HSTS || v.Redirect != "" || !strings.Contains(v.Note, companion) {
			t.Errorf("%s: companion %+v, note %q", primary, h, v.Note)
		}
		w.isKind(s.Remove(t.Context(), "one", primary), anchor.KindConflict, "domain_redirected_to")
		w.ok(s.Remove(t.Context(), "one", companion))
		w.ok(s.Remove(t.Context(), "one", primary))
	}
	w, s := settled(t, "www.example.com")
	for domain, code := range map[string]string{"shop.example.com": "no_companion", "*.example.com": "no_companion", "www.co.uk": "bad_domain"} {
		_, err := s.Add(t.Context(), "one", domains.Request{Domain: domain, WWW: true})
		w.isKind(err, anchor.KindInvalid, code)
	}
	_, err := s.Add(t.Context(), "two", domains.Request{Domain: "example.com", WWW: true})
	w.isKind(err, anchor.KindConflict, "domain_taken")
	if _, found := w.stored("example.com"); found {
		t.Error("the name is attached without its companion")
	}
}

func TestService_Add_LostAnswer(t *testing.T) {
	w, s := settled(t)
	w.setFault(func(op string) (bool, error) {
		if op == "CreateHostname" {
			return true, errors.New("the connection was reset")
		}
		return false, nil
	})
	_, err := s.Add(t.Context(), "one", add("a.example.com"))
	w.ok(err)
	w.must("a.example.com", anchor.HostPending)
}

func TestService_Redirects(t *testing.T) {
	w, s := settled(t, "example.com")
	_, err := s.Add(t.Context(), "one", domains.Request{Domain: "old.example.com", Redirect: "https://EXAMPLE.com/"})
	w.ok(err)
	if h, _ := w.stored("old.example.com"); h.Redirect != "example.com" {
		t.Errorf("redirects to %q", h.Redirect)
	}
	for to, code := range map[string]string{
		"x.example.com": "bad_redirect", "old.example.com": "bad_redirect", "*.example.com": "bad_redirect", "1.2.3.4": "bad_domain", "other.example.net": "bad_redirect",
	} {
		_, err := s.Add(t.Context(), "one", domains.Request{Domain: "x.example.com", Redirect: to})
		w.isKind(err, anchor.KindInvalid, code)
	}
	_, err = s.Add(t.Context(), "one", domains.Request{Domain: "example.net", Redirect: "example.com", WWW: true})
	w.isKind(err, anchor.KindInvalid, "bad_redirect")
	_, err = s.Add(t.Context(), "two", domains.Request{Domain: "example.net", Redirect: "example.com"})
	w.isKind(err, anchor.KindInvalid, "bad_redirect")
}

func TestService_Set_ChangesInOneStep(t *testing.T) {
	w, s := settled(t, "a.example.com", "b.example.com", "c.example.com")
	orders, detached := w.ca.ordered(), w.edge.detached
	to, off, on, b := "a.example.com", "", true, "b.example.com"
	v, err := s.Set(t.Context(), "one", "b.example.com", domains.Settings{Redirect: &to, HSTS: &on})
	w.ok(err)
	if v.Redirect != to || !v.HSTS || !v.IsActive || w.edge.detached != detached || w.ca.ordered() != orders {
		t.Errorf("it is %+v, detached %d", v.Hostname, w.edge.detached-detached)
	}
	for name, set := range map[string]domains.Settings{
		"a.example.com": {Redirect: &b}, // which redirects here
		"c.example.com": {Redirect: &b}, // in two steps
	} {
		if _, err := s.Set(t.Context(), "one", name, set); err == nil {
			t.Errorf("%s redirects to %s", name, b)
		}
	}
	_, err = s.Set(t.Context(), "one", "b.example.com", domains.Settings{Redirect: &b})
	w.isKind(err, anchor.KindInvalid, "bad_redirect")
	_, err = s.Set(t.Context(), "two", "b.example.com", domains.Settings{HSTS: &on})
	w.isKind(err, anchor.KindNotFound, "unknown_domain")
	v, err = s.Set(t.Context(), "one", "b.example.com", domains.Settings{Redirect: &off})
	w.ok(err)
	if v.Redirect != "" || !v.HSTS {
		t.Errorf("it is %+v", v.Hostname)
	}
}

func TestService_Add_OwnCertificate(t *testing.T) {
	const year = "valid for 8760h"
	own := func(chain string) domains.Request {
		return domains.Request{Domain: "a.example.com", Chain: []byte(chain), Key: []byte("key")}
	}
	w, s := settled(t)
	w.dns.set(here("a.example.com"))
	for _, r := range []domains.Request{{Domain: "a.example.com", Chain: []byte(year)}, {Domain: "a.example.com", Key: []byte("key")}, own("nonsense")} {
		_, err := s.Add(t.Context(), "one", r)
		w.isKind(err, anchor.KindInvalid, "bad_certificate")
		if _, found := w.stored("a.example.com"); found {
			t.Fatal("it is attached without its certificate")
		}
	}
	_, err := s.Add(t.Context(), "one", own(year))
	w.ok(err)
	s.Reconcile(t.Context())
	if h := w.must("a.example.com", anchor.HostActive); h.Problem != "" || w.ca.ordered() != 0 {
		t.Errorf("problem %q, %d orders", h.Problem, w.ca.ordered())
	}
	if need := w.dns.asked()[len(w.dns.asked())-1]; need.Issuers != nil {
		t.Errorf("CAA is asked about %v", need.Issuers)
	}

	w.sleep(350 * 24 * time.Hour)
	s.Reconcile(t.Context())
	if h := w.must("a.example.com", anchor.HostActive); !strings.Contains(h.Problem, "expires on 20") || !strings.Contains(h.Problem, "--cert") {
		t.Errorf("before its end the problem is %q", h.Problem)
	}
	w.sleep(30 * 24 * time.Hour)
	s.Reconcile(t.Context())
	if h := w.must("a.example.com", anchor.HostFailed); !strings.Contains(h.Problem, "expired on 20") || h.CertificateStatus != anchor.CertExpired {
		t.Errorf("after its end the problem is %q", h.Problem)
	}
	_, err = s.Add(t.Context(), "one", own("nonsense"))
	w.isKind(err, anchor.KindInvalid, "bad_certificate")
	_, err = s.Add(t.Context(), "one", own(year))
	w.ok(err)
	s.Reconcile(t.Context())
	if h := w.must("a.example.com", anchor.HostActive); h.Problem != "" || w.ca.ordered() != 0 {
		t.Errorf("with a new one the problem is %q", h.Problem)
	}
}

// Who moves here from elsewhere sees the site under its own certificate first, and
// changes the DNS then.
func TestService_OwnCertificate_ServesBeforeDNS(t *testing.T) {
	w, s := settled(t)
	_, err := s.Add(t.Context(), "one", domains.Request{Domain: "a.example.com", Chain: []byte("valid for 8760h"), Key: []byte("key")})
	w.ok(err)
	s.Reconcile(t.Context())
	if h := w.must("a.example.com", anchor.HostPending); !strings.Contains(h.Problem, "a.example.com") || h.CertificateStatus != anchor.CertIssued {
		t.Errorf("problem %q, certificate %s", h.Problem, h.CertificateStatus)
	}
	if p, _ := w.edge.route("a.example.com"); p != "one" {
		t.Errorf("it is routed to %q", p)
	}
	w.dns.set(here("a.example.com"))
	w.sleep(time.Minute)
	s.Reconcile(t.Context())
	w.must("a.example.com", anchor.HostActive)
}

// As with ACM: the CA names a record, which the answer to Add must show.
func TestService_Add_CANeedsRecord(t *testing.T) {
	w := newWorld(t)
	w.clock, w.first, w.ca.validate = time.UnixMilli(1_800_000_000_000), true, true
	s := w.start()
	v, err := s.Add(t.Context(), "one", add("example.com"))
	w.ok(err)
	if len(v.Records) != 1 || v.Records[0].Name != "_acm.example.com" || v.Status != anchor.HostPending || v.CertificateARN == "" {
		t.Fatalf("added %+v", v)
	}
	if len(v.Warnings) != 1 || !strings.Contains(v.Warnings[0], "ALIAS") {
		t.Errorf("warnings %q", v.Warnings)
	}
	next := func() {
		w.sleep(time.Hour)
		s.Reconcile(t.Context())
	}
	next()
	if h := w.must("example.com", anchor.HostPending); !strings.Contains(h.Problem, "_acm.example.com") {
		t.Errorf("problem %q", h.Problem)
	}
	w.dns.set(v.Records...)
	next()
	h := w.must("example.com", anchor.HostPending)
	if p, _ := w.edge.route("example.com"); p != "one" || h.CertificateStatus != anchor.CertIssued || !strings.Contains(h.Problem, "d111.edge.example") {
		t.Errorf("ready before the DNS is changed: route %q, %s, problem %q", p, h.CertificateStatus, h.Problem)
	}
	w.dns.set(v.Target...)
	next()
	w.must("example.com", anchor.HostActive)
	if w.ca.ordered() != 1 {
		t.Errorf("%d orders", w.ca.ordered())
	}
}

func TestService_List_Pages(t *testing.T) {
	w, s := settled(t, "a.example.com", "b.example.com", "c.example.com")
	list, err := s.List(t.Context(), "one", anchor.Page{Limit: 2})
	w.ok(err)
	rest, err := s.List(t.Context(), "one", anchor.Page{Limit: 2, Cursor: list.Next})
	w.ok(err)
	names := []string{}
	for _, v := range append(list.Items, rest.Items...) {
		names = append(names, v.Name)
	}
	if strings.Join(names, " ") != "c.example.com b.example.com a.example.com" || rest.Next != "" {
		t.Errorf("listed %v, next %q", names, rest.Next)
	}
}
