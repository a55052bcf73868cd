package artifacts

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact"
)

// batch is how many keys DeleteObjects accepts.
const batch = 1000

// IDs lists the deployments that have a manifest here.
func (s *Store) IDs(ctx context.Context) ([]anchor.DeploymentID, error) {
	var ids []anchor.DeploymentID
	err := s.listObjects(ctx, "manifests/", func(name string, _ types.Object) error {
		if id, isManifest := strings.CutSuffix(name, ".json"); isManifest {
			ids = append(ids, anchor.DeploymentID(id))
		}
		return nil
	})
	return ids, err
}

// Collect removes contents that no manifest names and that arrived longer ago than unusedSince.
// It returns the number of bytes freed. Before each removal it reads the manifests that were
// saved meanwhile. Should it miss one, Sync reports the content as missing, and it is sent again.
func (s *Store) Collect(ctx context.Context, unusedSince time.Duration) (freed int64, err error) {
	before := time.Now().Add(-unusedSince)
	var old []artifact.File
	err = s.listObjects(ctx, "files/", func(name string, object types.Object) error {
		if object.LastModified.Before(before) {
			old = append(old, artifact.File{Digest: artifact.Digest(name), Size: *object.Size})
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	n := &named{store: s, seen: map[anchor.DeploymentID]bool{}, digests: map[artifact.Digest]bool{}}
	if err := n.updateNames(ctx); err != nil {
		return 0, err
	}
	unused := n.withoutNamed(old)
	for len(unused) > 0 {
		if err := n.updateNames(ctx); err != nil {
			return freed, err
		}
		some := n.withoutNamed(unused[:min(batch, len(unused))])
		unused = unused[min(batch, len(unused)):]
		size, err := s.removeContents(ctx, some)
		if freed += size; err != nil {
			return freed, err
		}
	}
	return freed, nil
}

// listObjects calls found for every object below prefix, with its name relative to prefix, until found
// fails.
func (s *Store) listObjects(ctx context.Context, prefix string, found func(name string, object types.Object) error) error {
	pages := s3.NewListObjectsV2Paginator(s.S3, &s3.ListObjectsV2Input{Bucket: &s.Bucket, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return s.explainFailure(err, "ListObjectsV2", prefix)
		}
		for _, object := range page.Contents {
			if err := found(strings.TrimPrefix(*object.Key, prefix), object); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Store) removeContents(ctx context.Context, files []artifact.File) (freed int64, err error) {
	if len(files) == 0 {
		return 0, nil
	}
	keys := make([]types.ObjectIdentifier, len(files))
	sizes := map[string]int64{}
	for i, f := range files {
		key := fileKey(f.Digest)
		keys[i].Key, sizes[key] = &key, f.Size
		freed += f.Size
	}
	out, err := s.S3.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: &s.Bucket, Delete: &types.Delete{Objects: keys}})
	if err != nil {
		return 0, s.explainFailure(err, "DeleteObjects", "files/")
	}
	for _, e := range out.Errors {
		freed -= sizes[*e.Key]
		err = anchor.Failed("s3", "S3 did not delete %s: %s", s.objectURI(*e.Key), *e.Code).Hintf("Try again.")
	}
	return freed, err
}

// named holds the digests that the manifests name.
type named struct {
	store   *Store
	mu      sync.Mutex // guards digests
	seen    map[anchor.DeploymentID]bool
	digests map[artifact.Digest]bool
}

// updateNames reads the manifests that it has not read yet.
func (n *named) updateNames(ctx context.Context) error {
	ids, err := n.store.IDs(ctx)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for _, id := range ids {
		if n.seen[id] {
			continue
		}
		n.seen[id] = true
		group.Go(func() error {
			m, err := n.store.Manifest(ctx, id)
			if errors.Is(err, anchor.ErrNotFound) { // removed meanwhile
				return nil
			}
			if err != nil { // the contents that it names must not count as unused
				return err
			}
			n.mu.Lock()
			defer n.mu.Unlock()
			for _, f := range m.Files {
				n.digests[f.Digest] = true
			}
			return nil
		})
	}
	return group.Wait()
}

func (n *named) withoutNamed(files []artifact.File) []artifact.File {
	var left []artifact.File
	for _, f := range files {
		if !n.digests[f.Digest] {
			left = append(left, f)
		}
	}
	return left
}
