package anchor

import "slices"

// HostnameID is a lower-case ULID.
type HostnameID string

// Hostname is a custom domain attached to a project. The JSON names are part of
// the API. Times are Unix milliseconds.
type Hostname struct {
	ID        HostnameID     `json:"domainId"`
	ProjectID ProjectID      `json:"projectId"`
	Name      string         `json:"domain"` // lower-case A-labels, no trailing dot; "*.example.com" for a wildcard
	Status    HostnameStatus `json:"status"`

	CertificateARN    string     `json:"certificateArn"`
	CertificateStatus CertStatus `json:"certificateStatus"`
	CloudFrontStatus  string     `json:"cloudFrontStatus"`        // EdgeDeployed or ""
	DNSValidation     *DNSRecord `json:"dnsValidation,omitempty"` // what proves the name to the CA or to us

	Redirect string `json:"redirectTo,omitempty"` // the name requests are sent on to (308), "" serves the site
	HSTS     bool   `json:"hsts,omitempty"`
	OwnCert  bool   `json:"ownCertificate,omitempty"` // the user brought it; nothing is issued or renewed

	Challenge string `json:"-"`        // value of the TXT record that proves ownership, "" when none is asked for
	Verified  bool   `json:"verified"` // ownership is proved or was never in question

	Problem   string `json:"problem,omitempty"` // what stands in the way and what to do about it
	Attempts  int    `json:"attempts,omitempty"`
	CheckedAt int64  `json:"checkedAt,omitempty"`
	NextCheck int64  `json:"nextCheckAt,omitempty"`
	NotAfter  int64  `json:"certificateExpiresAt,omitempty"`
	CreatedAt int64  `json:"createdAt"`
	UpdatedAt int64  `json:"updatedAt"`
	Revision  int64  `json:"-"` // grows by one with every write
}

// HostnameStatus is where a hostname stands.
type HostnameStatus string

// The statuses of a hostname.
const (
	HostPending  HostnameStatus = "pending_validation" // DNS is not right yet
	HostIssuing  HostnameStatus = "issuing"            // DNS is right, the certificate is on its way
	HostActive   HostnameStatus = "active"             // served over HTTPS
	HostFailed   HostnameStatus = "failed"             // the CA refused; tried again after a while
	HostRemoving HostnameStatus = "removing"           // being taken from the edge; ends with the record
)

var hostnameMoves = map[HostnameStatus][]HostnameStatus{
	HostPending: {HostIssuing, HostActive, HostFailed, HostRemoving},
	HostIssuing: {HostPending, HostActive, HostFailed, HostRemoving},
	HostFailed:  {HostPending, HostIssuing, HostActive, HostRemoving},
	HostActive:  {HostIssuing, HostFailed, HostRemoving}, // DNS that goes wrong later is a Problem, no way back
}

// CanMove reports whether a hostname may move from s to the status to. Staying at s is not a
// move.
func (s HostnameStatus) CanMove(to HostnameStatus) bool {
	return slices.Contains(hostnameMoves[s], to)
}

// EdgeDeployed is the CloudFrontStatus of a hostname the edge answers for
// (CloudFront API, Distribution.Status); "" before.
const EdgeDeployed = "Deployed"

// CertStatus is where a hostname's certificate stands.
type CertStatus string

// The statuses of a certificate, as far as possible ACM's.
const (
	CertPending CertStatus = "PENDING_VALIDATION"
	CertIssued  CertStatus = "ISSUED"
	CertFailed  CertStatus = "FAILED"
	CertExpired CertStatus = "EXPIRED"
)

// DNSRecord is a record to set in the DNS.
type DNSRecord struct {
	Name  string `json:"name"` // without a trailing dot
	Type  string `json:"type"` // A, AAAA, CNAME, TXT
	Value string `json:"value"`
}
