// Package asset stores a deployment's static files and incremental cache in S3 and its tag table
// in DynamoDB. It does not know functions, CloudFront or records.
//
// The assets bucket:
//
//	assets/<projectId>/_next/static/…          hashed files, shared by the project's deployments, never overwritten
//	assets/<projectId>/.anchor/<deploymentId>.json  which of these a deployment uses
//	deployments/<projectId>/<deploymentId>/…  public files, and the originals that next/image reads
//	cache/<projectId>/<deploymentId>/…         incremental cache, under OpenNext's own keys
//
// With a base path, the first and the third contain it, as the URL does.
package asset

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Config holds what an Assets works with. The HTTP client of S3 should keep Parallel idle
// connections per host; the SDK's default is 10.
type Config struct {
	S3              *s3.Client
	DynamoDB        *dynamodb.Client
	Installation    string // prefix of the tag tables' names
	AssetsBucket    string
	ArtifactsBucket string // holds the artifacts' contents as files/<sha256>; "" if they are not in S3
}

// Parallel is how many small objects are sent at a time.
const Parallel = 32

// Files of largeSize or more are sent in parts of that size, a few at a time. With the transfer
// manager's buffers they take at most about 100 MB, which fits the deploy handler's 512 MB.
const (
	largeSize     = 8 << 20
	largeParallel = 2
	partParallel  = 4
)

// attempts bounds the attempts of one call. S3 answers 503 SlowDown while it makes room for a
// prefix that is new and busy (S3 User Guide, "Optimizing performance").
const attempts = 6

// Assets puts static files and caches where CloudFront and the functions find them. It is safe
// for concurrent use, with one exception: Remove must not run while Upload runs for the same
// project (see Remove).
type Assets struct {
	Config
	transfer *transfermanager.Client
}

// New returns the Assets of an installation.
func New(c Config) *Assets {
	c.S3 = s3.New(c.S3.Options(), func(o *s3.Options) {
		// PutObject: "On a 409 failure, retry the upload."
		o.Retryer = retry.AddWithErrorCodes(retry.AddWithMaxAttempts(o.Retryer, attempts), "ConditionalRequestConflict")
	})
	return &Assets{Config: c, transfer: transfermanager.New(c.S3, func(o *transfermanager.Options) {
		o.PartSizeBytes, o.MultipartUploadThreshold = largeSize, largeSize
		o.Concurrency = partParallel
		o.FailTimeout = 10 * time.Second // to abort the parts of a canceled upload
	})}
}
