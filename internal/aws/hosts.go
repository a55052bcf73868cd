package aws

import (
	"context"
	"fmt"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/front"
)

// lookup bounds how long a URL that has to be printed may wait for CloudFront.
const lookup = 5 * time.Second

// Hosts gives the host names of a project and of one of its deployments. CloudFront
// chooses the first when it makes the distribution: before, both are "". The second
// is a label before it, which requests have to carry themselves: no DNS name of
// cloudfront.net leads there. Users go by URLs.
func (p *Platform) Hosts(project anchor.Project, d anchor.DeploymentID) (site, deployment string) {
	domain := p.domain(project)
	if domain == "" {
		return "", ""
	}
	return domain, string(d) + "--" + project.Slug + "." + domain
}

// URLs gives the addresses of a project and of one of its deployments; the latter
// sets a cookie that keeps the browser on that deployment.
func (p *Platform) URLs(project anchor.Project, d anchor.DeploymentID) (site, deployment string) {
	domain := p.domain(project)
	if domain == "" {
		return "", ""
	}
	site = "https://" + domain
	if d != "" {
		deployment = site + "/__anchor/preview/" + string(d)
	}
	return site, deployment
}

// noDistribution is the code of front's error about a project before its first deployment.
const noDistribution = "no_distribution"

// domain is that of the project's distribution, "" while there is none.
func (p *Platform) domain(project anchor.Project) string {
	ctx, cancel := context.WithTimeout(context.Background(), lookup)
	defer cancel()
	site, err := p.site(ctx, project)
	if err != nil && anchor.CodeOf(err) != noDistribution {
		p.Log.Warn("look up the distribution", "slug", project.Slug, "error", err)
	}
	return site.Domain
}

func (p *Platform) site(ctx context.Context, project anchor.Project) (front.Site, error) {
	p.mu.Lock()
	site, known := p.sites[project.ID]
	p.mu.Unlock()
	if known {
		return site, nil
	}
	site, err := p.front.Find(ctx, project)
	if err == nil {
		p.keep(project, site)
	}
	return site, err
}

func (p *Platform) keep(project anchor.Project, site front.Site) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sites[project.ID] = site
}

// ensure makes the project's distribution, or brings it up to date with what this
// version of Anchor would make. live are the hosts of the live aliases' URLs.
func (p *Platform) ensure(ctx context.Context, project anchor.Project, live map[string]string) error {
	site, err := p.front.Ensure(ctx, project, live)
	if err != nil {
		return fmt.Errorf("make the distribution of %s: %w", project.Slug, err)
	}
	p.keep(project, site)
	if err := p.note(ctx, project, site); err != nil {
		return err
	}
	if err := p.domains.Follow(ctx, project); err != nil {
		return fmt.Errorf("bring the domains of %s up to date: %w", project.Slug, err)
	}
	return nil
}
