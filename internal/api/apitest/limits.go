package apitest

import (
	"context"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// limiter implements project.Limiter as a server does that holds everything but processor
// time.
type limiter struct{}

func (limiter) Limit(context.Context, anchor.ProjectID) error { return nil }

func (limiter) Enforcement(anchor.ProjectID) anchor.Enforcement {
	return anchor.Enforcement{
		Memory: anchor.ReachProject, CPU: anchor.ReachNone, Processes: anchor.ReachProcess,
		Why: "the controller cpu is not available", Hint: "Delegate it.",
	}
}

func (limiter) LimitUsage(anchor.ProjectID) anchor.LimitUsage { return anchor.LimitUsage{} }
