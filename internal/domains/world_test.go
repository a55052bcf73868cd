package domains_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/domains"
	"github.com/anchor-deploy/anchor/internal/records/memory"
	"github.com/anchor-deploy/anchor/internal/testleak"
)

func TestMain(m *testing.M) { testleak.Main(m) }

// tb is what *testing.T and *rapid.T have in common.
type tb interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// world is all that outlives a process of Anchor's: the records, the CA, the edge
// and the DNS. Every call into it passes fault first.
type world struct {
	tb
	store *memory.Store
	ca    *authority
	edge  *edge
	dns   *zone

	mu    sync.Mutex
	fault func(op string) (apply bool, err error)
	clock time.Time // zero: the real one, or synctest's
	first bool      // the CA needs a record
	base  string    // of the sites
}

func newWorld(t tb) *world {
	w := &world{tb: t, store: memory.New(), base: "localhost"}
	w.ca = &authority{world: w, certs: map[string]*cert{}, busy: map[string]bool{}}
	w.edge = &edge{world: w, routes: map[string]anchor.ProjectID{}}
	w.dns = &zone{world: w, records: map[string][]string{}}
	w.store.Fault = func(op string) (bool, error) { return w.meet(op) }
	for _, p := range []anchor.ProjectID{"one", "two"} {
		if err := w.store.CreateProject(context.Background(), anchor.Project{ID: p, Slug: string(p)}); err != nil {
			t.Fatalf("create project: %v", err)
		}
	}
	return w
}

func (w *world) meet(op string) (bool, error) {
	w.mu.Lock()
	fault := w.fault
	w.mu.Unlock()
	if fault == nil {
		return false, nil
	}
	return fault(op)
}

func (w *world) setFault(f func(op string) (bool, error)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fault = f
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.clock.IsZero() {
		return time.Now()
	}
	return w.clock
}

func (w *world) sleep(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clock = w.clock.Add(d)
}

