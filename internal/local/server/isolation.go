package server

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
	"github.com/anchor-deploy/anchor/internal/local/sites"
	"github.com/anchor-deploy/anchor/internal/local/worker/jail"
)

// isIsolated reports whether isolation keeps a project's workers from other projects' files and
// processes, and from Anchor's.
func (a *app) isIsolated() bool {
	level := a.walls.Walls.Level
	return level >= jail.Namespaced || level == jail.Filtered && a.walls.Users.Separate
}

const isolationHint = "Run Anchor as root with the capabilities listed in deploy/anchor.service, or allow its user to create user namespaces; see Isolation in docs/operations.md for the settings of your system."

// openWalls finds out how workers are isolated here, and refuses a level below the required one.
func (a *app) openWalls(ctx context.Context) error {
	a.walls = sites.FindIsolation(ctx, a.node, a.Data)
	if level := a.walls.Walls.Level; int(level) < a.RequireIsolation {
		return anchor.Invalid("isolation_missing", "this system isolates workers at level %d (%s), but --require-isolation is %d: %s",
			level, level, a.RequireIsolation, a.walls.Why).Hintf(isolationHint)
	}
	return nil
}

// confineWorkers puts workers into control groups. These enforce limits per project and block addresses
// that expose more than an app's own data, including the API's.
func (a *app) confineWorkers(ctx context.Context) error {
	api, err := netip.ParseAddrPort(a.api.Addr().String())
	if err != nil {
		return fmt.Errorf("read the API's address: %w", err)
	}
	a.onClose(func() error { return a.walls.Close() })
	a.walls.Confine(ctx, a.node, api)
	return nil
}

// describeReach returns a text: whether workers reach clouds' metadata addresses and the API, and why.
func (a *app) describeReach() string {
	if a.walls.Open != "" {
		return "workers can reach cloud metadata addresses and Anchor's API: " + a.walls.Open
	}
	return "workers cannot reach cloud metadata addresses or Anchor's API"
}

// isolationGap returns a text: what a low level means for projects, and why it is low.
func (a *app) isolationGap() string {
	level := a.walls.Walls.Level
	return fmt.Sprintf("isolation level %d (%s): %s. %s", level, level, level.Leaves(), a.walls.Why)
}

func (a *app) describeIsolation() *wire.Isolation {
	level := a.walls.Walls.Level
	return &wire.Isolation{
		Level: int(level), Name: level.String() + "; " + a.describeReach(), Why: a.walls.Why,
		Limits: limitsLine(a.describeEnforcement()),
	}
}

func (a *app) checkIsolation() wire.Check {
	level := a.walls.Walls.Level
	c := wire.Check{Name: "Isolation", OK: a.isIsolated(), Detail: fmt.Sprintf("level %d: %s", level, level)}
	if !c.OK {
		c.Detail, c.Hint = a.isolationGap(), isolationHint
	}
	return c
}

// checkAddresses never fails: the isolation of projects from each other does not depend on it.
func (a *app) checkAddresses() wire.Check {
	return wire.Check{Name: "Addresses", OK: true, Detail: "of workers: " + a.describeReach()}
}
