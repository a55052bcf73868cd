package domains

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Add attaches the domain, and with r.WWW its companion, which redirects to it. The rest
// continues in the background. A domain of the same project that is attached already gets the
// new certificate when r has one.
//
// Invalid for a name that cannot be attached and for a certificate that does not fit; Conflict
// "domain_taken", "domain_attached" or "domain_removing"; NotFound without the project.
func (s *Service) Add(ctx context.Context, p anchor.ProjectID, r Request) (View, error) {
	name, err := s.parseAttachable(r.Domain)
	if err == nil {
		err = s.checkRequest(ctx, p, name, r)
	}
	if err != nil {
		return View{}, err
	}
	var companion Name
	if r.WWW {
		if companion, err = s.findCompanion(ctx, p, name); err != nil {
			return View{}, err
		}
	}
	h, err := s.attachDomain(ctx, p, name, r)
	if r.WWW && anchor.CodeOf(err) == "domain_attached" { // the companion alone was asked for
		h, err = s.findInProject(ctx, p, name.ASCII)
	}
	if err != nil {
		return View{}, err
	}
	note := name.Note
	if r.WWW {
		if err := s.attachCompanion(ctx, h, companion, r); err != nil {
			return View{}, err
		}
		note = strings.TrimPrefix(note+"; "+companion.ASCII+" redirects to it", "; ")
	}
	v, err := s.startFirstCheck(ctx, h)
	v.Note, v.Unicode = note, name.Unicode
	return v, err
}

// startFirstCheck wakes the reconciler. Where the CA requires a record, it waits for the first
// check, so that the user sees all records at once.
func (s *Service) startFirstCheck(ctx context.Context, h anchor.Hostname) (View, error) {
	if s.Certificates.NeedsRecord() {
		s.reconcileDomain(ctx, h.ID)
		stored, err := s.Directory.Hostname(ctx, h.ID)
		if err != nil {
			return View{}, err
		}
		h = stored
	}
	s.wakeReconciler()
	return s.describeDomain(ctx, h)
}

// parseAttachable is Parse without the names that are Anchor's own.
func (s *Service) parseAttachable(domain string) (Name, error) {
	name, err := Parse(domain)
	if err != nil {
		return Name{}, err
	}
	base := strings.TrimSuffix(strings.ToLower(s.Front.Base()), ".")
	if base != "" && (name.Base == base || strings.HasSuffix(name.Base, "."+base)) {
		return Name{}, errBadName("%q is a name that Anchor assigns to sites", name.ASCII).
			Hintf("Every project has such a name already; attach a domain outside %s.", base)
	}
	if s.Reserved != "" && answersFor(name.ASCII, s.Reserved) {
		return Name{}, errBadName("%q is a name of the server's own API", s.Reserved).Hintf("Attach another domain.")
	}
	return name, nil
}

// answersFor reports whether a domain, which may be a wildcard, answers for a host.
func answersFor(domain, host string) bool {
	if base, wildcard := strings.CutPrefix(domain, "*."); wildcard {
		_, above, _ := strings.Cut(host, ".")
		return above == base
	}
	return domain == host
}

func (s *Service) checkRequest(ctx context.Context, p anchor.ProjectID, name Name, r Request) error {
	if (len(r.Chain) > 0) != (len(r.Key) > 0) {
		return anchor.Invalid("bad_certificate", "a certificate and its key belong together, and one of them is missing").
			Hintf("Pass both: --cert FILE --key FILE")
	}
	switch {
	case r.Redirect == "":
		return nil
	case r.WWW:
		return anchor.Invalid("bad_redirect", "%s cannot redirect, because its companion redirects to it", name.ASCII).
			Hintf("Omit one of the two.")
	}
	return s.checkRedirect(ctx, p, name, r.Redirect)
}

func (s *Service) checkRedirect(ctx context.Context, p anchor.ProjectID, name Name, to string) error {
	target, err := s.parseAttachable(to)
	switch {
	case err != nil:
		return err
	case target.Wildcard:
		return anchor.Invalid("bad_redirect", "%s is a wildcard and cannot be the target of a redirect", target.ASCII).Hintf("Pass one domain.")
	case target.ASCII == name.ASCII:
		return anchor.Invalid("bad_redirect", "%s cannot redirect to itself", name.ASCII).Hintf("Choose another domain of the project.")
	}
	h, err := s.findInProject(ctx, p, target.ASCII)
	switch {
	case errors.Is(err, anchor.ErrNotFound):
		return anchor.Invalid("bad_redirect", "%s is not a domain of this project", target.ASCII).Hintf("Attach it first: anchor domains add %s", target.ASCII)
	case err == nil && h.Redirect != "":
		return anchor.Invalid("bad_redirect", "%s redirects to %s itself", h.Name, h.Redirect).Hintf("Redirect to %s.", h.Redirect)
	}
	return err
}

// findCompanion returns the other of www and apex, and refuses when it is not free to become this
// name's.
func (s *Service) findCompanion(ctx context.Context, p anchor.ProjectID, name Name) (Name, error) {
	other, www := strings.CutPrefix(name.ASCII, "www.")
	switch {
	case www:
	case name.Apex:
		other = "www." + name.ASCII
	default:
		return Name{}, anchor.Invalid("no_companion", "%s has no www companion", name.ASCII).
			Hintf("Only a domain and its www name can be combined.")
	}
	companion, err := s.parseAttachable(other)
	if err != nil {
		return Name{}, err
	}
	h, err := s.Directory.HostnameByName(ctx, companion.ASCII)
	switch {
	case errors.Is(err, anchor.ErrNotFound):
		return companion, nil
	case err != nil:
		return Name{}, err
	}
	if h.ProjectID == p && h.Redirect == name.ASCII {
		return companion, nil
	}
	return Name{}, anchor.Conflict("domain_taken", "the domain %s is attached already and does not redirect to %s", companion.ASCII, name.ASCII).
		Hintf("Add %s without its companion, or remove %s first.", name.ASCII, companion.ASCII)
}

