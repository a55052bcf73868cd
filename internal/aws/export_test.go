package aws

import (
	"context"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// WatchCandidate is a part of what follows a switch.
func (p *Platform) WatchCandidate(ctx context.Context, live anchor.Live) error {
	return p.watchCandidate(ctx, live)
}
