package api

import (
	"context"
	"net/http"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
	"github.com/anchor-deploy/anchor/internal/domains"
)

// InDomain is the part of an input that names the domain.
type InDomain struct {
	InProject
	DomainID string `path:"domainId" maxLength:"2048" doc:"The domain's id or its name"`
}

func (s *server) domainRoutes() {
	const all, one = "/projects/{projectId}/domains", "/projects/{projectId}/domains/{domainId}"
	handleRoute(s, newOperation("list-domains", http.MethodGet, all, anchor.ScopeRead, "List domains, newest first", 404), s.listDomains)
	add := newOperation("add-domain", http.MethodPost, all, anchor.ScopeDeploy, "Attach a domain; the response contains the DNS records to set", 404, 409)
	add.DefaultStatus = http.StatusCreated
	handleRoute(s, add, s.addDomain)
	handleRoute(s, newOperation("get-domain", http.MethodGet, one, anchor.ScopeRead, "Get a domain and the current state of its DNS", 404), s.getDomain)
	check := newOperation("check-domain", http.MethodPost, one+"/check", anchor.ScopeDeploy,
		"Check a domain now, and retry at once anything that waits for its DNS", 404)
	check.Metadata[quietKey] = true
	handleRoute(s, check, s.checkDomain)
	handleRoute(s, newOperation("set-domain", http.MethodPatch, one, anchor.ScopeDeploy,
		"Change the redirect and HSTS settings of a domain", 404, 409), s.setDomain)
	handleRoute(s, newOperation("remove-domain", http.MethodDelete, one, anchor.ScopeDeploy,
		"Remove a domain and delete its certificate", 404, 409), s.removeDomain)
	handleRoute(s, newOperation("move-domain", http.MethodPost, one+"/move", anchor.ScopeAdmin,
		"Move a domain to another project", 404, 409), s.moveDomain)
}

func (s *server) listDomains(ctx context.Context, in *struct {
	InProject
	Paged
}) (*body[anchor.List[wire.Domain]], error) {
	p, err := s.Projects.Get(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	list, err := s.Domains.List(ctx, p.ID, in.pageOf())
	if err != nil {
		return nil, err
	}
	return answerWith(mapList(list, shownDomain)), nil
}

func (s *server) addDomain(ctx context.Context, in *struct {
	InProject
	Body wire.AddDomain
}) (*body[wire.Domain], error) {
	p, err := s.Projects.Get(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	b := in.Body
	if (b.Certificate == "") != (b.PrivateKey == "") {
		return nil, anchor.Invalid("half_certificate", "the request has only one of certificate and privateKey").
			Hintf("Send both to use your own certificate, or neither to have one issued.")
	}
	r := domains.Request{Domain: b.Domain, Redirect: b.RedirectTo, WWW: b.WWW, HSTS: b.HSTS}
	noteTarget(ctx, b.Domain)
	if b.Certificate != "" {
		r.Chain, r.Key = []byte(b.Certificate), []byte(b.PrivateKey)
	}
	return domainOf(s.Domains.Add(ctx, p.ID, r))
}

func (s *server) getDomain(ctx context.Context, in *InDomain) (*body[wire.Domain], error) {
	p, err := s.Projects.Get(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	return domainOf(s.Domains.Get(ctx, p.ID, in.DomainID))
}

func (s *server) checkDomain(ctx context.Context, in *InDomain) (*body[wire.Domain], error) {
	p, err := s.Projects.Get(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	return domainOf(s.Domains.Check(ctx, p.ID, in.DomainID))
}

func (s *server) setDomain(ctx context.Context, in *struct {
	InDomain
	Body wire.SetDomain
}) (*body[wire.Domain], error) {
	p, err := s.Projects.Get(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	noteChange(ctx, nil, in.Body)
	return domainOf(s.Domains.Set(ctx, p.ID, in.DomainID, domains.Settings{Redirect: in.Body.RedirectTo, HSTS: in.Body.HSTS}))
}

func (s *server) removeDomain(ctx context.Context, in *InDomain) (*empty, error) {
	p, err := s.Projects.Get(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	return nil, s.Domains.Remove(ctx, p.ID, in.DomainID)
}

func (s *server) moveDomain(ctx context.Context, in *struct {
	InDomain
	Body wire.MoveDomain
}) (*body[wire.Domain], error) {
	from, err := s.Projects.Get(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	to, err := s.Projects.Get(ctx, in.Body.ProjectID)
	if err == nil && !actorOf(ctx).Sees(to.ID) {
		err = unknownProject(in.Body.ProjectID)
	}
	if err == nil {
		err = actorOf(ctx).RequireIn(to.ID, anchor.ScopeAdmin)
	}
	if err != nil {
		return nil, err
	}
	noteChange(ctx, from.Slug, to.Slug)
	return domainOf(s.Domains.Move(ctx, from.ID, in.DomainID, to.ID))
}

func domainOf(v domains.View, err error) (*body[wire.Domain], error) {
	if err != nil {
		return nil, err
	}
	return answerWith(shownDomain(v)), nil
}
