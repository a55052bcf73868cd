package artifacts

import (
	"context"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact"
	"github.com/anchor-deploy/anchor/internal/retry"
)

// Unpack downloads what is not on the local disk yet, lays the deployment's files out and returns
// the folder. What an interrupted Unpack has downloaded is kept while the process lives. A second
// Unpack of a complete tree downloads the manifest only.
func (s *Store) Unpack(ctx context.Context, id anchor.DeploymentID) (dir string, m artifact.Manifest, err error) {
	if m, err = s.Manifest(ctx, id); err != nil {
		return "", artifact.Manifest{}, err
	}
	if err := s.scratch.SaveManifest(ctx, id, m); err != nil {
		return "", artifact.Manifest{}, err
	}
	missing, err := s.scratch.Missing(ctx, id)
	if err != nil {
		return "", artifact.Manifest{}, err
	}
	sizes := m.Contents()
	group, downloads := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for _, d := range missing {
		group.Go(func() error { return s.downloadContent(downloads, d, sizes[d]) })
	}
	if err := group.Wait(); err != nil {
		return "", artifact.Manifest{}, err
	}
	return s.scratch.Unpack(ctx, id)
}

// downloads is the retry policy for a download whose connection breaks in the middle, which the
// SDK does not notice.
var downloads = retry.Policy{First: 100 * time.Millisecond, Longest: 400 * time.Millisecond, Calls: 4}

func (s *Store) downloadContent(ctx context.Context, d artifact.Digest, size int64) error {
	return retry.Do(ctx, downloads, func() error {
		err := s.fetchContent(ctx, d, size)
		if anchor.CodeOf(err) != "upload_broken" || ctx.Err() != nil {
			return err
		}
		return retry.Again(s.explainFailure(brokenOff{err}, "GetObject", fileKey(d)))
	})
}

// brokenOff hides the code of an error whose text is about uploads.
type brokenOff struct{ cause error }

func (b brokenOff) Error() string { return b.cause.Error() }

func (s *Store) fetchContent(ctx context.Context, d artifact.Digest, size int64) error {
	body, err := s.openObject(ctx, fileKey(d))
	if isStatus(err, http.StatusNotFound) {
		return s.missingError(d, err)
	}
	if err != nil {
		return err
	}
	defer body.Close()
	err = s.scratch.Put(ctx, d, size, body)
	switch anchor.CodeOf(err) {
	case "wrong_digest", "wrong_size":
		return anchor.Failed("artifact_damaged", "the content of %s does not match its name", s.objectURI(fileKey(d))).Because(err).
			Hintf("Something else wrote to the bucket. Delete the object and deploy again.")
	}
	return err
}
