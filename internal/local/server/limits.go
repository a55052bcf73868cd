package server

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
	"github.com/anchor-deploy/anchor/internal/local/sites"
	"github.com/anchor-deploy/anchor/internal/local/worker/cgroup"
	"github.com/anchor-deploy/anchor/internal/local/worker/jail"
)

// limiter implements project.Limiter.
type limiter struct {
	*sites.Platform
	app *app
}

func (l limiter) Enforcement(p anchor.ProjectID) anchor.Enforcement { return l.app.enforcementOf(p) }

// describeEnforcement returns which limits of a project are enforced on this machine: for the project by
// its control group, else for each process by resource limits, which the jail's init process sets.
func (a *app) describeEnforcement() anchor.Enforcement {
	e := a.reachOf(a.walls.Groups.Held())
	if !e.Whole() {
		e.Why, e.Hint = a.missingControllers()
	}
	return e
}

// enforcementOf is enforcement for one project. If the system refused it a control group, it shares
// one that holds no limits.
func (a *app) enforcementOf(p anchor.ProjectID) anchor.Enforcement {
	err := a.walls.Groups.Refused(string(p))
	if err == nil {
		return a.describeEnforcement()
	}
	e := a.reachOf(cgroup.Controllers{})
	e.Why, e.Hint = err.Error(), "Raise cgroup.max.descendants of Anchor's control group and of those above it, then restart Anchor."
	return e
}

// reachOf returns what each limit is enforced for where control groups hold these limits.
func (a *app) reachOf(held cgroup.Controllers) anchor.Enforcement {
	level := a.walls.Walls.Level
	e := anchor.Enforcement{
		Memory: reachOf(held.Memory, level >= jail.Filtered), CPU: reachOf(held.CPU, false),
		Processes: reachOf(held.Processes, level >= jail.Namespaced || level == jail.Filtered && a.walls.Users.Separate),
	}
	if e.Processes == anchor.ReachProcess && a.walls.Users.Separate {
		e.Processes = anchor.ReachProject // RLIMIT_NPROC counts per user, and each project has its own user
	}
	return e
}

func reachOf(project, process bool) anchor.Reach {
	switch {
	case project:
		return anchor.ReachProject
	case process:
		return anchor.ReachProcess
	}
	return anchor.ReachNone
}

// missingControllers returns why some limits are not enforced for projects, and what to do.
func (a *app) missingControllers() (why, hint string) {
	why = a.walls.Unconfined
	err := a.walls.Groups.Why()
	if why == "" && err != nil {
		why = err.Error()
	}
	if errors.Is(err, cgroup.ErrNotDelegated) {
		return why, "Run Anchor as a systemd service with Delegate=yes, as deploy/anchor.service does; docs/operations.md, Limits of a project, has more."
	}
	return why, "Limits of a project take Linux with control groups of version 2 (boot with systemd.unified_cgroup_hierarchy=1) and a service with Delegate=yes; " +
		"docs/operations.md, Limits of a project, has more."
}

// limitsLine returns one line about which limits are enforced.
func limitsLine(e anchor.Enforcement) string {
	if e.Whole() {
		return "memory, processor time and processes of each project"
	}
	words := map[anchor.Reach][]string{}
	for _, one := range []struct {
		name  string
		reach anchor.Reach
	}{{"memory", e.Memory}, {"processor time", e.CPU}, {"processes", e.Processes}} {
		words[one.reach] = append(words[one.reach], one.name)
	}
	var parts []string
	for _, part := range []struct {
		reach anchor.Reach
		text  string
	}{{anchor.ReachProject, "%s of each project"}, {anchor.ReachProcess, "%s of each process only"}, {anchor.ReachNone, "%s not at all"}} {
		if names := words[part.reach]; len(names) > 0 {
			parts = append(parts, fmt.Sprintf(part.text, strings.Join(names, " and ")))
		}
	}
	return strings.Join(parts, ", ")
}

// limitsGap is a project whose limits are not enforced for it as a whole.
type limitsGap struct {
	slug     string
	enforced anchor.Enforcement
	isSet    bool // false: the project has no such limit and shares a control group
}

func (g limitsGap) String() string {
	return fmt.Sprintf("limits of %s are not enforced for the project as a whole. Enforced: %s; %s", g.slug, limitsLine(g.enforced), g.enforced.Why)
}

// limitsGaps lists the projects with a limit that is not enforced for the project as a whole, and
// those for which the system refused a control group.
func (a *app) limitsGaps(ctx context.Context) (gaps []limitsGap, err error) {
	for page := (anchor.Page{Limit: anchor.MaxPage}); ; {
		list, err := a.store.Projects(ctx, page)
		if err != nil {
			return nil, fmt.Errorf("read the limits of the projects: %w", err)
		}
		for _, p := range list.Items {
			g := limitsGap{p.Slug, a.enforcementOf(p.ID), false}
			g.isSet = misses(p.Limits, g.enforced)
			if g.isSet || a.walls.Groups.Refused(string(p.ID)) != nil {
				gaps = append(gaps, g)
			}
		}
		if page.Cursor = list.Next; page.Cursor == "" {
			return gaps, nil
		}
	}
}

// misses reports whether a limit that was set is not enforced for the project as a whole.
func misses(l anchor.Limits, e anchor.Enforcement) bool {
	return l.MemoryBytes > 0 && e.Memory != anchor.ReachProject || l.CPUMillis > 0 && e.CPU != anchor.ReachProject ||
		l.Processes > 0 && e.Processes != anchor.ReachProject
}

// limitsWarnings returns a warning for each project with a limit that is not enforced, or one when
// the limits cannot be read.
func (a *app) limitsWarnings(ctx context.Context) (warnings []string) {
	gaps, err := a.limitsGaps(ctx)
	if err != nil {
		return []string{err.Error()}
	}
	for _, g := range gaps {
		if g.isSet {
			warnings = append(warnings, g.String())
		}
	}
	return warnings
}

// checkLimits fails when a project has a limit that is not enforced for the whole project, and when
// the limits cannot be read. It also names the projects that share a control group.
func (a *app) checkLimits(ctx context.Context) wire.Check {
	e := a.describeEnforcement()
	c := wire.Check{Name: "Limits", OK: true, Detail: "enforced: " + limitsLine(e)}
	if e.Why != "" {
		c.Detail += "; " + e.Why
	}
	gaps, err := a.limitsGaps(ctx)
	if err != nil {
		c.OK, c.Detail, c.Hint = false, err.Error(), anchor.HintOf(err)
	}
	for _, g := range gaps {
		c.OK = c.OK && !g.isSet
		c.Detail += ". But " + g.String()
		c.Hint = g.enforced.Hint
	}
	return c
}
