package api

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

func (s *server) cacheRoutes() {
	stats := newOperation("get-cache", http.MethodGet, "/projects/{projectId}/cache", anchor.ScopeRead,
		"Get what the edge stores of a project's answers", 404, 501)
	handleRoute(s, stats, s.getCache)
	purge := newOperation("purge-cache", http.MethodPost, "/projects/{projectId}/cache/purge", anchor.ScopeDeploy,
		"Remove stored answers of a project", 404, 501)
	purge.Description += " With an empty object, all of them. No request that arrives after the response gets what was removed."
	handleRoute(s, purge, s.purgeCache)
	s.cacheListRoute()
}

func (s *server) getCache(ctx context.Context, in *InProject) (*body[wire.Cache], error) {
	p, err := s.cachedProject(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	stats, err := s.Cache.Stats(ctx, p)
	if err != nil {
		return nil, err
	}
	return answerWith(stats), nil
}

func (s *server) purgeCache(ctx context.Context, in *struct {
	InProject
	Body wire.PurgeCache
}) (*body[wire.PurgedCache], error) {
	p, err := s.cachedProject(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	sel, err := selection(in.Body)
	if err != nil {
		return nil, err
	}
	if sel.Deployment != "" {
		if _, err := s.Deploys.Get(ctx, p.ID, sel.Deployment); err != nil {
			return nil, err
		}
	}
	purged, err := s.Cache.Purge(ctx, p, sel)
	if err != nil {
		return nil, err
	}
	return answerWith(wire.PurgedCache{Purged: purged}), nil
}

// cachedProject finds a project on a server that has the cache.
func (s *server) cachedProject(ctx context.Context, idOrSlug string) (anchor.Project, error) {
	p, err := s.Projects.Get(ctx, idOrSlug)
	if err == nil && s.Cache == nil {
		err = newProblem(http.StatusNotImplemented, "no_edge_cache", "on AWS, CloudFront stores the answers, not Anchor",
			"revalidateTag and revalidatePath reach CloudFront by themselves; to remove anything else, run aws cloudfront create-invalidation")
	}
	return p, err
}

// selection checks what a request wants to remove.
func selection(in wire.PurgeCache) (sel anchor.CacheSelection, err error) {
	sel = anchor.CacheSelection{Tag: in.Tag, Deployment: in.DeploymentID}
	if in.URL != "" && in.Prefix != "" {
		return sel, anchor.Invalid("url_and_prefix", "url and prefix cannot be combined").Hintf("Send one of them.")
	}
	if in.URL != "" {
		sel.Host, sel.Path, err = hostAndPath("url", in.URL)
	}
	if in.Prefix != "" {
		sel.Host, sel.Prefix, err = hostAndPath("prefix", in.Prefix)
	}
	return sel, err
}

// hostAndPath splits an address; host is "" for a path.
func hostAndPath(member, address string) (host, path string, err error) {
	u, parse := url.Parse(address)
	isPath := strings.HasPrefix(address, "/") && !strings.HasPrefix(address, "//")
	if parse != nil || !isPath && (u.Scheme != "http" && u.Scheme != "https" || u.Host == "") || u.User != nil || u.Fragment != "" {
		return "", "", anchor.Invalid("bad_address", "%s is %q, which is neither an http(s) address nor a path", member, address).
			Hintf("Send an address such as https://shop.example.com/products/1, or a path such as /products/1.").Because(parse)
	}
	return u.Hostname(), u.RequestURI(), nil
}
