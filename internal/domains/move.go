package domains

import (
	"context"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Move moves the domain, and those that redirect to it, to another project. The certificate
// stays, and the edge changes over in one step. When the edge cannot be reached, the move is
// decided nevertheless, and the View says so.
//
// NotFound when the domain or the other project does not exist; a Conflict when the domain is
// being removed or redirects to another domain.
func (s *Service) Move(ctx context.Context, p anchor.ProjectID, idOrName string, to anchor.ProjectID) (View, error) {
	h, err := s.findInProject(ctx, p, idOrName)
	if err != nil {
		return View{}, err
	}
	if h.Redirect != "" {
		return View{}, anchor.Conflict("domain_redirects", "%s redirects to %s and moves with it", h.Name, h.Redirect).
			Hintf("Move that domain: anchor domains move %s --to PROJECT", h.Redirect)
	}
	others, err := s.listRedirectsTo(ctx, h)
	if err != nil {
		return View{}, err
	}
	if h, err = s.moveDomain(ctx, p, h.ID, to); err != nil {
		return View{}, err
	}
	for _, other := range others {
		if _, err := s.moveDomain(ctx, p, other.ID, to); err != nil {
			return View{}, err
		}
	}
	return s.describeDomain(ctx, h)
}

func (s *Service) moveDomain(ctx context.Context, p anchor.ProjectID, id anchor.HostnameID, to anchor.ProjectID) (anchor.Hostname, error) {
	leave, err := s.lanes.takeLane(ctx, id)
	if err != nil {
		return anchor.Hostname{}, err
	}
	defer s.wakeReconciler()
	defer leave()
	h, err := s.changeRecord(ctx, id, func(h anchor.Hostname) (anchor.Hostname, error) {
		switch {
		case h.ProjectID != p && h.ProjectID != to:
			return h, errUnknown(h.Name)
		case h.Status == anchor.HostRemoving:
			return h, errRemoving(h.Name)
		}
		h.ProjectID, h.Attempts, h.NextCheck = to, 0, s.now().UnixMilli()
		return h, nil
	})
	if err != nil || h.CloudFrontStatus != anchor.EdgeDeployed {
		return h, err
	}
	if err := s.Front.Attach(ctx, h); err != nil {
		h.Problem = describeFailure(h.Name+" is moved, but the edge does not know yet", err)
	}
	return h, nil
}

func errRemoving(name string) error {
	return anchor.Conflict("domain_removing", "the domain %s is being removed", name).
		Hintf("Wait until it is gone, then add it again: anchor domains add %s", name)
}
