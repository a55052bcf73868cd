package domains

import (
	"context"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// patience is how long a user's question waits for the DNS.
const patience = 10 * time.Second

// List returns the project's domains, newest first, without a Diagnosis.
func (s *Service) List(ctx context.Context, p anchor.ProjectID, page anchor.Page) (anchor.List[View], error) {
	found, err := s.Directory.Hostnames(ctx, p, page)
	if err != nil {
		return anchor.List[View]{}, err
	}
	views := anchor.List[View]{Items: []View{}, Next: found.Next}
	for _, h := range found.Items {
		v, err := s.describeDomain(ctx, h)
		if err != nil {
			return anchor.List[View]{}, err
		}
		views.Items = append(views.Items, v)
	}
	return views, nil
}

// Get returns one by id or name with a fresh Diagnosis, or NotFound.
func (s *Service) Get(ctx context.Context, p anchor.ProjectID, idOrName string) (View, error) {
	h, err := s.findInProject(ctx, p, idOrName)
	if err != nil {
		return View{}, err
	}
	return s.diagnoseAndDescribe(ctx, h)
}

// Check returns what Get does and makes the reconciler check the name at once.
func (s *Service) Check(ctx context.Context, p anchor.ProjectID, idOrName string) (View, error) {
	h, err := s.findInProject(ctx, p, idOrName)
	if err != nil {
		return View{}, err
	}
	if h, err = s.checkSoon(ctx, h); err != nil {
		return View{}, err
	}
	return s.diagnoseAndDescribe(ctx, h)
}

func (s *Service) describeDomain(ctx context.Context, h anchor.Hostname) (View, error) {
	v := View{Hostname: h, IsActive: h.Status == anchor.HostActive, Unicode: h.Name, Records: s.recordsToSet(h)}
	name, err := Parse(h.Name)
	if err == nil {
		v.Unicode, v.Warnings = name.Unicode, name.Warnings
	}
	if v.Target, err = s.Front.Target(ctx, h); err != nil {
		return View{}, err
	}
	if name.Apex && len(v.Target) > 0 && !hasAddress(v.Target) {
		v.Warnings = append(v.Warnings, h.Name+" is the top of its zone, where no CNAME can be (RFC 1034 §3.6.2): "+
			"use your DNS host's ALIAS, ANAME or flattened CNAME, or attach www."+h.Name+" and redirect to it.")
	}
	return v, nil
}

func hasAddress(records []anchor.DNSRecord) bool {
	for _, r := range records {
		if r.Type == "A" || r.Type == "AAAA" {
			return true
		}
	}
	return false
}

func (s *Service) diagnoseAndDescribe(ctx context.Context, h anchor.Hostname) (View, error) {
	v, err := s.describeDomain(ctx, h)
	if err != nil || h.Status == anchor.HostRemoving {
		return v, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	d, err := s.Resolver.Diagnose(ctx, s.needOf(h, v.Target))
	if err != nil {
		d = unansweredDiagnosis(h, err)
	}
	v.Diagnosis = &d
	return v, nil
}

// recordsToSet returns the records that are needed besides the address: those that prove the name to
// us and to the CA.
func (s *Service) recordsToSet(h anchor.Hostname) (need []anchor.DNSRecord) {
	if !h.Verified {
		need = append(need, challengeRecord(h))
	}
	if h.DNSValidation != nil {
		need = append(need, *h.DNSValidation)
	}
	return need
}

func (s *Service) needOf(h anchor.Hostname, target []anchor.DNSRecord) Need {
	need := Need{Name: h.Name, Target: target, Records: s.recordsToSet(h)}
	if !h.OwnCert {
		need.Issuers = s.Certificates.Issuers()
	}
	return need
}

// unansweredDiagnosis returns the Diagnosis for a check that failed.
func unansweredDiagnosis(h anchor.Hostname, err error) Diagnosis {
	return Diagnosis{Checks: []Finding{{
		Record: anchor.DNSRecord{Name: h.Name}, State: FindingUnknown,
		Detail: "The DNS of " + h.Name + " could not be queried (" + err.Error() + "). Anchor will ask again.",
	}}}
}
