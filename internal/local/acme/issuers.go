package acme

// LetsEncrypt is the CAA value by which Let's Encrypt may issue (RFC 8659).
const LetsEncrypt = "letsencrypt.org"

// Issuers implements domains.Certificates. Other CAs name theirs in their directory, which
// is not asked at start because it may be out of reach.
func (m *Manager) Issuers() []string {
	switch m.cfg.CA {
	case letsEncrypt, letsEncryptStaging:
		return []string{LetsEncrypt}
	}
	return nil
}

// NeedsRecord implements domains.Certificates: HTTP-01 and TLS-ALPN-01 need none, and the
// hook sets that of DNS-01.
func (m *Manager) NeedsRecord() bool { return false }
