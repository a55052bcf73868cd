// Package function runs a project's functions on AWS Lambda. Each function of the build is one
// Lambda function, and each deployment has one immutable version of it. There are two kinds of
// alias: "d-<deploymentId>", which never changes, and "live", which follows the live pointer.
// Every alias of a function that answers HTTP has its own function URL. The URL is public, and
// guarded by the entry that is added to the bundle (see entry/guard.mjs).
package function

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// The settings of a function that the project does not set.
const (
	// MemoryMB also sets the share of a processor: a whole one begins at 1,769 MB. OpenNext's own
	// reference uses 1,024.
	MemoryMB = 1024
	// TimeoutSeconds equals the time that CloudFront waits for an origin's first byte by default.
	TimeoutSeconds = 30
)

// ProbeLimit is how long a new version may take for its first page, including its cold start,
// unless Config sets another limit.
const ProbeLimit = 40 * time.Second

// Leases lets one holder at a time work on a project.
type Leases interface {
	// Lease acquires the project's lease for ttl. The error is Conflict "lease_held" while
	// another holder has it. renew extends it by another ttl, and fails when it is lost.
	Lease(ctx context.Context, p anchor.ProjectID, holder string, ttl time.Duration) (renew, release func(context.Context) error, err error)
}

// Config holds what Functions needs. All fields but ProbeLimit and LogDays are required.
type Config struct {
	Lambda *lambda.Client
	S3     *s3.Client
	SQS    *sqs.Client
	Logs   *cloudwatchlogs.Client
	Leases Leases

	Installation    string // prefix of every name
	ArtifactsBucket string // where the zips go
	LogDays         int    // how long CloudWatch keeps what functions print; 0 means forever

	// Names holds the names in Lambda, by the build's name of a function, that an installation
	// of one project sets. The others are made of the installation's name and the slug.
	Names map[string]string

	HTTP       *http.Client  // asks function URLs
	ProbeLimit time.Duration // 0 means the constant
	Log        *slog.Logger
}

// Functions publishes versions of functions and moves traffic between them. It is safe for
// concurrent use. Create it with New.
type Functions struct {
	Config
	step      time.Duration // the first wait between two reads
	leaseTTL  time.Duration
	leaseWait time.Duration // how long to wait for another holder's lease
}

// New returns the functions of an installation.
func New(c Config) *Functions {
	if c.ProbeLimit == 0 {
		c.ProbeLimit = ProbeLimit
	}
	return &Functions{
		Config: c, step: 200 * time.Millisecond, leaseTTL: 30 * time.Second, leaseWait: 3 * time.Minute,
	}
}
