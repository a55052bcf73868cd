package aws

import (
	"context"
	"fmt"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/front"
)

// lookup bounds how long printing a URL may wait for CloudFront.
const lookup = 5 * time.Second

// Hosts returns the host names of a project and of one of its deployments. CloudFront assigns the
// first when it creates the distribution; until then both are "". The second is a label in front
// of the first. No DNS name of cloudfront.net resolves to it, so requests have to carry it
// themselves; users follow URLs.
func (p *Platform) Hosts(project anchor.Project, d anchor.DeploymentID) (site, deployment string) {
	domain := p.distributionDomain(project)
	if domain == "" {
		return "", ""
	}
	return domain, string(d) + "--" + project.Slug + "." + domain
}

// URLs returns the addresses of a project and of one of its deployments. The second sets a cookie
// that keeps the browser on that deployment.
func (p *Platform) URLs(project anchor.Project, d anchor.DeploymentID) (site, deployment string) {
	domain := p.distributionDomain(project)
	if domain == "" {
		return "", ""
	}
	site = "https://" + domain
	if d != "" {
		deployment = site + "/__anchor/preview/" + string(d)
	}
	return site, deployment
}

// noDistribution is the code of front's error for a project before its first deployment.
const noDistribution = "no_distribution"

// distributionDomain returns the domain of the project's distribution, or "" while it has none. In an
// installation of one project it may be set.
func (p *Platform) distributionDomain(project anchor.Project) string {
	if p.Site.Domain != "" {
		return p.Site.Domain
	}
	ctx, cancel := context.WithTimeout(context.Background(), lookup)
	defer cancel()
	site, err := p.siteOf(ctx, project)
	if err != nil && anchor.CodeOf(err) != noDistribution {
		p.Log.Warn("look up the distribution", "slug", project.Slug, "error", err)
	}
	return site.Domain
}

func (p *Platform) siteOf(ctx context.Context, project anchor.Project) (front.Site, error) {
	p.mu.Lock()
	site, known := p.sites[project.ID]
	p.mu.Unlock()
	if known {
		return site, nil
	}
	site, err := p.front.Find(ctx, project)
	if err == nil {
		p.keepSite(project, site)
	}
	return site, err
}

func (p *Platform) keepSite(project anchor.Project, site front.Site) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sites[project.ID] = site
}

// ensureFront creates the project's distribution, or updates it to what this version of Anchor would
// create. live holds the hosts of the live aliases' URLs.
func (p *Platform) ensureFront(ctx context.Context, project anchor.Project, live map[string]string) error {
	site, err := p.front.Ensure(ctx, project, live)
	if err != nil {
		return fmt.Errorf("make the distribution of %s: %w", project.Slug, err)
	}
	p.keepSite(project, site)
	if err := p.note(ctx, project, site); err != nil {
		return err
	}
	if err := p.domains.Follow(ctx, project); err != nil {
		return fmt.Errorf("bring the domains of %s up to date: %w", project.Slug, err)
	}
	return nil
}
