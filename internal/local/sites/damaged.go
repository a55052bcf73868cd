package sites

import (
	"log/slog"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/local/edge"
)

// damaged is a deployment that should serve and cannot be opened: files of it are missing, or its
// variables cannot be read.
type damaged struct {
	project anchor.Project
	edge    *edge.Site
}

// markDamaged makes the hosts of a deployment answer 503 until its site is opened.
func (p *Platform) markDamaged(project anchor.Project, id anchor.DeploymentID, cause error) {
	slog.Error("a deployment cannot be brought back; its hosts answer 503: see anchor doctor",
		"projectId", project.ID, "slug", project.Slug, "deploymentId", id, "error", cause)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sites[id] != nil {
		return
	}
	p.damaged[id] = damaged{project, &edge.Site{ID: string(id), Project: string(project.ID), Default: edge.Damaged}}
	p.publish()
}

// answering returns the site that answers for a deployment, or nil when there is none; p.mu is
// held.
func (p *Platform) answering(id anchor.DeploymentID) *edge.Site {
	if s := p.sites[id]; s != nil {
		return s.edge
	}
	return p.damaged[id].edge
}
