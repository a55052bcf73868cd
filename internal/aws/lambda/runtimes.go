package lambda

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

// RuntimePlatform knows the runtime of Lambda that projects run on.
type RuntimePlatform interface {
	// Runtime returns the runtime of the live version of a project's server function.
	Runtime(ctx context.Context, p anchor.Project) (string, error)
}

// runtimes checks that AWS will support the runtimes of the live deployments for a while.
func (s system) runtimes(ctx context.Context, now time.Time) wire.Check {
	check := wire.Check{Name: "runtimes", OK: true, Detail: "AWS supports the runtimes of all live deployments"}
	ending, err := s.endingRuntimes(ctx, now)
	if err != nil {
		check.OK, check.Detail, check.Hint = false, err.Error(), anchor.HintOf(err)
		return check
	}
	if len(ending) > 0 {
		check.OK, check.Detail = false, strings.Join(ending, "; ")
		check.Hint = fmt.Sprintf("Set a newer one, anchor projects set runtime=%s, and deploy again.", anchor.RuntimeNode24)
	}
	return check
}

// endingRuntimes describes the live deployments whose runtime AWS soon no longer supports.
func (s system) endingRuntimes(ctx context.Context, now time.Time) ([]string, error) {
	lives, err := s.Store.Lives(ctx)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	var ending []string
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(lookedUpAtOnce)
	for _, live := range lives {
		group.Go(func() error {
			p, err := s.Store.Project(ctx, live.ProjectID)
			if errors.Is(err, anchor.ErrNotFound) {
				return nil // deleted meanwhile
			}
			if err != nil {
				return err
			}
			runtime, err := s.Cloud.Runtime(ctx, p)
			if err != nil {
				return err
			}
			if day, soon := anchor.RuntimeEnd(runtime, now); soon {
				mu.Lock()
				defer mu.Unlock()
				ending = append(ending, fmt.Sprintf("%s (%s) runs on %s, which AWS supports until %s", p.Slug, live.Version, runtime, day))
			}
			return nil
		})
	}
	err = group.Wait()
	slices.Sort(ending)
	return ending, err
}
