package domains_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/domains"
)

// machine does anything to a few names, in any order, while every port fails now
// and then and processes die. The fakes fail the test on what may never happen: an
// unknown move of status, overlapping orders, an order or a route for an unproved
// name, a released certificate that is in use.
type machine struct {
	w     *world
	s     *domains.Service
	names []string
}

var bg = context.Background()

func (m *machine) project(t *rapid.T) anchor.ProjectID {
	return rapid.SampledFrom([]anchor.ProjectID{"one", "two"}).Draw(t, "project")
}

func (m *machine) name(t *rapid.T) string { return rapid.SampledFrom(m.names).Draw(t, "name") }

// allow fails the test on an error that users must not see.
func (m *machine) allow(t *rapid.T, err error) {
	if e := (*anchor.Error)(nil); err != nil && !errors.As(err, &e) && !errors.Is(err, errNow) {
		t.Fatalf("an error of no kind: %v", err)
	}
}

var errNow = errors.New("not now")

func (m *machine) actions() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"": func(t *rapid.T) { m.consistent(t) },
		"add": func(t *rapid.T) {
			r := domains.Request{Domain: m.name(t), WWW: rapid.Bool().Draw(t, "www"), HSTS: rapid.Bool().Draw(t, "hsts")}
			if rapid.IntRange(0, 4).Draw(t, "own") == 0 {
				r.Chain, r.Key = []byte("valid for 100h"), []byte("key")
			}
			_, err := m.s.Add(bg, m.project(t), r)
			m.allow(t, err)
		},
		"remove":     func(t *rapid.T) { m.allow(t, m.s.Remove(bg, m.project(t), m.name(t))) },
		"remove all": func(t *rapid.T) { m.allow(t, m.s.RemoveAll(bg, m.project(t))) },
		"move": func(t *rapid.T) {
			_, err := m.s.Move(bg, m.project(t), m.name(t), m.project(t))
			m.allow(t, err)
		},
		"check": func(t *rapid.T) {
			_, err := m.s.Check(bg, m.project(t), m.name(t))
			m.allow(t, err)
		},
		"lead here": func(t *rapid.T) { m.w.dns.set(here(m.name(t))) },
		"lead away": func(t *rapid.T) { m.w.dns.unset(here(m.name(t))) },
		"prove":     func(t *rapid.T) { m.prove(m.name(t)) },
		"CA": func(t *rapid.T) {
			status := rapid.SampledFrom([]anchor.CertStatus{"", anchor.CertPending, anchor.CertFailed}).Draw(t, "status")
			m.w.ca.answers(nil)
			if status != "" {
				m.w.ca.answers(&domains.Certificate{Status: status})
			}
		},
		"fail": func(t *rapid.T) {
			ops := rapid.SliceOf(rapid.SampledFrom([]string{
				"Attach", "Detach", "Target", "Ensure", "Import", "Release", "Diagnose",
				"CreateHostname", "UpdateHostname", "DeleteHostname", "Hostname", "DueHostnames",
			})).Draw(t, "ops")
			apply := rapid.Bool().Draw(t, "apply")
			m.w.setFault(func(op string) (bool, error) {
				if slices.Contains(ops, op) {
					return apply, errNow
				}
				return false, nil
			})
		},
		"work": func(t *rapid.T) { m.s.Reconcile(bg) },
		"wait": func(t *rapid.T) {
			m.w.sleep(time.Duration(rapid.IntRange(1, 200).Draw(t, "hours")) * time.Hour)
			m.s.Reconcile(bg)
		},
		"restart": func(t *rapid.T) {
			m.w.setFault(nil)
			m.s = m.w.start()
			m.w.ok(m.s.Restore(bg))
		},
	}
}

// prove sets the challenge of a name, when it has one.
func (m *machine) prove(name string) {
	if h, found := m.w.stored(name); found && h.Challenge != "" {
		m.w.dns.set(anchor.DNSRecord{Name: "_anchor-challenge." + name, Type: "TXT", Value: h.Challenge})
	}
}

// consistent is what holds at any time.
func (m *machine) consistent(t *rapid.T) {
	all, err := m.w.store.Hostnames(bg, "", anchor.Page{Limit: anchor.MaxPage})
	m.w.ok(err)
	for _, h := range all.Items {
		_, attached := m.w.edge.route(h.Name)
		if h.Status == anchor.HostActive && (!attached || !h.Verified || h.CloudFrontStatus != anchor.EdgeDeployed) {
			t.Fatalf("%s is active, attached %v: %+v", h.Name, attached, h)
		}
		if h.NextCheck == 0 {
			t.Fatalf("%s is never looked at again: %+v", h.Name, h)
		}
		if h.Status == anchor.HostFailed && h.Problem == "" {
			t.Fatalf("%s does not say why: %+v", h.Name, h)
		}
	}
}

func TestService_RandomOperations(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		w.clock, w.ca.life = time.UnixMilli(1_800_000_000_000), 200*time.Hour
		m := &machine{w: w, s: w.start(), names: []string{"example.com", "www.example.com", "shop.example.com"}}
		t.Repeat(m.actions())

		// In the end all is well outside: then all must become well inside.
		w.setFault(nil)
		w.ca.answers(nil)
		for _, name := range m.names {
			w.dns.set(here(name))
			m.prove(name)
		}
		m.s = w.start()
		w.ok(m.s.Restore(bg))
		for range 6 {
			w.sleep(7 * time.Hour)
			m.s.Reconcile(bg)
		}
		for _, name := range m.names {
			h, found := w.stored(name)
			if h.OwnCert && h.Status == anchor.HostFailed && h.Problem != "" {
				continue // only its owner can help it
			}
			p, attached := w.edge.route(name)
			if found && (h.Status != anchor.HostActive || p != h.ProjectID) || attached != found || w.ca.has(name) != found {
				t.Fatalf("%s: found %v, %s of %s, route %q, certificate %v: %s", name, found, h.Status, h.ProjectID, p, w.ca.has(name), fmt.Sprint(h))
			}
		}
	})
}
