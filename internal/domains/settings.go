package domains

import (
	"context"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Settings are what may change of an attached domain; nil leaves a setting alone.
type Settings struct {
	Redirect *string // another domain of the project to send requests on to, "" to serve the site
	HSTS     *bool
}

// Set changes how the edge answers for the domain, from one request to the next.
//
// Invalid for a redirect that leads nowhere; NotFound; a Conflict when the domain is
// being removed, or others redirect to it and it should redirect itself.
func (s *Service) Set(ctx context.Context, p anchor.ProjectID, idOrName string, set Settings) (View, error) {
	h, err := s.findInProject(ctx, p, idOrName)
	if err != nil {
		return View{}, err
	}
	var to string
	if set.Redirect != nil && *set.Redirect != "" {
		if to, err = s.checkedRedirect(ctx, h, *set.Redirect); err != nil {
			return View{}, err
		}
	}
	leave, err := s.lanes.takeLane(ctx, h.ID)
	if err != nil {
		return View{}, err
	}
	defer s.wakeReconciler()
	defer leave()
	h, err = s.changeRecord(ctx, h.ID, func(h anchor.Hostname) (anchor.Hostname, error) {
		switch {
		case h.ProjectID != p:
			return h, errUnknown(h.Name)
		case h.Status == anchor.HostRemoving:
			return h, errRemoving(h.Name)
		}
		if set.Redirect != nil {
			h.Redirect = to
		}
		if set.HSTS != nil {
			h.HSTS = *set.HSTS
		}
		h.NextCheck = s.now().UnixMilli() // for an edge that cannot be reached now
		return h, nil
	})
	if err != nil {
		return View{}, err
	}
	if h.CloudFrontStatus == anchor.EdgeDeployed {
		if err := s.Front.Attach(ctx, h); err != nil {
			h.Problem = describeFailure(h.Name+" is changed, but the edge does not know yet", err)
		}
	}
	return s.describeDomain(ctx, h)
}

func (s *Service) checkedRedirect(ctx context.Context, h anchor.Hostname, to string) (string, error) {
	name, err := Parse(h.Name)
	if err == nil {
		err = s.checkRedirect(ctx, h.ProjectID, name, to)
	}
	if err != nil {
		return "", err
	}
	others, err := s.listRedirectsTo(ctx, h)
	if err != nil {
		return "", err
	}
	if len(others) > 0 {
		return "", anchor.Conflict("domain_is_target", "%s redirects to %s, which would redirect itself", others[0].Name, h.Name).
			Hintf("Redirect it elsewhere first: anchor domains set %s --redirect-to NAME", others[0].Name)
	}
	return redirectOf(Request{Redirect: to}), nil
}
