package wire

import (
	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/domains"
)

// AddDomain is the body of POST /projects/{projectId}/domains.
type AddDomain struct {
	Domain     string `json:"domain" minLength:"1" maxLength:"2048" example:"www.example.com" doc:"The name; of a URL pasted whole its host is taken"`
	RedirectTo string `json:"redirectTo,omitempty" maxLength:"2048" doc:"The name that every request is sent on to (308), instead of serving the site"`
	WWW        bool   `json:"www,omitempty" doc:"Attach the other of www and apex too, redirecting to this one"`
	HSTS       bool   `json:"hsts,omitempty" doc:"Tell browsers to use nothing but HTTPS for this name (RFC 6797)"`

	Certificate string `json:"certificate,omitempty" doc:"PEM chain of a certificate of your own, leaf first; none is issued then"`
	PrivateKey  string `json:"privateKey,omitempty" doc:"PEM of its key; no answer ever holds it"`
}

// SetDomain is the body of PATCH /projects/{projectId}/domains/{domainId}; what is
// left out stays as it is.
type SetDomain struct {
	RedirectTo *string `json:"redirectTo,omitempty" maxLength:"2048" doc:"The name that every request is sent on to (308); empty to serve the site"`
	HSTS       *bool   `json:"hsts,omitempty" doc:"Tell browsers to use nothing but HTTPS for this name (RFC 6797)"`
}

// MoveDomain is the body of POST …/domains/{domainId}/move.
type MoveDomain struct {
	ProjectID string `json:"projectId" minLength:"1" maxLength:"64" doc:"Id or slug of the project that gets the name"`
}

// Domain is a hostname with what its user has to set, and how it stands.
type Domain struct {
	anchor.Hostname
	Unicode  string `json:"unicode" doc:"The name as people write it"`
	IsActive bool   `json:"isActive" doc:"Whether it is served over HTTPS now"`

	DNSInstructions *Instruction       `json:"dnsInstructions,omitempty" doc:"The record to set first"`
	Target          *Target            `json:"target,omitempty" doc:"What leads the name here: one address or alias of these"`
	CloudFrontCNAME *Instruction       `json:"cloudfrontCname,omitempty" doc:"On aws: the same as target"`
	Records         []anchor.DNSRecord `json:"records" nullable:"false" doc:"What proves the name; each of these is needed"`

	Diagnosis *domains.Diagnosis `json:"diagnosis,omitempty" doc:"How the DNS stands now; not in lists"`
	Note      string             `json:"note,omitempty" doc:"What was made of an input that was not a plain name"`
	Warnings  []string           `json:"warnings,omitempty"`
}

// Instruction is a record to set in the DNS, in words and in parts.
type Instruction struct {
	Message     string `json:"message"`
	RecordType  string `json:"recordType" example:"CNAME"`
	RecordName  string `json:"recordName" doc:"Whole, without a dot at its end"`
	RecordValue string `json:"recordValue"`
	Note        string `json:"note,omitempty"`
}

// Target is an Instruction with all the records that would do.
type Target struct {
	Instruction
	Records []anchor.DNSRecord `json:"records" nullable:"false"`
}
