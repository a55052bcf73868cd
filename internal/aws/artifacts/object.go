package artifacts

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/anchor-deploy/anchor/internal/retry"
)

// maxManifest bounds what is read into memory: a manifest of artifact.DefaultLimits.Files entries
// is smaller.
const maxManifest = 64 << 20

// readObject returns the whole of a small object.
func (s *Store) readObject(ctx context.Context, key string) ([]byte, error) {
	body, err := s.openObject(ctx, key)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	data, err := io.ReadAll(io.LimitReader(body, maxManifest))
	if err != nil {
		return nil, s.explainFailure(err, "GetObject", key)
	}
	return data, nil
}

// openObject starts a download. It does not check S3's own checksum, because the readers check contents
// against their names.
func (s *Store) openObject(ctx context.Context, key string) (io.ReadCloser, error) {
	out, err := s.S3.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.Bucket, Key: &key}, func(o *s3.Options) {
		o.ResponseChecksumValidation = sdk.ResponseChecksumValidationWhenRequired
	})
	if err != nil {
		return nil, s.explainFailure(err, "GetObject", key)
	}
	return out.Body, nil
}

// putNew writes an object unless the key exists.
func (s *Store) putNew(ctx context.Context, key string, data []byte) (written bool, err error) {
	err = retry.Do(ctx, conflicts, func() error {
		_, err := s.S3.PutObject(ctx, &s3.PutObjectInput{
			Bucket: &s.Bucket, Key: &key, Body: bytes.NewReader(data), ContentType: sdk.String("application/json"),
			IfNoneMatch: sdk.String("*"),
		})
		switch {
		case statusOf(err) == http.StatusPreconditionFailed:
			return nil
		case statusOf(err) == http.StatusConflict: // ConditionalRequestConflict: another write is in progress
			return retry.Again(s.explainFailure(err, "PutObject", key))
		case err != nil:
			return s.explainFailure(err, "PutObject", key)
		}
		written = true
		return nil
	})
	return written, err
}

// conflicts is the retry policy for writes that collide with another write of the same key.
var conflicts = retry.Policy{First: 100 * time.Millisecond, Longest: 400 * time.Millisecond, Calls: 5}
