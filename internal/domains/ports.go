// Package domains is the use-case of custom domains: attach a name to a project,
// prove it, get its certificate, keep it, move it, let it go. A reconciler in the
// background takes every step; nothing waits for somebody's request.
package domains

import (
	"context"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Records keeps hostnames. All writes are durable on return.
type Records interface {
	// CreateHostname inserts h at revision 1: a Conflict "domain_taken" when its
	// name is attached already, to whichever project; NotFound without its project.
	CreateHostname(ctx context.Context, h anchor.Hostname) error
	// UpdateHostname writes h when the stored revision is h.Revision and returns it with the
	// next one; a Conflict when the revision differs, NotFound when h was deleted. The project
	// may change (a move); id, name and createdAt never do.
	UpdateHostname(ctx context.Context, h anchor.Hostname) (anchor.Hostname, error)
	// DeleteHostname removes the hostname. It succeeds when there is none.
	DeleteHostname(ctx context.Context, id anchor.HostnameID) error
}

// Directory finds hostnames.
type Directory interface {
	Hostname(ctx context.Context, id anchor.HostnameID) (anchor.Hostname, error)
	HostnameByName(ctx context.Context, name string) (anchor.Hostname, error)
	// Hostnames lists a project's, newest first; all when p is "".
	Hostnames(ctx context.Context, p anchor.ProjectID, page anchor.Page) (anchor.List[anchor.Hostname], error)
	// DueHostnames returns at most limit with 0 < NextCheck <= at, the longest due first.
	DueHostnames(ctx context.Context, at int64, limit int) ([]anchor.Hostname, error)
}

// Certificate is what a platform reports about a name's certificate.
type Certificate struct {
	ARN        string
	Status     anchor.CertStatus
	Validation *anchor.DNSRecord // a record the CA needs (ACM), nil when it needs none (HTTP-01)
	NotAfter   int64             // Unix milliseconds, 0 when there is none
	Problem    string            // why it is not issued, and what to do
	RetryAt    int64             // when the CA may be asked again (Unix milliseconds), 0 when it does not say
}

// Certificates issues and keeps certificates.
type Certificates interface {
	// Ensure requests the name's certificate unless it exists or is on its way, and returns its
	// state. It is idempotent: it places no second order for the same name.
	Ensure(ctx context.Context, h anchor.Hostname) (Certificate, error)
	// Import takes a certificate the user brought: PEM chain and key. Invalid when
	// they do not fit each other or the name, or are expired. It replaces what the
	// name had; an Invalid one leaves it as it was.
	Import(ctx context.Context, h anchor.Hostname, chain, key []byte) (Certificate, error)
	// Release forgets the name's certificate. It is idempotent.
	Release(ctx context.Context, h anchor.Hostname) error
	// Issuers returns the CAA values (RFC 8659) of the CAs that may issue; nil when they are
	// not known, and CAA records are not checked.
	Issuers() []string
	// NeedsRecord reports whether the CA names a record to set before it validates (ACM). Then
	// the certificate is ordered at once, before DNS leads here.
	NeedsRecord() bool
}

// Front makes the edge answer for names.
type Front interface {
	// Attach routes the name to its project, or redirects it, from now on. It is
	// idempotent, and a change of project takes effect in one step.
	Attach(ctx context.Context, h anchor.Hostname) error
	// Detach ends that. It is idempotent.
	Detach(ctx context.Context, h anchor.Hostname) error
	// Target returns the records that a name must have to lead here.
	Target(ctx context.Context, h anchor.Hostname) ([]anchor.DNSRecord, error)
	// Base returns the domain under which the platform names sites, "" when there is none. It
	// and all names below it cannot be attached.
	Base() string
}

// Resolver checks the DNS as the CA will: at the authoritative servers.
type Resolver interface {
	Diagnose(ctx context.Context, need Need) (Diagnosis, error)
}

// Need is what a name's DNS has to contain.
type Need struct {
	Name    string
	Target  []anchor.DNSRecord // any one address or alias of these makes the name lead here
	Records []anchor.DNSRecord // each of these must be there (ownership TXT, ACM's CNAME, _acme-challenge)
	Issuers []string           // CAA values that may issue ("letsencrypt.org"); empty when CAA is not checked
}

// Diagnosis is the state of a name's DNS.
type Diagnosis struct {
	OK     bool      `json:"ok"`
	Checks []Finding `json:"checks"`
}

// Finding is one record's state.
type Finding struct {
	Record anchor.DNSRecord `json:"record"` // as it should be
	State  FindingState     `json:"state"`
	Found  []string         `json:"found,omitempty"` // what is there instead
	Detail string           `json:"detail"`          // one sentence: what is the matter and what to do
	// RetryIn is for how many more seconds caches may still hand out the old value.
	RetryIn int `json:"retryInSeconds,omitempty"`
}

// FindingState is the state of one record.
type FindingState string

// The states of a Finding.
const (
	FindingRight     FindingState = "right"
	FindingMissing   FindingState = "missing"
	FindingWrong     FindingState = "wrong"         // expected X, found Y
	FindingApexCNAME FindingState = "cname_at_apex" // not allowed beside SOA and NS (RFC 1034 §3.6.2)
	FindingCAA       FindingState = "caa_forbids"   // RFC 8659
	FindingProxied   FindingState = "proxied"       // a CDN answers in front
	FindingCached    FindingState = "cached"        // right at the source, caches still have the old value
	FindingNoDomain  FindingState = "no_such_domain"
	FindingUnknown   FindingState = "unknown" // the servers did not answer
)
