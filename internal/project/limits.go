package project

import (
	"context"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Limits returns the limits of the project of an id or slug, or NotFound.
func (s *Service) Limits(ctx context.Context, idOrSlug string) (anchor.ProjectLimits, error) {
	p, err := s.Get(ctx, idOrSlug)
	if err != nil {
		return anchor.ProjectLimits{}, err
	}
	return s.limitsOf(p), nil
}

// SetLimits replaces the limits of the project of an id or slug and enforces them at once.
// Before anything changes it refuses limits out of range, and a platform without limits per
// project (Invalid).
func (s *Service) SetLimits(ctx context.Context, idOrSlug string, l anchor.Limits) (anchor.ProjectLimits, error) {
	if err := anchor.CheckLimits(l); err != nil {
		return anchor.ProjectLimits{}, err
	}
	if s.Limiter == nil {
		return anchor.ProjectLimits{}, anchor.Invalid("limits_unsupported", "this platform has no limits per project").Hintf("%s", s.LimitsHint)
	}
	p, err := s.Get(ctx, idOrSlug)
	if err != nil {
		return anchor.ProjectLimits{}, err
	}
	if err := s.Records.SetLimits(ctx, p.ID, l); err != nil {
		return anchor.ProjectLimits{}, err
	}
	p.Limits = l
	// The records have the limits, so they are enforced even when the caller has gone.
	if err := s.Limiter.Limit(context.WithoutCancel(ctx), p.ID); err != nil {
		return anchor.ProjectLimits{}, anchor.Failed("limits_not_enforced", "the limits of %s are stored but could not be applied", p.Slug).
			Hintf("Set them again; anchor doctor shows what the server can enforce.").Because(err)
	}
	return s.limitsOf(p), nil
}

func (s *Service) limitsOf(p anchor.Project) anchor.ProjectLimits {
	if s.Limiter == nil {
		none := anchor.ReachNone
		return anchor.ProjectLimits{Limits: p.Limits, Enforced: anchor.Enforcement{
			Memory: none, CPU: none, Processes: none, Why: "this platform has no limits per project", Hint: s.LimitsHint,
		}}
	}
	return anchor.ProjectLimits{Limits: p.Limits, Enforced: s.Limiter.Enforcement(p.ID), Usage: s.Limiter.LimitUsage(p.ID)}
}
