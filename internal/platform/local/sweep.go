package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/bundle"
)

// young files may belong to an upload or a pass of the pipeline under way.
const young = time.Hour

// Sweep reclaims what crashes left: files of deployments that have ended without
// being deployed, or are pruned or unknown, and contents and compressed variants
// that no deployment names.
func (p *Platform) Sweep(ctx context.Context) error {
	uploaded, err := p.Bundles.IDs(ctx)
	if err != nil {
		return err
	}
	described, err := p.described()
	if err != nil {
		return err
	}
	// A manifest is written before its record: an unknown one gets time. A site is
	// described long after it: the record of an unknown one has been deleted.
	if err := p.sweepGone(ctx, uploaded, young); err != nil {
		return err
	}
	if err := p.sweepGone(ctx, described, 0); err != nil {
		return err
	}
	if _, err := p.Bundles.Collect(ctx, young); err != nil {
		return err
	}
	return p.sweepVariants(ctx)
}

func (p *Platform) sweepGone(ctx context.Context, ids []anchor.DeploymentID, unknownFor time.Duration) error {
	for _, id := range ids {
		gone, d, err := p.gone(ctx, id, unknownFor)
		if err != nil {
			return err
		}
		if gone {
			if err := p.Remove(ctx, d); err != nil {
				return err
			}
		}
	}
	return nil
}

// gone reports whether nothing may need a deployment's files any more.
func (p *Platform) gone(ctx context.Context, id anchor.DeploymentID, unknownFor time.Duration) (bool, anchor.Deployment, error) {
	d, err := p.Records.Deployment(ctx, id)
	if errors.Is(err, anchor.ErrNotFound) {
		return madeBefore(id, time.Now().Add(-unknownFor)), anchor.Deployment{ID: id}, nil
	}
	if err != nil {
		return false, d, fmt.Errorf("read deployment %s: %w", id, err)
	}
	return d.PrunedAt != 0 || d.Status.Ended() && d.Status != anchor.Deployed, d, nil
}

func madeBefore(id anchor.DeploymentID, t time.Time) bool {
	made, err := anchor.TimeOf(string(id))
	return err == nil && made.Before(t)
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
		if err != nil || named[bundle.Digest(digest)] || time.Since(info.ModTime()) < young {
			return err
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return ctx.Err()
	})
}
