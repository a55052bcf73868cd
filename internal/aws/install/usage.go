package install

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/installation"
)

// settingsAtOnce bounds the concurrent reads of projects' settings.
const settingsAtOnce = 8

// idleUsage returns what a month without visitors is billed by, as far as the records say.
func (i *Installation) idleUsage(ctx context.Context, s state, projects []anchor.Project) (installation.Usage, error) {
	usage := installation.Usage{Projects: len(projects)}
	all := make([]anchor.Settings, len(projects))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(settingsAtOnce)
	for n, p := range projects {
		group.Go(func() (err error) {
			all[n], err = i.Projects.Settings(ctx, i.readOutputs(s), p.ID)
			if errors.Is(err, anchor.ErrNotFound) {
				return nil
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return usage, i.explainError(err, "read the settings of the projects of "+i.Name)
	}
	for _, settings := range all {
		addStarted(&usage, settings)
	}
	return usage, nil
}

// defaultMB is the memory of a function without the setting (function.MemoryMB).
const defaultMB = 1024

// addStarted adds the instances that a project's settings keep started.
func addStarted(u *installation.Usage, s anchor.Settings) {
	names := append(slices.Collect(maps.Keys(s.Functions)), anchor.ServerFunction)
	slices.Sort(names)
	warmed := 0
	for _, name := range slices.Compact(names) {
		own := s.Of(name)
		gb := float64(cmp.Or(own.Memory, defaultMB)) / 1024
		u.ProvisionedGB += gb * float64(own.ProvisionedConcurrency)
		u.WarmedGB += gb * float64(own.Warmer)
		warmed += int(own.Warmer)
	}
	u.Warmed += warmed
	if warmed > 0 {
		u.Warmers++
	}
}
