package apitest

import (
	"context"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// enforcement is that of a server which holds everything but processor time.
var enforcement = anchor.Enforcement{
	Memory: anchor.ReachProject, CPU: anchor.ReachNone, Processes: anchor.ReachProcess,
	Why: "the controller cpu is not available", Hint: "Delegate it.",
}

func (a projects) Limits(ctx context.Context, idOrSlug string) (anchor.ProjectLimits, error) {
	p, err := a.Get(ctx, idOrSlug)
	return anchor.ProjectLimits{Limits: p.Limits, Enforced: enforcement}, err
}

func (a projects) SetLimits(ctx context.Context, idOrSlug string, l anchor.Limits) (anchor.ProjectLimits, error) {
	if err := anchor.CheckLimits(l); err != nil {
		return anchor.ProjectLimits{}, err
	}
	if _, err := a.Get(ctx, idOrSlug); err != nil {
		return anchor.ProjectLimits{}, err
	}
	a.mu.Lock()
	for i, p := range a.projects {
		if p.Slug == idOrSlug || string(p.ID) == idOrSlug {
			a.projects[i].Limits = l
		}
	}
	a.mu.Unlock()
	return a.Limits(ctx, idOrSlug)
}
