package sites

import (
	"path/filepath"
	"slices"

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

// Usage describes what the workers of one function have used.
type Usage struct {
	Stats
	worker.Usage
}

// Usage returns the functions that have had a process or have refused a request.
func (p *Platform) Usage() (all []Usage) {
	for _, s := range p.all() {
		for name, pool := range s.pools {
			u := pool.Usage()
			if u.Launched+u.Refused == 0 {
				continue
			}
			st := Stats{Deployment: s.Deployment, Project: s.Project, Slug: s.Slug, Function: name, Stats: pool.Stats()}
			all = append(all, Usage{st, u})
		}
	}
	return all
}

// LiveOf returns the deployment that a project's host leads to, or "".
func (p *Platform) LiveOf(project anchor.ProjectID) anchor.DeploymentID { return p.liveOf(project) }

// FunctionName names the function that the edge counts.
func (i *images) FunctionName() string {
	named, ok := i.function.(interface{ FunctionName() string })
	if !ok {
		return ""
	}
	return named.FunctionName()
}

// FunctionDir returns the folder of a function of an open deployment, as its processes see it; false when there is none.
func (p *Platform) FunctionDir(d anchor.DeploymentID, function string) (string, bool) {
	s := p.site(d)
	if s == nil {
		return "", false
	}
	i := slices.IndexFunc(s.Build.Functions, func(f anchor.Function) bool { return f.Name == function })
	if i < 0 {
		return "", false
	}
	return filepath.Join(s.Dir, s.Build.Functions[i].Dir), true
}
