package aws

import (
	"context"
	"errors"
	"maps"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// followWarmer makes a project's schedule of warmer events that of now: how many instances of each function
// are kept started.
func (p *Platform) followWarmer(ctx context.Context, project anchor.Project, before, now map[string]int32) error {
	if maps.Equal(before, now) {
		return nil
	}
	if !p.runsCrons() {
		return anchor.Invalid("no_warmer", "this installation was made by a version of Anchor that sends no warmer events").Hintf("Upgrade it: anchor aws bootstrap")
	}
	return p.schedules.FollowWarmer(ctx, project, now)
}

// Warm keeps instances of a project's live functions started, so many of each as the map says, by the
// functions' names in the build. A project that no longer exists has none.
func (p *Platform) Warm(ctx context.Context, id anchor.ProjectID, instances map[string]int32) error {
	project, err := p.project(ctx, id)
	if errors.Is(err, anchor.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return p.functions.KeepWarm(ctx, project, instances)
}
