package lambda

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

// hintUnknown says what to do about deployments that the records do not know.
const hintUnknown = "Restore the tables to the time of the loss (DynamoDB: point-in-time recovery; docs/aws.md). Anchor deletes none of these files."

// lookedUpAtOnce is how many deployments are looked up concurrently.
const lookedUpAtOnce = 16

// unknown lists the deployments that have files but that the records neither hold nor report as
// removed. Every deployment has a record before it has files. So the records are lost, restored
// to an earlier time, or another installation's.
func (s system) unknown(ctx context.Context) ([]anchor.DeploymentID, error) {
	ids, err := s.Artifacts.IDs(ctx)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	var unknown []anchor.DeploymentID
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(lookedUpAtOnce)
	for _, id := range ids {
		group.Go(func() error {
			known, err := s.knows(ctx, id)
			if err != nil || known {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			unknown = append(unknown, id)
			return nil
		})
	}
	err = group.Wait()
	slices.Sort(unknown)
	return unknown, err
}

func (s system) knows(ctx context.Context, id anchor.DeploymentID) (bool, error) {
	_, err := s.Store.Deployment(ctx, id)
	if errors.Is(err, anchor.ErrNotFound) {
		return s.Store.Removed(ctx, id)
	}
	return err == nil, err
}

// artifacts checks that the records know all deployments in the artifacts bucket.
func (s system) artifacts(ctx context.Context) wire.Check {
	unknown, err := s.unknown(ctx)
	switch {
	case err != nil:
		return wire.Check{Name: "artifacts", Detail: err.Error(), Hint: anchor.HintOf(err)}
	case len(unknown) > 0:
		return wire.Check{
			Name: "artifacts", Hint: hintUnknown,
			Detail: fmt.Sprintf("the records do not know deployments that have files in the artifacts bucket: %d; the first is %s", len(unknown), unknown[0]),
		}
	}
	return wire.Check{Name: "artifacts", OK: true, Detail: "the records know every deployment in the artifacts bucket"}
}
