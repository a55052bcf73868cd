// Package function runs a project's functions on AWS Lambda: one Lambda function for
// each function of the build, one immutable version of it for each deployment, and two
// kinds of alias: "d-<deploymentId>", made once, and "live", which traffic follows.
// Every alias of a function that answers HTTP has a function URL of its own, open to
// all and guarded by the entry that is put into the bundle (see entry/guard.mjs).
package function

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// What every function is made with.
const (
	// Runtime is the newest of Lambda's that every Next.js since 13 runs on, Node.js 22.
	Runtime = types.RuntimeNodejs22x
	// MemoryMB also sets the processor's share: a whole one begins at 1,769 MB. OpenNext's
	// own reference takes 1,024.
	MemoryMB = 1024
	// TimeoutSeconds is as long as CloudFront waits for an origin's first byte by default.
	TimeoutSeconds = 30
)

// ProbeLimit is how long a new version may take for its first page, its cold start
// included, unless Config says otherwise.
const ProbeLimit = 40 * time.Second

// Leases lets one holder at a time work on a project.
type Leases interface {
	// Lease takes the project's lease for ttl. Conflict "lease_held" while another holds
	// it. renew extends it by another ttl and fails when it is lost.
	Lease(ctx context.Context, p anchor.ProjectID, holder string, ttl time.Duration) (renew, release func(context.Context) error, err error)
}

// Config is what Functions needs. All but ProbeLimit and LogDays have to be there.
type Config struct {
	Lambda *lambda.Client
	S3     *s3.Client
	SQS    *sqs.Client
	Logs   *cloudwatchlogs.Client
	Leases Leases

	Installation    string // begins every name
	ArtifactsBucket string // where the zips go
	Role            string // ARN of the role that functions run as
	LogDays         int    // for how long CloudWatch keeps what functions print; 0: for ever

	HTTP       *http.Client  // asks function URLs
	ProbeLimit time.Duration // 0 is the constant's
	Log        *slog.Logger
}

// Functions publishes versions of functions and moves traffic between them. It is safe
// for concurrent use. Make it with New.
type Functions struct {
	Config
	step      time.Duration // the first wait between two looks
	leaseTTL  time.Duration
	leaseWait time.Duration // how long to wait for another's lease
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
