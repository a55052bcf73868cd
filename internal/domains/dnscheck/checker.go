// Package dnscheck checks the DNS of a custom domain as a certificate authority does, at the
// zone's authoritative servers, and explains in plain words what is right, what is wrong and
// what to change.
package dnscheck

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/domains"
)

const (
	defaultTimeout = 1500 * time.Millisecond
	defaultBudget  = 20 * time.Second
)

// Config is how a Checker reaches the DNS. The zero Config uses the machine's
// own resolvers and the real internet.
type Config struct {
	// Resolvers are recursive resolvers, "host:port" or "host"; those of
	// /etc/resolv.conf when empty.
	Resolvers []string
	// Roots are servers of the root zone to start from, "host:port" or "host". When empty, the
	// check starts at the servers of the top-level domain, which the resolvers return.
	Roots []string
	// Timeout is for one exchange with one server, 1.5 s when 0.
	Timeout time.Duration
	// Budget is for a whole diagnosis, 20 s when 0. What is not known by then is
	// "unknown". The caller's context ends a diagnosis with its error instead.
	Budget time.Duration
	// Dial opens "udp" and "tcp" connections; a net.Dialer's when nil.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	Log  *slog.Logger
}

// Checker implements domains.Resolver. It keeps nothing between diagnoses and is
// safe for concurrent use.
type Checker struct {
	resolvers []server
	roots     []server
	timeout   time.Duration
	budget    time.Duration
	dial      func(ctx context.Context, network, address string) (net.Conn, error)
	log       *slog.Logger
}

var _ domains.Resolver = (*Checker)(nil)

// New makes a Checker.
func New(cfg Config) *Checker {
	c := &Checker{timeout: cfg.Timeout, budget: cfg.Budget, dial: cfg.Dial, log: cfg.Log}
	if c.timeout <= 0 {
		c.timeout = defaultTimeout
	}
	if c.budget <= 0 {
		c.budget = defaultBudget
	}
	if c.dial == nil {
		c.dial = (&net.Dialer{}).DialContext
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	resolvers := cfg.Resolvers
	if len(resolvers) == 0 {
		resolvers = systemResolvers(resolvConf)
	}
	c.resolvers, c.roots = parseServers(resolvers), parseServers(cfg.Roots)
	return c
}

// Diagnose checks everything that need lists, in parallel. OK is true when there was something
// to check and all of it is right at the source, even where caches still lag behind: a
// certificate authority decides by the source. A finding's Record has no Value when no such
// record should exist. Its errors are an Invalid need and the context's own. A DNS that does
// not answer is a finding, not an error.
func (c *Checker) Diagnose(ctx context.Context, need domains.Need) (domains.Diagnosis, error) {
	if err := checkNeed(need); err != nil {
		return domains.Diagnosis{}, err
	}
	bounded, cancel := context.WithTimeout(ctx, c.budget)
	defer cancel()
	s := newSession(c)
	checks := s.run(bounded, s.planChecks(need))
	if err := ctx.Err(); err != nil {
		return domains.Diagnosis{}, fmt.Errorf("the DNS check of %s was interrupted: %w", need.Name, err)
	}
	d := domains.Diagnosis{OK: len(checks) > 0, Checks: checks}
	for _, f := range checks {
		d.OK = d.OK && (f.State == domains.FindingRight || f.State == domains.FindingCached)
		c.log.DebugContext(ctx, "dns checked", "name", f.Record.Name, "type", f.Record.Type, "state", f.State)
	}
	return d, nil
}

// check is one thing to check; it returns its findings.
type check func(ctx context.Context) []domains.Finding

func (s *session) planChecks(need domains.Need) []check {
	var checks []check
	if len(need.Target) > 0 {
		checks = append(checks, func(ctx context.Context) []domains.Finding { return s.checkTarget(ctx, need) })
	}
	for _, record := range need.Records {
		checks = append(checks, func(ctx context.Context) []domains.Finding {
			return []domains.Finding{s.checkRecord(ctx, record)}
		})
	}
	if len(need.Issuers) > 0 {
		checks = append(checks, func(ctx context.Context) []domains.Finding { return s.checkCAA(ctx, need) })
	}
	return checks
}

// run makes all checks at once and keeps their order.
func (s *session) run(ctx context.Context, checks []check) []domains.Finding {
	results := make([][]domains.Finding, len(checks))
	var wg sync.WaitGroup
	for i, look := range checks {
		wg.Go(func() { results[i] = look(ctx) })
	}
	wg.Wait()
	var all []domains.Finding
	for _, r := range results {
		all = append(all, r...)
	}
	return all
}

// checkNeed refuses what could not be asked for.
func checkNeed(need domains.Need) error {
	names := []string{strings.TrimPrefix(need.Name, "*.")}
	for _, r := range need.Records {
		names = append(names, r.Name)
		if _, known := recordTypes[r.Type]; !known {
			return anchor.Invalid("dns_type", "cannot check a %s record", r.Type).Hintf("Only A, AAAA, CNAME and TXT records can be checked.")
		}
	}
	for _, name := range names {
		if err := checkAskable(name); err != nil {
			return anchor.Invalid("dns_name", "cannot look up %q", name).Because(err)
		}
	}
	return nil
}

func checkAskable(name string) error {
	if _, ok := dns.IsDomainName(name); !ok || name == "" || name == "." {
		return errors.New("it is not a domain name (RFC 1035 section 2.3.4)")
	}
	return nil
}

// recordTypes are the types of anchor.DNSRecord.
var recordTypes = map[string]uint16{
	"A": dns.TypeA, "AAAA": dns.TypeAAAA, "CNAME": dns.TypeCNAME, "TXT": dns.TypeTXT,
}
