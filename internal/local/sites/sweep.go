package sites

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact"
)

// young is the age below which contents may belong to an upload or a pass of the pipeline under
// way.
const young = time.Hour

// trashAge is how long a removed file can be restored.
const trashAge = 24 * time.Hour

// Sweep removes what crashes left: files of deployments that, by the records, ended without being
// able to serve, were pruned, or were removed with their project; contents and compressed variants
// that no deployment names; and files that have been in the trash for a day. Files that the records
// do not know stay: the records may be wrong.
func (p *Platform) Sweep(ctx context.Context) error {
	uploaded, err := p.Bundles.IDs(ctx)
	if err != nil {
		return err
	}
	laidOut, err := p.Bundles.Trees(ctx)
	if err != nil {
		return err
	}
	described, err := p.dataFolder().Described()
	if err != nil {
		return err
	}
	if err := p.sweepUnneeded(ctx, slices.Concat(uploaded, laidOut, described)); err != nil {
		return err
	}
	if err := errors.Join(p.Bundles.EmptyTrash(ctx, trashAge), p.dataFolder().emptyTrash(trashAge)); err != nil {
		return err
	}
	if _, err := p.Bundles.Collect(ctx, young); err != nil {
		return err
	}
	if err := p.sweepCompiled(); err != nil {
		return err
	}
	if p.Pages != nil {
		if err := p.Pages.Sweep(); err != nil {
			return err
		}
	}
	return p.sweepVariants(ctx)
}

func (p *Platform) sweepUnneeded(ctx context.Context, ids []anchor.DeploymentID) error {
	slices.Sort(ids)
	for _, id := range slices.Compact(ids) {
		unneeded, d, err := p.isUnneeded(ctx, id)
		if err != nil {
			return err
		}
		if unneeded {
			if err := p.Remove(ctx, d); err != nil {
				return err
			}
		}
	}
	return nil
}

// isUnneeded reports whether the records show that a deployment's files are no longer needed.
func (p *Platform) isUnneeded(ctx context.Context, id anchor.DeploymentID) (bool, anchor.Deployment, error) {
	d, err := p.Records.Deployment(ctx, id)
	if errors.Is(err, anchor.ErrNotFound) {
		removed, err := p.Records.Removed(ctx, id)
		return removed, anchor.Deployment{ID: id}, err
	}
	if err != nil {
		return false, d, fmt.Errorf("read deployment %s: %w", id, err)
	}
	if d.KeepsAssets(time.Now()) {
		return !p.isReduced(id), d, nil
	}
	return d.Status.Ended() && !d.CanServe(), d, nil
}

func (p *Platform) sweepVariants(ctx context.Context) error {
	named, err := p.Bundles.Digests(ctx)
	if err != nil {
		return err
	}
	root := filepath.Join(p.Dir, "variants")
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		digest := strings.TrimSuffix(entry.Name(), filepath.Ext(entry.Name()))
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || named[artifact.Digest(digest)] || time.Since(info.ModTime()) < young {
			return err
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return ctx.Err()
	})
}
