package sites

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact/opennext"
	"github.com/anchor-deploy/anchor/internal/deploy"
	"github.com/anchor-deploy/anchor/internal/local/isr"
	"github.com/anchor-deploy/anchor/internal/local/isr/awswire"
)

// Seed creates the deployment's namespace with the prerendered pages and tags of its build. The
// entries are as old as the deployment, as they would be in S3.
func (p *Platform) Seed(ctx context.Context, a deploy.Artifact, note deploy.Note) error {
	tree := os.DirFS(a.Dir)
	files, err := opennext.CacheFiles(tree, a.Build)
	if err != nil {
		return err
	}
	objects := make([]isr.SeedObject, len(files))
	for i, f := range files {
		objects[i] = isr.SeedObject{
			Key:      awswire.SeedKey(f.Key),
			File:     filepath.Join(a.Dir, filepath.FromSlash(f.Path)),
			Modified: timeStamp(a.Deployment.CreatedAt),
		}
	}
	tags, err := buildTags(tree, a.Build)
	if err != nil {
		return err
	}
	if err := p.Cache.Seed(ctx, string(a.Deployment.ID), objects, tags); err != nil {
		return err
	}
	note("%d entries, %d tags", len(objects), len(tags))
	return nil
}

func buildTags(tree fs.FS, b anchor.Build) ([]isr.TagRow, error) {
	read, err := opennext.TagsOf(tree, b)
	if err != nil {
		return nil, err
	}
	rows := make([]isr.TagRow, len(read))
	for i, row := range read {
		row = row.For(b)
		rows[i] = isr.TagRow{Tag: row.Tag, Path: row.Path, RevalidatedAt: row.RevalidatedAt}
	}
	return rows, nil
}
