package sites

import (
	"context"
	"fmt"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/local/worker/cgroup"
)

// group returns the control group of a project's workers, with the limits that the records have in force.
func (p *Platform) group(project anchor.ProjectID) (*cgroup.Group, error) {
	if p.Groups == nil {
		return nil, nil
	}
	g, err := p.Groups.Group(string(project))
	if err != nil {
		return nil, err
	}
	return g, p.limit(context.Background(), project, g)
}

// Limit puts the limits that the records have of the project in force, for workers that run as well. Where a limit
// holds for each process by itself, it does for those that start from now on.
func (p *Platform) Limit(ctx context.Context, project anchor.ProjectID) error {
	if p.Groups == nil {
		return nil
	}
	g, err := p.Groups.Group(string(project))
	if err != nil {
		return err
	}
	return p.limit(ctx, project, g)
}

// limit reads and sets under one lock, so that the limits stored last are those in force.
func (p *Platform) limit(ctx context.Context, project anchor.ProjectID, g *cgroup.Group) error {
	p.limiting.Lock()
	defer p.limiting.Unlock()
	record, err := p.Records.Project(ctx, project)
	if err != nil {
		return fmt.Errorf("read the project's limits: %w", err)
	}
	l := record.Limits
	return g.Set(cgroup.Limits{Memory: l.MemoryBytes, CPUMillis: l.CPUMillis, Processes: l.Processes})
}

// LimitUsage returns what the project's workers take.
func (p *Platform) LimitUsage(project anchor.ProjectID) anchor.LimitUsage {
	if p.Groups == nil {
		return anchor.LimitUsage{}
	}
	u := p.Groups.Usage(string(project))
	return anchor.LimitUsage{MemoryBytes: u.Memory, Processes: u.Processes, MemoryKills: u.Kills}
}