// attachCompanion attaches the companion unless it is attached. The user's own certificate
// serves it too when it names it.
func (s *Service) attachCompanion(ctx context.Context, h anchor.Hostname, companion Name, r Request) error {
	own := Request{Redirect: h.Name, HSTS: r.HSTS}
	if certificateCovers(r.Chain, companion.ASCII) {
		own.Chain, own.Key = r.Chain, r.Key
	}
	_, err := s.attachDomain(ctx, h.ProjectID, companion, own)
	if anchor.CodeOf(err) == "domain_attached" {
		return nil
	}
	return err
}

func certificateCovers(chain []byte, name string) bool {
	block, _ := pem.Decode(chain)
	if block == nil {
		return false
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	return err == nil && leaf.VerifyHostname(name) == nil
}

// attachDomain makes the record, and with it the claim to the name, and imports the
// certificate that came along.
func (s *Service) attachDomain(ctx context.Context, p anchor.ProjectID, name Name, r Request) (anchor.Hostname, error) {
	h, err := s.draftRecord(ctx, p, name, r)
	if err != nil {
		return h, err
	}
	leave, err := s.lanes.takeLane(ctx, h.ID)
	if err != nil {
		return h, err
	}
	defer leave()
	if err := s.createRecord(ctx, h); err != nil {
		if anchor.CodeOf(err) == "domain_taken" {
			return s.useAttached(ctx, p, h.Name, r, err)
		}
		return h, err
	}
	h.Revision = 1
	if !h.OwnCert {
		return h, nil
	}
	stored, err := s.importInto(ctx, h, r)
	if err != nil {
		_, undone := s.removeInLane(context.WithoutCancel(ctx), h.ID) // what it cannot do now, the reconciler does
		return h, errors.Join(err, undone)
	}
	return stored, nil
}

func (s *Service) draftRecord(ctx context.Context, p anchor.ProjectID, name Name, r Request) (anchor.Hostname, error) {
	contested, err := s.isContested(ctx, p, name)
	if err != nil {
		return anchor.Hostname{}, err
	}
	now := s.now()
	h := anchor.Hostname{
		ID: anchor.HostnameID(anchor.NewID()), ProjectID: p, Name: name.ASCII,
		Status: anchor.HostPending, CertificateStatus: anchor.CertPending,
		HSTS: r.HSTS, OwnCert: len(r.Chain) > 0, Verified: !contested,
		CreatedAt: now.UnixMilli(), UpdatedAt: now.UnixMilli(), NextCheck: now.UnixMilli(),
	}
	if contested {
		h.Challenge = newChallenge()
	}
	h.Redirect = redirectOf(r)
	return h, nil
}

// redirectOf returns the target as it is stored; checkRequest has validated it.
func redirectOf(r Request) string {
	target, err := Parse(r.Redirect)
	if err != nil {
		return ""
	}
	return target.ASCII
}

// createRecord inserts h; when the answer is lost it reads whether h exists.
func (s *Service) createRecord(ctx context.Context, h anchor.Hostname) error {
	err := s.Records.CreateHostname(ctx, h)
	if err == nil || errors.Is(err, anchor.ErrConflict) || errors.Is(err, anchor.ErrNotFound) {
		return err
	}
	if _, lookErr := s.Directory.Hostname(ctx, h.ID); lookErr == nil {
		return nil
	}
	return err
}

// useAttached is Add for a name that is attached: it imports a new certificate, and otherwise
// returns the name's state. A name of another project has to be taken over.
func (s *Service) useAttached(ctx context.Context, p anchor.ProjectID, name string, r Request, taken error) (anchor.Hostname, error) {
	h, err := s.Directory.HostnameByName(ctx, name)
	switch {
	case err != nil:
		return h, taken
	case h.ProjectID != p:
		return s.takeOverDomain(ctx, p, h, r)
	case h.Status == anchor.HostRemoving:
		return h, errRemoving(name)
	case len(r.Chain) == 0:
		return h, anchor.Conflict("domain_attached", "the domain %s is attached to this project already", name).
			Hintf("To see its state, run anchor domains check %s", name)
	}
	leave, err := s.lanes.takeLane(ctx, h.ID)
	if err != nil {
		return h, err
	}
	defer leave()
	return s.importInto(ctx, h, r)
}

// importInto imports the user's certificate for the hostname. The old one stays in use until
// the edge has the new one.
func (s *Service) importInto(ctx context.Context, h anchor.Hostname, r Request) (anchor.Hostname, error) {
	cert, err := s.Certificates.Import(ctx, h, r.Chain, r.Key)
	if err != nil {
		return h, err
	}
	return s.changeRecord(ctx, h.ID, func(h anchor.Hostname) (anchor.Hostname, error) {
		h.OwnCert, h.DNSValidation = true, nil
		h.CertificateARN, h.CertificateStatus, h.NotAfter = cert.ARN, cert.Status, cert.NotAfter
		h.Attempts, h.NextCheck = 0, s.now().UnixMilli()
		return h, nil
	})
}
