package acme

// LetsEncrypt is the CAA value by which Let's Encrypt may issue (RFC 8659).
const LetsEncrypt = "letsencrypt.org"

// Issuers implements domains.Certificates. Other CAs publish their CAA value in their directory,
// which is not fetched at start because it may be out of reach.
func (m *Manager) Issuers() []string {
	switch m.cfg.CA {
	case letsEncrypt, letsEncryptStaging:
		return []string{LetsEncrypt}
	}
	return nil
}

// NeedsRecord implements domains.Certificates: HTTP-01 and TLS-ALPN-01 need no DNS record, and the
// hook sets the record of DNS-01.
func (m *Manager) NeedsRecord() bool { return false }
