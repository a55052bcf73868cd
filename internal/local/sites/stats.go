package sites

import (
	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/local/worker"
)

// Stats describes the workers of one function.
type Stats struct {
	Deployment anchor.DeploymentID
	Project    anchor.ProjectID
	Slug       string
	Function   string
	worker.Stats
}

// Stats returns the functions that have a process or a request.
func (p *Platform) Stats() []Stats {
	all := []Stats{}
	for _, s := range p.all() {
		for name, pool := range s.pools {
			if st := pool.Stats(); st.Processes+st.Starting+st.Queued > 0 {
				all = append(all, Stats{Deployment: s.Deployment, Project: s.Project, Slug: s.Slug, Function: name, Stats: st})
			}
		}
	}
	return all
}
