package sites

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/local/worker/cgroup"
)

// projectGroup returns the control group of a project's workers, with the limits in the records. A site
// whose limits the system refuses is served within those that each process can hold.
func (p *Platform) projectGroup(project anchor.ProjectID) (*cgroup.Group, error) {
	if p.Groups == nil {
		return nil, nil
	}
	g := p.Groups.Group(string(project))
	unheld, err := p.applyLimits(context.Background(), project, g)
	if err != nil {
		return nil, err
	}
	if unheld != nil {
		slog.Warn("limits are not enforced for the project as a whole", "projectId", project, "error", unheld)
	}
	return g, nil
}

// Limit applies the limits in the records to the project, and also to workers that run already. A
// limit that holds for each process separately applies to processes that start from now on.
func (p *Platform) Limit(ctx context.Context, project anchor.ProjectID) error {
	if p.Groups == nil {
		return nil
	}
	unheld, err := p.applyLimits(ctx, project, p.Groups.Group(string(project)))
	return cmp.Or(err, unheld)
}

// applyLimits reads and sets under one lock, so that the limits stored last are those in force. It returns the system's
// reason when the group does not hold them although others would.
func (p *Platform) applyLimits(ctx context.Context, project anchor.ProjectID, g *cgroup.Group) (unheld, err error) {
	p.limiting.Lock()
	defer p.limiting.Unlock()
	record, err := p.Records.Project(ctx, project)
	if err != nil {
		return nil, fmt.Errorf("read the project's limits: %w", err)
	}
	l := record.Limits
	unheld = g.Set(cgroup.Limits{Memory: l.MemoryBytes, CPUMillis: l.CPUMillis, Processes: l.Processes})
	if unheld == nil && l != (anchor.Limits{}) {
		unheld = g.Why()
	}
	return unheld, nil
}

// LimitUsage returns what the project's workers use.
func (p *Platform) LimitUsage(project anchor.ProjectID) anchor.LimitUsage {
	if p.Groups == nil {
		return anchor.LimitUsage{}
	}
	u := p.Groups.Usage(string(project))
	return anchor.LimitUsage{MemoryBytes: u.Memory, Processes: u.Processes, MemoryKills: u.Kills}
}
