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
	enforcement anchor.Enforcement
}

func (l limiter) Enforcement() anchor.Enforcement { return l.enforcement }

// enforcement returns which limits of a project are enforced on this machine: for the project by
// its control group, else for each process by resource limits, which the jail's init process sets.
func (a *app) enforcement() anchor.Enforcement {
	held, level := a.walls.Groups.Held(), a.walls.Walls.Level
	e := anchor.Enforcement{
		Memory: reach(held.Memory, level >= jail.Filtered), CPU: reach(held.CPU, false),
		Processes: reach(held.Processes, level >= jail.Namespaced || level == jail.Filtered && a.walls.Users.Separate),
	}
	if e.Processes == anchor.ReachProcess && a.walls.Users.Separate {
		e.Processes = anchor.ReachProject // RLIMIT_NPROC counts per user, and each project has its own user
	}
	if e.Whole() {
		return e
	}
	e.Why, e.Hint = a.limitsGap()
	return e
}

func reach(project, process bool) anchor.Reach {
	switch {
	case project:
		return anchor.ReachProject
	case process:
		return anchor.ReachProcess
	}
	return anchor.ReachNone
}

// limitsGap returns why some limits are not enforced for projects, and what to do.
func (a *app) limitsGap() (why, hint string) {
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

// unenforced returns the slugs of the projects with a limit that is not enforced for the project as
// a whole.
func (a *app) unenforced(ctx context.Context) (slugs []string, err error) {
	e := a.enforcement()
	if e.Whole() {
		return nil, nil
	}
	for page := (anchor.Page{Limit: anchor.MaxPage}); ; {
		list, err := a.store.Projects(ctx, page)
		if err != nil {
			return nil, err
		}
		for _, p := range list.Items {
			l := p.Limits
			if l.MemoryBytes > 0 && e.Memory != anchor.ReachProject || l.CPUMillis > 0 && e.CPU != anchor.ReachProject ||
				l.Processes > 0 && e.Processes != anchor.ReachProject {
				slugs = append(slugs, p.Slug)
			}
		}
		if page.Cursor = list.Next; page.Cursor == "" {
			return slugs, nil
		}
	}
}

// limitsWarning returns a warning when limits that were set are not enforced, else "".
func (a *app) limitsWarning(ctx context.Context) string {
	slugs, err := a.unenforced(ctx)
	if err != nil || len(slugs) == 0 {
		return ""
	}
	e := a.enforcement()
	return fmt.Sprintf("limits of %s are not enforced for the project as a whole. Enforced: %s; %s", strings.Join(slugs, ", "), limitsLine(e), e.Why)
}

// checkLimits fails when a project has a limit that is not enforced for the whole project.
func (a *app) checkLimits(ctx context.Context) wire.Check {
	e := a.enforcement()
	c := wire.Check{Name: "Limits", OK: true, Detail: "enforced: " + limitsLine(e)}
	if e.Why != "" {
		c.Detail += "; " + e.Why
	}
	if warning := a.limitsWarning(ctx); warning != "" {
		c.OK, c.Detail, c.Hint = false, warning, e.Hint
	}
	return c
}
