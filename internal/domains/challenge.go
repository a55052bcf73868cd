package domains

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// isContested reports whether the nearest attached name above this one, or wildcard
// that covers it, is another project's: then DNS that leads here proves nothing,
// because it may do so for the other's sake.
func (s *Service) isContested(ctx context.Context, p anchor.ProjectID, name Name) (bool, error) {
	for _, above := range name.namesAbove() {
		h, err := s.Directory.HostnameByName(ctx, above)
		switch {
		case errors.Is(err, anchor.ErrNotFound):
		case err != nil:
			return false, err
		case h.Verified:
			return h.ProjectID != p, nil
		}
	}
	return false, nil
}

// namesAbove returns the names, up to the registrable one, that this one is below, and their
// wildcards, nearest first.
func (n Name) namesAbove() (found []string) {
	at := n.Base
	if !n.Wildcard {
		_, at, _ = strings.Cut(n.Base, ".")
	}
	for len(at) >= len(n.Registrable) {
		if wildcard := "*." + at; wildcard != n.ASCII {
			found = append(found, wildcard)
		}
		found = append(found, at)
		_, at, _ = strings.Cut(at, ".")
	}
	return found
}

func newChallenge() string { return rand.Text() }

// challengeRecord is the TXT record that proves an unverified hostname.
func challengeRecord(h anchor.Hostname) anchor.DNSRecord {
	return anchor.DNSRecord{
		Name: "_anchor-challenge." + strings.TrimPrefix(h.Name, "*."), Type: "TXT", Value: h.Challenge,
	}
}

// isProved reports whether the diagnosis found the hostname's challenge.
func isProved(h anchor.Hostname, d Diagnosis) bool {
	return h.Challenge != "" && isRight(d, challengeRecord(h))
}

func isRight(d Diagnosis, record anchor.DNSRecord) bool {
	return slices.ContainsFunc(d.Checks, func(f Finding) bool { return f.Record == record && f.State == FindingRight })
}
