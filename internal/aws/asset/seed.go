package asset

import (
	"bytes"
	"context"
	"os"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"golang.org/x/sync/errgroup"

	"github.com/anchor-deploy/anchor/internal/deploy"
)

// Seed fills the deployment's incremental cache and creates its tag table. A mark records that
// this is done: from then on, running Seed again changes nothing that the app wrote or deleted.
// Before, Seed does not overwrite a cache entry that exists.
func (s *Assets) Seed(ctx context.Context, a deploy.Artifact, note deploy.Note) error {
	objects, err := seedObjects(a)
	if err != nil {
		return err
	}
	rows, err := tagRows(os.DirFS(a.Dir), a.Build)
	if err != nil {
		return err
	}
	prefix := cachePrefix(a.Project.ID, a.Deployment.ID)
	there, err := s.listSizes(ctx, prefix)
	if err != nil {
		return err
	}
	if _, done := there[prefix+seededName]; !done {
		missing, _ := splitMissing(objects, there)
		if err := s.seedObjects(ctx, a, missing, rows); err != nil {
			return err
		}
	}
	note("%d entries, %d tags", len(objects), len(rows))
	return nil
}

func (s *Assets) seedObjects(ctx context.Context, a deploy.Artifact, objects []object, rows []tagRow) error {
	run, err := s.openRun(a.Dir)
	if err != nil {
		return err
	}
	defer run.close()
	g, parts := errgroup.WithContext(ctx)
	g.Go(func() error { return run.sendObjects(parts, objects) })
	if a.Build.TagCache { // also when the build tagged nothing: the functions query the table for each cached page
		g.Go(func() error { return s.makeTable(parts, a, rows) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	key := cachePrefix(a.Project.ID, a.Deployment.ID) + seededName
	_, err = s.S3.PutObject(ctx, &s3.PutObjectInput{Bucket: &s.AssetsBucket, Key: &key, Body: bytes.NewReader(nil)})
	if err != nil {
		return s.explainFailure(err, "mark the cache as seeded", key)
	}
	return nil
}
