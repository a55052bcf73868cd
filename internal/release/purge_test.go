package release_test

import (
	"context"
	"errors"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/release"
)

// TestSwitch_Purges calls the purge after each switch, when all traffic has moved. A purge that
// fails leaves the switch as it is.
func TestSwitch_Purges(t *testing.T) {
	for name, failure := range map[string]error{"as it should": nil, "that fails": errors.New("too many invalidations")} {
		t.Run(name, func(t *testing.T) {
			s := newStand(t)
			var purged []anchor.DeploymentID
			s.Service = release.New(release.Ports{Pointer: s.store, Traffic: s.platform, Records: s.store}, release.Options{
				Purge: func(ctx context.Context, live anchor.Live) error {
					if now, err := s.store.Live(ctx, live.ProjectID); err != nil || now.Release != live.Release {
						t.Errorf("it is called for %+v, and live is %+v (%v)", live, now, err)
					}
					purged = append(purged, live.Deployment)
					return failure
				},
			})
			one, two := s.deployed(t), s.deployed(t)
			if len(purged) != 0 {
				t.Errorf("a deploy, which has a step for it, purges %v", purged)
			}
			_, err := s.Rollback(t.Context(), s.project, one.ID)
			must(t, err)
			s.wantLive(t, one.ID)
			_, err = s.Promote(t.Context(), s.project, two.ID)
			must(t, err)
			s.wantLive(t, two.ID)
			if len(purged) != 2 || purged[0] != one.ID || purged[1] != two.ID {
				t.Errorf("it purged for %v", purged)
			}
		})
	}
}
