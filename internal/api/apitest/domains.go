package apitest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/core"
	"github.com/anchor-deploy/anchor/internal/domains"
)

// Address is the address that custom domains have to lead to.
const Address = "203.0.113.7"

// world is what domains depend on outside of Anchor: the DNS, the CA and the edge. It is
// an adapter in memory of the three ports.
type world struct {
	*Anchor
	distribution string

	mu      sync.Mutex
	zone    map[string]domains.Finding     // by the record's name
	certs   map[string]domains.Certificate // by the domain
	asked   map[string]bool                // the domains whose DNS was asked for
	changed chan struct{}                  // closed and replaced when asked grows
}

func newWorld(a *Anchor, distribution string) *world {
	return &world{
		Anchor: a, distribution: distribution, zone: map[string]domains.Finding{}, certs: map[string]domains.Certificate{},
		asked: map[string]bool{}, changed: make(chan struct{}),
	}
}

func (w *world) parts() *core.Domains {
	return &core.Domains{Certificates: w, Front: w, Resolver: w}
}

// DNS sets the state in which the record of a name is found from now on, and what is found
// instead. A record that was never set is missing.
func (a *Anchor) DNS(name string, state domains.FindingState, found ...string) error {
	a.world.set(func(w *world) { w.zone[name] = domains.Finding{State: state, Found: found} })
	return a.reconcile(name)
}

// Issue makes the CA issue the certificate of a name.
func (a *Anchor) Issue(name string) error {
	until := time.Now().Add(90 * 24 * time.Hour).UnixMilli()
	return a.certify(name, domains.Certificate{Status: anchor.CertIssued, NotAfter: until})
}

// Refuse makes the CA refuse the certificate of a name.
func (a *Anchor) Refuse(name, problem string) error {
	return a.certify(name, domains.Certificate{Status: anchor.CertFailed, Problem: problem})
}

func (a *Anchor) certify(name string, c domains.Certificate) error {
	a.world.set(func(w *world) { w.certs[name] = c })
	return a.reconcile(name)
}

func (w *world) set(change func(*world)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change(w)
}

// reconcile runs the reconciler, which runs at no other time, and makes the name due for it.
func (a *Anchor) reconcile(name string) error {
	ctx := context.Background()
	if h, err := a.Records.HostnameByName(ctx, name); err == nil {
		h.NextCheck = time.Now().UnixMilli()
		if _, err := a.Records.UpdateHostname(ctx, h); err != nil {
			return fmt.Errorf("make %s due: %w", name, err)
		}
	}
	a.Domains.Reconcile(ctx)
	return nil
}

// AwaitDiagnosis returns once the DNS of a name was checked, or with an error when ctx ends
// first.
func (a *Anchor) AwaitDiagnosis(ctx context.Context, name string) error {
	for {
		a.world.mu.Lock()
		changed, asked := a.world.changed, a.world.asked[name]
		a.world.mu.Unlock()
		if asked {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("wait for a diagnosis of %s: %w", name, ctx.Err())
		}
	}
}

// Diagnose implements domains.Resolver.
func (w *world) Diagnose(_ context.Context, need domains.Need) (domains.Diagnosis, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	d := domains.Diagnosis{OK: true}
	for _, r := range append(need.Records, need.Target[:min(1, len(need.Target))]...) {
		f, set := w.zone[r.Name]
		if !set {
			f.State = domains.FindingMissing
		}
		f.Record = r
		f.Detail = fmt.Sprintf("The %s record of %s is %s; it has to be %s.", r.Type, r.Name, f.State, r.Value)
		d.OK = d.OK && f.State == domains.FindingRight
		d.Checks = append(d.Checks, f)
	}
	w.asked[need.Name] = true
	close(w.changed)
	w.changed = make(chan struct{})
	return d, nil
}

// Ensure implements domains.Certificates.
func (w *world) Ensure(_ context.Context, h anchor.Hostname) (domains.Certificate, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c, ok := w.certs[h.Name]; ok {
		return c, nil
	}
	c := domains.Certificate{Status: anchor.CertPending}
	if w.distribution != "" {
		c.Validation = &anchor.DNSRecord{Name: "_x." + h.Name, Type: "CNAME", Value: "_y.acm-validations.aws"}
	}
	return c, nil
}

// Import implements domains.Certificates.
func (w *world) Import(_ context.Context, h anchor.Hostname, _, _ []byte) (domains.Certificate, error) {
	c := domains.Certificate{Status: anchor.CertIssued, NotAfter: time.Now().Add(365 * 24 * time.Hour).UnixMilli()}
	w.set(func(w *world) { w.certs[h.Name] = c })
	return c, nil
}

// Release implements domains.Certificates.
func (w *world) Release(_ context.Context, h anchor.Hostname) error {
	w.set(func(w *world) { delete(w.certs, h.Name) })
	return nil
}

// Issuers implements domains.Certificates.
func (*world) Issuers() []string { return nil }

// NeedsRecord implements domains.Certificates.
func (w *world) NeedsRecord() bool { return w.distribution != "" }

// Base implements domains.Front.
func (*world) Base() string { return "" }

// Attach implements domains.Front.
func (*world) Attach(context.Context, anchor.Hostname) error { return nil }

// Detach implements domains.Front.
func (*world) Detach(context.Context, anchor.Hostname) error { return nil }

// Target implements domains.Front.
func (w *world) Target(_ context.Context, h anchor.Hostname) ([]anchor.DNSRecord, error) {
	if w.distribution != "" {
		return []anchor.DNSRecord{{Name: h.Name, Type: "CNAME", Value: w.distribution}}, nil
	}
	return []anchor.DNSRecord{{Name: h.Name, Type: "A", Value: Address}, {Name: h.Name, Type: "AAAA", Value: "2001:db8::7"}}, nil
}
