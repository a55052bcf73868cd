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

// maxManifest bounds what is read into memory: artifact.DefaultLimits.Files entries
// stay below.
const maxManifest = 64 << 20

// read gives a small object whole.
func (s *Store) read(ctx context.Context, key string) ([]byte, error) {
	body, err := s.open(ctx, key)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	data, err := io.ReadAll(io.LimitReader(body, maxManifest))
	if err != nil {
		return nil, s.failed(err, "GetObject", key)
	}
	return data, nil
}

// open begins a download. Contents are checked against their names by who reads, so
// S3's own checksums are not.
func (s *Store) open(ctx context.Context, key string) (io.ReadCloser, error) {
	out, err := s.S3.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.Bucket, Key: &key}, func(o *s3.Options) {
		o.ResponseChecksumValidation = sdk.ResponseChecksumValidationWhenRequired
	})
	if err != nil {
		return nil, s.failed(err, "GetObject", key)
	}
	return out.Body, nil
}

// putNew writes an object unless the key is taken.
func (s *Store) putNew(ctx context.Context, key string, data []byte) (written bool, err error) {
	err = retry.Do(ctx, conflicts, func() error {
		_, err := s.S3.PutObject(ctx, &s3.PutObjectInput{
			Bucket: &s.Bucket, Key: &key, Body: bytes.NewReader(data), ContentType: sdk.String("application/json"),
			IfNoneMatch: sdk.String("*"),
		})
		switch {
		case statusOf(err) == http.StatusPreconditionFailed:
			return nil
		case statusOf(err) == http.StatusConflict: // ConditionalRequestConflict: another write is under way
			return retry.Again(s.failed(err, "PutObject", key))
		case err != nil:
			return s.failed(err, "PutObject", key)
		}
		written = true
		return nil
	})
	return written, err
}

// conflicts is the policy for writes that meet another write of the same key.
var conflicts = retry.Policy{First: 100 * time.Millisecond, Longest: 400 * time.Millisecond, Calls: 5}