// start returns a new process over the world.
func (w *world) start() *domains.Service {
	records := checkedRecords{w.store, w}
	return domains.New(domains.Ports{
		Records: records, Directory: records, Certificates: w.ca, Front: w.edge, Resolver: w.dns,
	}, domains.Options{
		Now: w.now,
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
}

// stored returns the record of a name.
func (w *world) stored(name string) (anchor.Hostname, bool) {
	w.Helper()
	w.setFault(nil)
	h, err := w.store.HostnameByName(context.Background(), name)
	if err != nil && !errors.Is(err, anchor.ErrNotFound) {
		w.Fatalf("read %s: %v", name, err)
	}
	return h, err == nil
}

// must returns the record of a name, which must exist with the status.
func (w *world) must(name string, status anchor.HostnameStatus) anchor.Hostname {
	w.Helper()
	h, found := w.stored(name)
	if !found || h.Status != status {
		w.Errorf("%s: found %v, status %q, want %q (problem %q)", name, found, h.Status, status, h.Problem)
	}
	return h
}

// checkedRecords fails the test on a move of status that the domain does not know.
type checkedRecords struct {
	*memory.Store
	w *world
}

func (c checkedRecords) UpdateHostname(ctx context.Context, h anchor.Hostname) (anchor.Hostname, error) {
	old, err := c.Hostname(ctx, h.ID)
	if err == nil && old.Revision == h.Revision && old.Status != h.Status && !old.Status.CanMove(h.Status) {
		c.w.Errorf("%s goes from %s to %s", h.Name, old.Status, h.Status)
	}
	return c.Store.UpdateHostname(ctx, h)
}

// cert is a certificate the authority has made or refused.
type cert struct {
	domains.Certificate
	own bool
}

// authority issues at once by default.
type authority struct {
	*world
	mu       sync.Mutex
	certs    map[string]*cert
	busy     map[string]bool
	orders   int
	answer   *domains.Certificate // to all, when not nil
	hang     func(ctx context.Context, name string)
	validate bool // as ACM, with a record to set
	life     time.Duration
}

func (a *authority) Ensure(ctx context.Context, h anchor.Hostname) (domains.Certificate, error) {
	if !h.Verified || h.Status == anchor.HostRemoving || h.OwnCert {
		a.Errorf("a certificate is ordered for %s, verified %v, %s, own %v", h.Name, h.Verified, h.Status, h.OwnCert)
	}
	a.enter(h.Name)
	defer a.leave(h.Name)
	if a.hang != nil {
		a.hang(ctx, h.Name)
	}
	if err := ctx.Err(); err != nil {
		return domains.Certificate{}, err
	}
	return withFault(a.world, "Ensure", func() (domains.Certificate, error) { return a.ensure(h), nil })
}

// stuck makes every order hang until its end or until free is called.
func (a *authority) stuck() (free func()) {
	var freed atomic.Bool
	a.hang = func(ctx context.Context, _ string) {
		if !freed.Load() {
			<-ctx.Done()
		}
	}
	return func() { freed.Store(true) }
}

func (a *authority) answers(c *domains.Certificate) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answer = c
}

func (a *authority) ensure(h anchor.Hostname) domains.Certificate {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.certs[h.Name]
	if c == nil {
		c = &cert{Certificate: domains.Certificate{ARN: fmt.Sprintf("arn:%s:%d", h.Name, a.orders), Status: anchor.CertIssued}}
		c.NotAfter = a.now().Add(a.lifetime()).UnixMilli()
		if a.validate {
			c.Status, c.NotAfter = anchor.CertPending, 0
			c.Validation = &anchor.DNSRecord{Name: "_acm." + h.Name, Type: "CNAME", Value: "token.acm.example"}
		}
		a.orders++
		a.certs[h.Name] = c
	}
	if a.validate && a.dns.has(*c.Validation) {
		c.Status, c.NotAfter = anchor.CertIssued, a.now().Add(a.lifetime()).UnixMilli()
	}
	if a.answer != nil {
		got := *a.answer
		got.ARN = c.ARN
		return got
	}
	if c.Status == anchor.CertIssued && a.now().Add(a.lifetime()/3).UnixMilli() > c.NotAfter {
		c.NotAfter = a.now().Add(a.lifetime()).UnixMilli() // renewed
	}
	return c.Certificate
}

func (a *authority) lifetime() time.Duration {
	if a.life == 0 {
		return 90 * 24 * time.Hour
	}
	return a.life
}

// enter fails the test when two calls about one name overlap.
func (a *authority) enter(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.busy[name] {
		a.Errorf("two calls about the certificate of %s overlap", name)
	}
	a.busy[name] = true
}

func (a *authority) leave(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.busy[name] = false
}

// Import takes "valid for <duration>" as a chain.
func (a *authority) Import(_ context.Context, h anchor.Hostname, chain, _ []byte) (domains.Certificate, error) {
	a.enter(h.Name)
	defer a.leave(h.Name)
	return withFault(a.world, "Import", func() (domains.Certificate, error) {
		life, err := time.ParseDuration(strings.TrimPrefix(string(chain), "valid for "))
		if err != nil {
			return domains.Certificate{}, anchor.Invalid("bad_certificate", "the certificate does not fit its key").Hintf("Pass the key that belongs to the certificate.")
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		c := &cert{own: true, Certificate: domains.Certificate{ARN: "own:" + h.Name, Status: anchor.CertIssued, NotAfter: a.now().Add(life).UnixMilli()}}
		a.certs[h.Name] = c
		return c.Certificate, nil
	})
}

func (a *authority) Release(_ context.Context, h anchor.Hostname) error {
	a.enter(h.Name)
	defer a.leave(h.Name)
	_, err := withFault(a.world, "Release", func() (struct{}, error) {
		if p, attached := a.edge.route(h.Name); attached {
			a.Errorf("the certificate of %s is released while it serves %s", h.Name, p)
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.certs, h.Name)
		return struct{}{}, nil
	})
	return err
}

func (a *authority) ordered() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.orders
}

func (a *authority) has(name string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.certs[name] != nil
}

// edge is the routes of names.
type edge struct {
	*world
	mu       sync.Mutex
	routes   map[string]anchor.ProjectID
	detached int
}

func (a *authority) Issuers() []string { return []string{"ca.example"} }
func (a *authority) NeedsRecord() bool { return a.first }
func (e *edge) Base() string           { return e.base }

func (e *edge) Attach(_ context.Context, h anchor.Hostname) error {
	_, err := withFault(e.world, "Attach", func() (struct{}, error) {
		if !h.Verified || !e.ca.has(h.Name) {
			e.Errorf("%s is attached, verified %v, with a certificate %v", h.Name, h.Verified, e.ca.has(h.Name))
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		e.routes[h.Name] = h.ProjectID
		return struct{}{}, nil
	})
	return err
}

func (e *edge) Detach(_ context.Context, h anchor.Hostname) error {
	_, err := withFault(e.world, "Detach", func() (struct{}, error) {
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.routes, h.Name)
		e.detached++
		return struct{}{}, nil
	})
	return err
}

func (e *edge) Target(_ context.Context, h anchor.Hostname) ([]anchor.DNSRecord, error) {
	return withFault(e.world, "Target", func() ([]anchor.DNSRecord, error) {
		if e.first {
			return []anchor.DNSRecord{{Name: h.Name, Type: "CNAME", Value: "d111.edge.example"}}, nil
		}
		return []anchor.DNSRecord{here(h.Name)}, nil
	})
}

func (e *edge) route(name string) (anchor.ProjectID, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	p, found := e.routes[name]
	return p, found
}

// zone is the DNS.
type zone struct {
	*world
	mu      sync.Mutex
	records map[string][]string
	hang    func(ctx context.Context, name string)
	needs   []domains.Need
}

// here is the record that leads a name here.
func here(name string) anchor.DNSRecord {
	return anchor.DNSRecord{Name: name, Type: "A", Value: "192.0.2.1"}
}

func (z *zone) set(records ...anchor.DNSRecord) {
	z.mu.Lock()
	defer z.mu.Unlock()
	for _, r := range records {
		z.records[r.Name+" "+r.Type] = []string{r.Value}
	}
}

func (z *zone) unset(r anchor.DNSRecord) {
	z.mu.Lock()
	defer z.mu.Unlock()
	delete(z.records, r.Name+" "+r.Type)
}

func (z *zone) has(r anchor.DNSRecord) bool {
	z.mu.Lock()
	defer z.mu.Unlock()
	return slices.Contains(z.records[r.Name+" "+r.Type], r.Value)
}

// asked returns the Needs of all Diagnose calls.
func (z *zone) asked() []domains.Need {
	z.mu.Lock()
	defer z.mu.Unlock()
	return slices.Clone(z.needs)
}

func (z *zone) Diagnose(ctx context.Context, need domains.Need) (domains.Diagnosis, error) {
	if z.hang != nil {
		z.hang(ctx, need.Name)
	}
	if err := ctx.Err(); err != nil {
		return domains.Diagnosis{}, err
	}
	return withFault(z.world, "Diagnose", func() (domains.Diagnosis, error) {
		z.mu.Lock()
		defer z.mu.Unlock()
		z.needs = append(z.needs, need)
		d := domains.Diagnosis{OK: true}
		for _, r := range append(slices.Clone(need.Records), need.Target...) {
			f := domains.Finding{Record: r, State: domains.FindingRight, Found: z.records[r.Name+" "+r.Type]}
			if len(f.Found) == 0 {
				f.State = domains.FindingMissing
			} else if !slices.Contains(f.Found, r.Value) {
				f.State = domains.FindingWrong
			}
			d.OK = d.OK && f.State == domains.FindingRight
			d.Checks = append(d.Checks, f)
		}
		return d, nil
	})
}

func withFault[T any](w *world, op string, do func() (T, error)) (none T, err error) {
	apply, fault := w.meet(op)
	if fault != nil && !apply {
		return none, fault
	}
	got, err := do()
	if fault != nil {
		return none, fault
	}
	return got, err
}

// isKind fails the test unless err is of kind and code.
func (w *world) isKind(err error, kind anchor.Kind, code string) {
	w.Helper()
	if err == nil || anchor.KindOf(err) != kind || anchor.CodeOf(err) != code {
		w.Errorf("error %v of kind %s, code %q; want %s, %q", err, anchor.KindOf(err), anchor.CodeOf(err), kind, code)
	}
}

// ok ends the test when err is one.
func (w *world) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatalf("unexpected error: %v (hint %q)", err, anchor.HintOf(err))
	}
}
