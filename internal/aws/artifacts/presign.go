package artifacts

import (
	"context"
	"fmt"
	"net/http"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/anchor-deploy/anchor/internal/artifact"
)

// lifetime is how long a presigned URL is valid. It ends earlier when the credentials that signed
// it expire; the uploader then requests another.
const lifetime = 15 * time.Minute

// Presign returns, for each content, a URL and headers to PUT it with, without any other
// credentials. The SHA-256 and the length are signed as headers: S3 refuses another content
// (BadDigest), and a request without the headers (SignatureDoesNotMatch).
func (s *Store) Presign(ctx context.Context, files []artifact.File) ([]artifact.Upload, error) {
	uploads := make([]artifact.Upload, 0, len(files))
	for _, f := range files {
		sum, err := checksumOf(f.Digest)
		if err != nil {
			return nil, err
		}
		signed, err := s.presign.PresignPutObject(ctx, &s3.PutObjectInput{
			Bucket: &s.Bucket, Key: sdk.String(fileKey(f.Digest)), ContentLength: &f.Size, ChecksumSHA256: &sum,
		})
		if err != nil {
			return nil, fmt.Errorf("sign the upload of %s: %w", f.Digest, err)
		}
		uploads = append(uploads, artifact.Upload{Digest: f.Digest, URL: signed.URL, Header: toSend(signed.SignedHeader)})
	}
	return uploads, nil
}

// toSend omits the headers that an HTTP client sets itself.
func toSend(signed http.Header) map[string]string {
	header := map[string]string{}
	for name := range signed {
		switch http.CanonicalHeaderKey(name) {
		case "Host", "Content-Length":
		default:
			header[http.CanonicalHeaderKey(name)] = signed.Get(name)
		}
	}
	return header
}
