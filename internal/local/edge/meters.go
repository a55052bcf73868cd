package edge

import (
	"crypto/tls"
	"net/http"
	"sync/atomic"

	"github.com/anchor-deploy/anchor/internal/local/edge/meter"
)

// meters are the counters of an edge that belong to no site.
type meters struct {
	nobody   *meter.Traffic // requests of which no site was found
	refusals [len(refusalReasons)]atomic.Int64

	resumed, full, failed atomic.Int64 // TLS handshakes
}

// of returns the counters of a site; nil is none.
func (m *meters) of(s *Site) *meter.Traffic {
	if s == nil {
		return m.nobody
	}
	return s.traffic
}

// refusalReasons are the reasons for which the edge answers with a refusal.
var refusalReasons = [...]string{
	"other", "overloaded", "site_overloaded", "unknown_host", "unread", "url_too_long", "body_too_large", "body_too_slow",
	"bad_request", "bad_address", "misdirected", "no_method", "read_only", "no_upgrade", "middleware_failed", "unreadable_file",
	"damaged_site", "not_cached",
}

var reasonOf = map[*refusal]string{
	overloaded: "overloaded", siteOverloaded: "site_overloaded", urlTooLong: "url_too_long", bodyTooLarge: "body_too_large",
	bodyTooSlow: "body_too_slow", bodyBroken: "bad_request", badHost: "bad_request", badTarget: "bad_address", badOctet: "bad_address",
	badScheme: "bad_address", ambiguousLength: "bad_request", misdirected: "misdirected", plainToTLS: "bad_request",
	badPath: "bad_address", badEncoding: "bad_address", noMethod: "no_method", fileIsReadOnly: "read_only", noUpgrade: "no_upgrade",
	middlewareFailed: "middleware_failed", unreadable: "unreadable_file", damaged: "damaged_site", notCached: "not_cached",
}

// countRefusal counts a refusal by its reason.
func (m *meters) countRefusal(no *refusal) {
	reason := reasonOf[no]
	if no.title == titleUnknownHost {
		reason = "unknown_host"
	}
	m.countReason(reason)
}

func (m *meters) countReason(reason string) {
	for i, name := range refusalReasons {
		if name == reason {
			m.refusals[i].Add(1)
			return
		}
	}
	m.refusals[0].Add(1)
}

func (m *meters) countHandshake(session *tls.Conn, err error) {
	switch {
	case err != nil:
		m.failed.Add(1)
	case session.ConnectionState().DidResume:
		m.resumed.Add(1)
	default:
		m.full.Add(1)
	}
}

// middlewareName stands for an external middleware where functions are named.
const middlewareName = "middleware"

// functionName returns how a function calls itself, "" if it does not.
func functionName(h http.Handler) string {
	if named, ok := h.(interface{ FunctionName() string }); ok {
		return named.FunctionName()
	}
	return ""
}

// functionNames lists the functions of a site that have a name.
func (s *Site) functionNames() (names []string) {
	seen := map[string]bool{"": true}
	add := func(name string) {
		if !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	add(functionName(s.Default))
	for _, r := range s.Routes {
		add(functionName(r.Target))
	}
	if s.Middleware != nil {
		add(middlewareName)
	}
	return names
}

// Measures are what an edge has counted since its start, and its present state.
type Measures struct {
	InFlight int64 // requests

	Connections       int   // open
	Accepted          int64 // connections
	RefusedFull       int64 // connections beyond Config.MaxConnections
	RefusedPerClient  int64 // connections beyond Config.MaxConnectionsPerClient
	FullHandshakes    int64 // of TLS
	ResumedHandshakes int64
	FailedHandshakes  int64
	Refusals          map[string]int64 // requests, by reason
	Written, Dropped  int64            // lines of the access log
	Elsewhere         []meter.Sample   // requests of which no site was found
	Sites             []SiteMeasures   // that are in the table
}

// SiteMeasures are those of one site.
type SiteMeasures struct {
	Deployment, Project, Slug string
	InFlight                  int64
	Samples                   []meter.Sample
}

// Measure returns what the edge has counted. A site that left the table is not among the sites.
func (e *Edge) Measure() Measures {
	m := Measures{InFlight: e.inFlight.Load(), Refusals: map[string]int64{}, Elsewhere: e.meters.nobody.Samples()}
	m.FullHandshakes, m.ResumedHandshakes, m.FailedHandshakes = e.meters.full.Load(), e.meters.resumed.Load(), e.meters.failed.Load()
	for i, reason := range refusalReasons {
		m.Refusals[reason] = e.meters.refusals[i].Load()
	}
	m.Connections, m.Accepted, m.RefusedFull, m.RefusedPerClient = e.gate.counts()
	m.Written, m.Dropped = e.cfg.AccessLog.Counts()
	for _, s := range e.table.Load().sites() {
		m.Sites = append(m.Sites, SiteMeasures{
			Deployment: s.ID, Project: s.Project, Slug: s.Slug, InFlight: s.inFlight.Load(), Samples: s.traffic.Samples(),
		})
	}
	return m
}

func (g *gate) counts() (open int, accepted, full, perClient int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.open, g.accepted, g.refused.full, g.refused.perClient
}

// sites returns each site of the table once.
func (t *Table) sites() (all []*Site) {
	seen := map[*Site]bool{nil: true}
	for _, hosts := range []map[string]*Site{t.exact, t.wildcard} {
		for _, s := range hosts {
			if !seen[s] {
				seen[s] = true
				all = append(all, s)
			}
		}
	}
	return all
}
