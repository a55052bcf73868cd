// Package acme orders certificates for attached names from an ACME CA (RFC 8555), renews them, and
// supplies them to TLS handshakes. acmez speaks the protocol; this package stores accounts, orders
// and certificates so that an order continues after a restart, schedules renewals, staples OCSP
// responses that no handshake waits for, and explains failures to the owners of the names.
//
// It opens no listener: the edge serves both challenges. Nothing is issued because a client asked
// for a name: only Ensure starts an order.
package acme

import (
	"crypto/x509"
	"log/slog"
	"time"
)

// Let's Encrypt's directories.
const (
	letsEncrypt        = "https://acme-v02.api.letsencrypt.org/directory"
	letsEncryptStaging = "https://acme-staging-v02.api.letsencrypt.org/directory"
)

// Config says which CA to ask and how to answer it. Zero fields take the default their comment
// names.
type Config struct {
	// Dir is the folder of accounts, keys, certificates and orders under way. Only one Manager may
	// use it at a time.
	Dir string
	// Email is the contact of the ACME account. May be empty.
	Email string
	// CA is the URL of the ACME directory. Default: Let's Encrypt. Using it means agreeing to the
	// CA's terms of service.
	CA string
	// Staging makes Let's Encrypt's staging CA the default of CA. Its certificates are stored apart
	// and never served once Staging is off.
	Staging bool
	// FallbackCA is asked when CA itself fails (unreachable, overloaded, out of quota), not when a
	// name's validation failed. Default: none.
	FallbackCA string
	// TrustedRoots are the roots that the CA's own HTTPS is checked against. Default: the system's.
	TrustedRoots *x509.CertPool

	// NoHTTP01 and NoTLSALPN01 say that the edge does not answer that challenge on the port the CA
	// uses (80, 443).
	NoHTTP01, NoTLSALPN01 bool
	// DNS01 is a program that sets DNS records, see Hook. Wildcards need it. Default: none.
	DNS01 string
	// Resolvers are the HOST:PORT of DNS servers that must return a DNS-01 record before the CA is
	// told to check it. Default: the system's.
	Resolvers []string

	// Orders is how many orders run at a time. Default: 16.
	Orders int
	// Hot is how many certificates stay in memory; others are read from Dir by the first handshake.
	// Default: 1000.
	Hot int
	// OrderTimeout is how long one attempt at an order may take; the next one continues where it
	// stopped. Default: 5 min.
	OrderTimeout time.Duration
	// FirstRetry is how long a name waits after its first failure; the wait doubles up to 12 h. A
	// longer Retry-After of the CA takes precedence. FirstRetry is also the least time between two
	// questions to a CA for a renewal window, or to an OCSP responder about a certificate. Default:
	// 1 min.
	FirstRetry time.Duration

	// Changed is called after the state of a name changed in the background. It must not block.
	// Default: none.
	Changed func(name string)
	// Log receives what the operator should know. Default: slog.Default().
	Log *slog.Logger
}

func (c Config) withDefaults() Config {
	if c.CA == "" {
		c.CA = letsEncrypt
		if c.Staging {
			c.CA = letsEncryptStaging
		}
	}
	if c.Orders <= 0 {
		c.Orders = 16
	}
	if c.Hot <= 0 {
		c.Hot = 1000
	}
	if c.OrderTimeout <= 0 {
		c.OrderTimeout = 5 * time.Minute
	}
	if c.FirstRetry <= 0 {
		c.FirstRetry = time.Minute
	}
	if c.Changed == nil {
		c.Changed = func(string) {}
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return c
}
