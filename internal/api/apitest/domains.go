package apitest

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/domains"
)

// Address is where names have to lead.
const Address = "203.0.113.7"

// world is what is outside of Anchor for its domains: DNS, CA and edge. It is all
// pretended; the use-case between is the real one. Its reconciler runs only when
// the world changes.
type world struct {
	*Anchor
	zone   map[string]domains.Finding     // by the record's name
	certs  map[string]domains.Certificate // by the hostname
	looked map[string]bool                // the names somebody asked the DNS for
}

func newWorld(a *Anchor) *world {
	return &world{Anchor: a, zone: map[string]domains.Finding{}, certs: map[string]domains.Certificate{}, looked: map[string]bool{}}
}

func (w *world) service() *domains.Service {
	return domains.New(
		domains.Ports{Records: w.store, Directory: w.store, Certificates: w, Front: w, Resolver: w},
		domains.Options{Log: slog.New(slog.DiscardHandler)},
	)
}

// DNS sets how the record of this name is found from now on, and what is there
// instead. A record that never was set is missing.
func (a *Anchor) DNS(name string, state domains.FindingState, found ...string) error {
	a.mu.Lock()
	a.world.zone[name] = domains.Finding{State: state, Found: found}
	a.mu.Unlock()
	return a.reconcile(name)
}

// Issue lets the CA issue the certificate of a name.
func (a *Anchor) Issue(name string) error {
	return a.certify(name, domains.Certificate{Status: anchor.CertIssued, NotAfter: now() + (90 * 24 * time.Hour).Milliseconds()})
}

// Refuse lets the CA refuse the certificate of a name.
func (a *Anchor) Refuse(name, problem string) error {
	return a.certify(name, domains.Certificate{Status: anchor.CertFailed, Problem: problem})
}

func (a *Anchor) certify(name string, c domains.Certificate) error {
	a.mu.Lock()
	a.world.certs[name] = c
	a.mu.Unlock()
	return a.reconcile(name)
}

// reconcile makes the name due, whenever it was to be looked at next.
func (a *Anchor) reconcile(name string) error {
	ctx := context.Background()
	if h, err := a.store.HostnameByName(ctx, name); err == nil {
		h.NextCheck = now()
		if _, err := a.store.UpdateHostname(ctx, h); err != nil {
			return fmt.Errorf("make %s due: %w", name, err)
		}
	}
	a.domains.Reconcile(ctx)
	return nil
}

// Looked returns once the DNS of a name was asked for, or with an error when ctx
// ends before.
func (a *Anchor) Looked(ctx context.Context, name string) error {
	for {
		a.mu.Lock()
		changed, looked := a.changed, a.world.looked[name]
		a.mu.Unlock()
		if looked {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("wait for a look at %s: %w", name, ctx.Err())
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
	w.looked[need.Name] = true
	w.notify()
	return d, nil
}

// Ensure implements domains.Certificates.
func (w *world) Ensure(_ context.Context, h anchor.Hostname) (domains.Certificate, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c, ok := w.certs[h.Name]; ok {
		return c, nil
	}
	return domains.Certificate{Status: anchor.CertPending}, nil
}

// Import implements domains.Certificates.
func (w *world) Import(_ context.Context, h anchor.Hostname, _, _ []byte) (domains.Certificate, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := domains.Certificate{Status: anchor.CertIssued, NotAfter: now() + (365 * 24 * time.Hour).Milliseconds()}
	w.certs[h.Name] = c
	return c, nil
}

// Release implements domains.Certificates.
func (w *world) Release(_ context.Context, h anchor.Hostname) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.certs, h.Name)
	return nil
}

// Issuers implements domains.Certificates.
func (*world) Issuers() []string { return nil }

// NeedsRecord implements domains.Certificates.
func (*world) NeedsRecord() bool { return false }

// Base implements domains.Front.
func (*world) Base() string { return "" }

// Attach implements domains.Front.
func (*world) Attach(context.Context, anchor.Hostname) error { return nil }

// Detach implements domains.Front.
func (*world) Detach(context.Context, anchor.Hostname) error { return nil }

// Target implements domains.Front.
func (*world) Target(_ context.Context, h anchor.Hostname) ([]anchor.DNSRecord, error) {
	return []anchor.DNSRecord{{Name: h.Name, Type: "A", Value: Address}, {Name: h.Name, Type: "AAAA", Value: "2001:db8::7"}}, nil
}
