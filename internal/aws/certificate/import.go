package certificate

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"slices"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acm"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awserr"
	"github.com/anchor-deploy/anchor/internal/domains"
)

// Import implements domains.Certificates. If the user brought a certificate before, it keeps that
// one's ARN, so that CloudFront uses the new one without a change.
func (d *Domains) Import(ctx context.Context, h anchor.Hostname, chain, key []byte) (domains.Certificate, error) {
	leaf, err := checkOwn(h.Name, chain, key, time.Now())
	if err != nil {
		return domains.Certificate{}, err
	}
	p, err := d.Projects.Project(ctx, h.ProjectID)
	if err != nil {
		return domains.Certificate{}, err
	}
	first, rest := splitChain(chain)
	in := &acm.ImportCertificateInput{Certificate: first, PrivateKey: key, CertificateChain: rest}
	if in.CertificateArn, err = d.findImported(ctx, h); err != nil {
		return domains.Certificate{}, explainFailure(err, h.Name)
	}
	if in.CertificateArn == nil {
		in.Tags = d.acmTags(p, h) // ACM accepts no tags when it replaces an imported certificate
	}
	out, err := d.ACM.ImportCertificate(ctx, in)
	if awserr.Is(err, "ValidationException", "InvalidParameterException") {
		return domains.Certificate{}, badOwn("ACM refuses the certificate for %s", h.Name).Because(err).
			Hintf("Pass your certificate followed by its intermediates, and the unencrypted key, all in PEM.")
	}
	if err != nil {
		return domains.Certificate{}, explainFailure(err, h.Name)
	}
	return domains.Certificate{
		ARN: sdk.ToString(out.CertificateArn), Status: anchor.CertIssued, NotAfter: leaf.NotAfter.UnixMilli(),
	}, nil
}

// findImported returns the ARN of the certificate that the user brought before, or nil when there is
// none.
func (d *Domains) findImported(ctx context.Context, h anchor.Hostname) (*string, error) {
	if !h.OwnCert || h.CertificateARN == "" {
		return nil, nil
	}
	detail, err := d.see(ctx, h.CertificateARN)
	if err != nil || detail == nil {
		return nil, err
	}
	return detail.CertificateArn, nil
}

func badOwn(format string, args ...any) *anchor.Error {
	return anchor.Invalid("bad_certificate", format, args...)
}

// splitChain separates the certificate from the rest of its chain, because ACM expects them in two
// fields.
func splitChain(chain []byte) (first, rest []byte) {
	block, rest := pem.Decode(chain)
	if rest = bytes.TrimSpace(rest); len(rest) == 0 {
		rest = nil
	}
	return pem.EncodeToMemory(block), rest
}

// checkOwn checks a certificate for the faults that AWS or visitors would refuse.
func checkOwn(name string, chain, key []byte, now time.Time) (*x509.Certificate, error) {
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return nil, badOwn("the certificate and the key for %s cannot be read, or do not belong together", name).Because(err).
			Hintf("The certificate of %s must come first, followed by its intermediates. The key must be unencrypted. All must be in PEM.", name)
	}
	leaf := pair.Leaf
	switch {
	case !coversName(leaf, name):
		return nil, badOwn("the certificate is for %s, not for %s", strings.Join(leaf.DNSNames, ", "), name).
			Hintf("Request a certificate that names %s.", name)
	case now.After(leaf.NotAfter) || now.Before(leaf.NotBefore):
		return nil, badOwn("the certificate for %s is valid from %s to %s only", name,
			leaf.NotBefore.UTC().Format(time.DateOnly), leaf.NotAfter.UTC().Format(time.DateOnly)).
			Hintf("Renew it and import the new one.")
	case !checkServable(leaf):
		return nil, badOwn("CloudFront does not serve the kind of key that the certificate for %s has", name).
			Hintf("Request a certificate for an RSA key of 2048 to 4096 bits, or for ECDSA P-256.")
	}
	return leaf, nil
}

func coversName(leaf *x509.Certificate, name string) bool {
	if strings.HasPrefix(name, "*.") {
		return slices.Contains(leaf.DNSNames, name)
	}
	return leaf.VerifyHostname(name) == nil
}

// checkServable follows the CloudFront Developer Guide, "Requirements for using SSL/TLS certificates
// with CloudFront".
func checkServable(leaf *x509.Certificate) bool {
	switch key := leaf.PublicKey.(type) {
	case *rsa.PublicKey:
		return key.N.BitLen() >= 2048 && key.N.BitLen() <= 4096
	case *ecdsa.PublicKey:
		return key.Curve == elliptic.P256()
	}
	return false
}
