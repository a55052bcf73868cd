package asset

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"

	"github.com/anchor-deploy/anchor/internal/aws/awserr"
)

// digestKey is the metadata that holds an object's SHA-256 in hex, whatever S3's ETag is (parts,
// encryption).
const digestKey = "sha256"

// run sends the objects of one artifact.
type run struct {
	*Assets
	tree *os.Root

	uncopied atomic.Bool // the artifact's contents are not in the artifacts bucket

	mu    sync.Mutex
	found []object // objects that existed when they were to be put
}

func (s *Assets) openRun(dir string) (*run, error) {
	tree, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open the unpacked artifact: %w", err)
	}
	r := &run{Assets: s, tree: tree}
	r.uncopied.Store(s.ArtifactsBucket == "")
	return r, nil
}

func (r *run) close() { r.tree.Close() }

// sendObjects puts the objects, large and small ones concurrently. The first error ends it.
func (r *run) sendObjects(ctx context.Context, objects []object) error {
	var small, large []object
	for _, o := range objects {
		if o.size < largeSize {
			small = append(small, o)
		} else {
			large = append(large, o)
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return r.sendAll(ctx, large, largeParallel) })
	g.Go(func() error { return r.sendAll(ctx, small, Parallel) })
	return g.Wait()
}

func (r *run) sendAll(ctx context.Context, objects []object, parallel int) error {
	g, running := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	for _, o := range objects {
		if running.Err() != nil {
			break
		}
		g.Go(func() error { return r.sendOne(running, o) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}

func (r *run) sendOne(ctx context.Context, o object) error {
	err := r.copyOrPut(ctx, o)
	if o.once && awserr.Is(err, "PreconditionFailed") { // written by another deployment, or by us when the answer was lost
		r.mu.Lock()
		defer r.mu.Unlock()
		r.found = append(r.found, o)
		return nil
	}
	if err != nil {
		return r.explainFailure(err, "put "+o.file, o.key)
	}
	return nil
}

// copyOrPut copies a deployment's own file inside S3, from the bucket that received the artifact.
// So an unchanged public file is not sent again with every deployment.
func (r *run) copyOrPut(ctx context.Context, o object) error {
	if !o.once && !r.uncopied.Load() {
		err := r.copyObject(ctx, o)
		if !awserr.Is(err, "NoSuchKey") {
			return err
		}
		r.uncopied.Store(true)
	}
	in, err := r.tree.Open(filepath.FromSlash(o.file))
	if err != nil {
		return err
	}
	defer in.Close()
	if o.size >= largeSize {
		return r.putParts(ctx, o, in)
	}
	return r.put(ctx, o, in)
}

// copyObject also replaces the tags, and so needs no permission to read those of the source.
func (r *run) copyObject(ctx context.Context, o object) error {
	_, err := r.S3.CopyObject(ctx, &s3.CopyObjectInput{
		Bucket: &r.AssetsBucket, Key: &o.key,
		CopySource:        sdk.String(r.ArtifactsBucket + "/" + contentRoot + string(o.digest)),
		MetadataDirective: types.MetadataDirectiveReplace, TaggingDirective: types.TaggingDirectiveReplace,
		ContentType: optionalText(o.contentType), CacheControl: optionalText(o.cacheControl), ContentEncoding: optionalText(o.encoding), Metadata: o.metadataOf(),
	})
	return err
}

// put makes S3 compare what arrives with the manifest's digest.
func (r *run) put(ctx context.Context, o object, in *os.File) error {
	_, err := r.S3.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &r.AssetsBucket, Key: &o.key, Body: in, ContentLength: &o.size, ChecksumSHA256: sdk.String(o.sha256Text()),
		ContentType: optionalText(o.contentType), CacheControl: optionalText(o.cacheControl), ContentEncoding: optionalText(o.encoding), Metadata: o.metadataOf(),
		IfNoneMatch: o.ifNoneMatch(),
	})
	return err
}

// putParts streams a large file. When the answer that completed the upload is lost, S3 may no
// longer know the upload; the object then exists.
func (r *run) putParts(ctx context.Context, o object, in *os.File) error {
	_, err := r.transfer.UploadObject(ctx, &transfermanager.UploadObjectInput{
		Bucket: &r.AssetsBucket, Key: &o.key, Body: in,
		ContentType: optionalText(o.contentType), CacheControl: optionalText(o.cacheControl), ContentEncoding: optionalText(o.encoding), Metadata: o.metadataOf(),
		IfNoneMatch: o.ifNoneMatch(),
	})
	if !awserr.Is(err, "NoSuchUpload") {
		return err
	}
	if same, headErr := r.holdsObject(ctx, o); headErr != nil || !same {
		return errors.Join(err, headErr)
	}
	return nil
}

// holdsObject reports whether the object exists with the content that it should have.
func (s *Assets) holdsObject(ctx context.Context, o object) (bool, error) {
	head, err := s.S3.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.AssetsBucket, Key: &o.key})
	if awserr.Is(err, "NotFound") {
		return false, nil
	}
	if err != nil {
		return false, s.explainFailure(err, "look at", o.key)
	}
	return head.Metadata[digestKey] == string(o.digest), nil
}

func (o object) metadataOf() map[string]string { return map[string]string{digestKey: string(o.digest)} }

func (o object) ifNoneMatch() *string {
	if o.once {
		return sdk.String("*")
	}
	return nil
}

func optionalText(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
