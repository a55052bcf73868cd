package domains

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// takeOverDomain moves a name that another project holds to p, when the DNS shows that its owner
// wants that: a claim that was never proved, or one of a project that no longer belongs to the
// owner, must not keep the owner from the name. The certificate stays and the edge changes over
// in one step, as with a move. Conflict "domain_taken", with the record to set, while the DNS
// lacks that record.
func (s *Service) takeOverDomain(ctx context.Context, p anchor.ProjectID, h anchor.Hostname, r Request) (anchor.Hostname, error) {
	proof := takeoverRecord(p, h.Name)
	d, err := s.Resolver.Diagnose(ctx, Need{Name: h.Name, Records: []anchor.DNSRecord{proof}})
	if err != nil || !isRight(d, proof) {
		return h, anchor.Conflict("domain_taken", "the domain %s is attached already", h.Name).
			Hintf("A domain belongs to one project. If it is yours, remove it there, or set this\nrecord and add it here again:\n%s TXT %s",
				proof.Name, proof.Value).Because(err)
	}
	leave, err := s.lanes.takeLane(ctx, h.ID)
	if err != nil {
		return h, err
	}
	defer s.wakeReconciler()
	defer leave()
	h, err = s.changeRecord(ctx, h.ID, func(h anchor.Hostname) (anchor.Hostname, error) {
		if h.Status == anchor.HostRemoving {
			return h, errRemoving(h.Name)
		}
		h.ProjectID, h.Redirect, h.HSTS = p, redirectOf(r), r.HSTS
		h.Verified, h.Challenge, h.Problem = true, "", ""
		h.Attempts, h.NextCheck = 0, s.now().UnixMilli()
		return h, nil
	})
	if err == nil && len(r.Chain) > 0 {
		h, err = s.importInto(ctx, h, r)
	}
	if err != nil || h.CloudFrontStatus != anchor.EdgeDeployed {
		return h, err
	}
	if err := s.Front.Attach(ctx, h); err != nil {
		h.Problem = describeFailure(h.Name+" is taken over, but the edge does not know yet", err)
	}
	return h, nil
}

// takeoverRecord returns the TXT record with which the owner of a name assigns it to p. It
// contains no secret: only a person who may write the DNS can set it, and it names the one
// project that it is for.
func takeoverRecord(p anchor.ProjectID, name string) anchor.DNSRecord {
	sum := sha256.Sum256([]byte("anchor takeover\x00" + string(p) + "\x00" + name))
	value := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:16])
	return anchor.DNSRecord{Name: "_anchor-challenge." + strings.TrimPrefix(name, "*."), Type: "TXT", Value: value}
}
