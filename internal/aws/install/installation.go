// Package install manages an installation of Anchor in an AWS account: its CloudFormation stack,
// and the few resources that must exist before it. It does not handle what belongs to one
// project.
package install

import (
	"cmp"
	"context"
	"io/fs"
	"regexp"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/installation"
)

// The architectures of Lambda functions, as the service spells them.
const (
	ARM64 = "arm64"
	X8664 = "x86_64"
)

// Config holds what an Installation is made of.
type Config struct {
	installation.Options
	AWS      sdk.Config // with credentials and region
	Handlers fs.FS      // arm64.zip and amd64.zip; Handlers() when nil
	Template string     // Template() when ""

	Projects Projects                          // what is in the installation
	Remover  Remover                           // removes it; nil: Destroy refuses while there are projects
	Tokens   func(installation.Outputs) Tokens // manages tokens in its records

	Poll time.Duration    // between two reads of a stack that changes, 3 s
	Now  func() time.Time // time.Now when nil
}

// Projects lists the projects of an installation.
type Projects interface {
	// List returns all projects. The error is NotFound when the records no longer exist.
	List(ctx context.Context, o installation.Outputs) ([]anchor.Project, error)
	// Lives returns the live pointers of all projects. The error is NotFound when the records no
	// longer exist.
	Lives(ctx context.Context, o installation.Outputs) ([]anchor.Live, error)
	// Settings returns the settings of a project that count. The error is NotFound when the records no
	// longer exist.
	Settings(ctx context.Context, o installation.Outputs, p anchor.ProjectID) (anchor.Settings, error)
}

// Remover removes a project.
type Remover interface {
	// Remove deletes the AWS resources of p outside the stack, and then its record. It returns
	// what cannot be deleted yet, such as a certificate in use. Idempotent. The error is of
	// KindBusy while AWS is still working, and the next call continues.
	Remove(ctx context.Context, o installation.Outputs, p anchor.Project) (kept []string, err error)
	// RemoveShared deletes the AWS resources outside the stack that all projects share, once
	// there are no projects. It returns what cannot be deleted. Idempotent.
	RemoveShared(ctx context.Context) (kept []string, err error)
}

// Tokens creates tokens: an *access.Service.
type Tokens interface {
	// List returns all tokens, including revoked ones.
	List(ctx context.Context) ([]anchor.Token, error)
	// Create creates a token and returns its secret, which is stored nowhere.
	Create(ctx context.Context, name string, scope anchor.Scope) (string, anchor.Token, error)
}

// Installation implements installation.Installation.
type Installation struct {
	Config
	account string // set by open

	formation *cloudformation.Client
	tables    *dynamodb.Client
	logs      *cloudwatchlogs.Client
	s3        *s3.Client
	ssm       *ssm.Client
	sts       *sts.Client
}

// Sixteen characters leave room for a slug (35) and a function's name within the 64 of a Lambda
// function. Without hyphens, no name of one installation is the beginning of another's.
var validName = regexp.MustCompile(`^[a-z][a-z0-9]{0,15}$`)

// reservedName matches what AWS reserves: parameters that begin with aws or ssm (SSM:
// PutParameter), and buckets that begin with sthree- (S3: "General purpose bucket naming rules").
var reservedName = regexp.MustCompile(`^(aws|ssm|sthree$)`)

// New returns the installation that c names. It makes no call.
func New(c Config) (*Installation, error) {
	c.Name = cmp.Or(c.Name, "anchor")
	c.Poll = cmp.Or(c.Poll, 3*time.Second)
	if c.Handlers == nil {
		c.Handlers = Handlers()
	}
	if !validName.MatchString(c.Name) {
		return nil, anchor.Invalid("bad_installation", "%q cannot be the name of an installation", c.Name).
			Hintf("Use a lowercase letter followed by at most 15 lowercase letters or digits.")
	}
	if reservedName.MatchString(c.Name) {
		return nil, anchor.Invalid("bad_installation", "AWS reserves names such as %s", c.Name).
			Hintf("Choose a name for the installation that does not begin with aws or ssm.")
	}
	if c.Architecture != "" && c.Architecture != ARM64 && c.Architecture != X8664 {
		return nil, anchor.Invalid("bad_architecture", "functions cannot run on %q", c.Architecture).
			Hintf("Lambda has %s and %s.", ARM64, X8664)
	}
	if err := checkParameters(c.Parameters); err != nil {
		return nil, err
	}
	return &Installation{
		Config: c, formation: cloudformation.NewFromConfig(c.AWS), tables: dynamodb.NewFromConfig(c.AWS),
		logs: cloudwatchlogs.NewFromConfig(c.AWS), s3: s3.NewFromConfig(c.AWS, pathStyle), ssm: ssm.NewFromConfig(c.AWS),
		sts: sts.NewFromConfig(c.AWS),
	}, nil
}

// pathStyle keeps buckets out of host names when the user has set an endpoint, which has no host
// name for each bucket.
func pathStyle(o *s3.Options) { o.UsePathStyle = o.BaseEndpoint != nil }

func (i *Installation) reportStep(step, text string) {
	if i.Watch != nil {
		i.Watch(installation.Event{Step: step, Text: text})
	}
}

func (i *Installation) reportDone(step, text string) {
	if i.Watch != nil {
		i.Watch(installation.Event{Step: step, Text: text, Done: true})
	}
}
