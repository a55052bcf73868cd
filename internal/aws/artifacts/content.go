package artifacts

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"io"
	"net/http"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"
	"golang.org/x/sync/errgroup"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact"
)

// Missing returns the digests of the deployment's files whose contents are not in S3, sorted by
// the path of the first file that needs them.
func (s *Store) Missing(ctx context.Context, id anchor.DeploymentID) ([]artifact.Digest, error) {
	m, err := s.Manifest(ctx, id)
	if err != nil {
		return nil, err
	}
	missing, err := s.listAbsent(ctx, uniqueContents(m))
	if err == nil && len(missing) == 0 {
		s.complete.Store(id, time.Now())
	}
	return missing, err
}

// Sync returns an Invalid error when a content of the deployment is missing. What S3 has accepted
// is durable, so nothing else is left to do. Right after a Missing that returned none, it does
// not ask S3 again.
func (s *Store) Sync(ctx context.Context, id anchor.DeploymentID) error {
	if at, asked := s.complete.LoadAndDelete(id); asked && time.Since(at.(time.Time)) < time.Minute {
		return nil
	}
	defer s.complete.Delete(id)
	missing, err := s.Missing(ctx, id)
	if err == nil && len(missing) > 0 {
		err = s.missingError(missing[0], nil)
	}
	return err
}

// uniqueContents returns one file for each content, in the manifest's order.
func uniqueContents(m artifact.Manifest) []artifact.File {
	var files []artifact.File
	seen := map[artifact.Digest]bool{}
	for _, f := range m.Sorted().Files {
		if f.Link == "" && !seen[f.Digest] {
			seen[f.Digest] = true
			files = append(files, f)
		}
	}
	return files
}

func (s *Store) listAbsent(ctx context.Context, files []artifact.File) ([]artifact.Digest, error) {
	there := make([]bool, len(files))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i, f := range files {
		group.Go(func() (err error) {
			there[i], err = s.hasContent(ctx, f.Digest, f.Size)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var missing []artifact.Digest
	for i, f := range files {
		if !there[i] {
			missing = append(missing, f.Digest)
		}
	}
	return missing, nil
}

// hasContent reports whether a content is in S3. If its size differs from size, the error is Invalid:
// the manifest or the request is wrong.
func (s *Store) hasContent(ctx context.Context, d artifact.Digest, size int64) (bool, error) {
	out, err := s.S3.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.Bucket, Key: sdk.String(fileKey(d))})
	switch {
	case isStatus(err, http.StatusNotFound):
		return false, nil
	case err != nil:
		return false, s.explainFailure(err, "HeadObject", fileKey(d))
	case sdk.ToInt64(out.ContentLength) != size:
		return false, anchor.Invalid("wrong_size", "the content %s has %d bytes, not %d", d, sdk.ToInt64(out.ContentLength), size).
			Hintf("Create the manifest again while no other program writes to the folder.")
	}
	return true, nil
}

// Put stores a content unless it exists. The digest is checked twice, here and by S3. A content
// whose size or digest differs is an Invalid error and is not stored.
func (s *Store) Put(ctx context.Context, digest artifact.Digest, size int64, content io.Reader) error {
	if _, err := artifact.ParseDigest(string(digest)); err != nil {
		return err
	}
	if size < 0 || size > s.Limits.FileSize {
		return anchor.TooLarge("file_too_large", "the content %s has %d bytes; 0 to %d are possible", digest, size, s.Limits.FileSize).
			Hintf("Keep files of this size in object storage and link to them.")
	}
	if have, err := s.hasContent(ctx, digest, size); have || err != nil {
		return err
	}
	return s.sendContent(ctx, digest, size, &upload{Reader: artifact.Verify(content, digest, size)})
}

// upload distinguishes errors of the sender from errors of S3.
type upload struct {
	io.Reader
	err error
}

func (u *upload) Read(p []byte) (int, error) {
	n, err := u.Reader.Read(p)
	if err != nil && err != io.EOF {
		u.err = err
	}
	return n, err
}

// sendContent writes a content. When a call fails, it sends the body again if the body can seek.
func (s *Store) sendContent(ctx context.Context, digest artifact.Digest, size int64, body io.Reader) error {
	sum, err := checksumOf(digest)
	if err != nil {
		return err
	}
	in := &s3.PutObjectInput{
		Bucket: &s.Bucket, Key: sdk.String(fileKey(digest)), Body: body, ContentLength: &size, ChecksumSHA256: &sum,
	}
	from, stream := body.(*upload)
	if stream && size == 0 { // net/http would send a body of unknown length
		if _, err := io.ReadAll(body); err != nil {
			return err
		}
		in.Body = http.NoBody
	}
	_, err = s.S3.PutObject(ctx, in, signedBy(digest), func(o *s3.Options) {
		if stream {
			o.RetryMaxAttempts = 1
		}
	})
	switch {
	case stream && from.err != nil && anchor.KindOf(from.err) == anchor.KindInvalid:
		return from.err
	case stream && from.err != nil:
		return anchor.Invalid("upload_broken", "the content %s broke off", digest).Because(from.err).Hintf("Send it again.")
	case err != nil:
		return s.explainFailure(err, "PutObject", fileKey(digest))
	}
	return nil
}

// signedBy signs the body by the known digest, so that the body need not be read for that first.
func signedBy(digest artifact.Digest) func(*s3.Options) {
	known := middleware.InitializeMiddlewareFunc("AnchorPayloadHash",
		func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
			return next.HandleInitialize(v4.SetPayloadHash(ctx, string(digest)), in)
		})
	return s3.WithAPIOptions(func(stack *middleware.Stack) error { return stack.Initialize.Add(known, middleware.Before) })
}

// checksumOf formats a digest as x-amz-checksum-sha256 does.
func checksumOf(d artifact.Digest) (string, error) {
	raw, err := hex.DecodeString(string(d))
	if err != nil {
		return "", anchor.Invalid("bad_digest", "%q is not a digest", d).Because(err).
			Hintf("A digest is the SHA-256 of the content as 64 lower-case hex digits.")
	}
	return base64.StdEncoding.EncodeToString(raw), nil
}
