// Package aws is the platform of an AWS account. It turns deployments into Lambda versions, files
// and caches into S3 objects and DynamoDB tables, and projects into CloudFront distributions. It
// connects its sub-packages, which do not know one another.
package aws

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfrontkeyvaluestore"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/alarm"
	"github.com/anchor-deploy/anchor/internal/aws/asset"
	"github.com/anchor-deploy/anchor/internal/aws/certificate"
	"github.com/anchor-deploy/anchor/internal/aws/front"
	"github.com/anchor-deploy/anchor/internal/aws/function"
	"github.com/anchor-deploy/anchor/internal/aws/role"
	"github.com/anchor-deploy/anchor/internal/aws/schedule"
	"github.com/anchor-deploy/anchor/internal/release"
)

// Records is what the platform reads from the records, and where the reconciler notes that
// traffic does not follow a pointer.
type Records interface {
	release.DivisionRecords
	release.Lister
	// Project returns one project, or ErrNotFound.
	Project(ctx context.Context, id anchor.ProjectID) (anchor.Project, error)
	// Live returns the live pointer of a project, or ErrNotFound before its first release.
	Live(ctx context.Context, p anchor.ProjectID) (anchor.Live, error)
	// Lives returns the live pointers of all projects.
	Lives(ctx context.Context) ([]anchor.Live, error)
	// ProjectBySlug returns the project that has a slug, or ErrNotFound.
	ProjectBySlug(ctx context.Context, slug string) (anchor.Project, error)
	// ProjectRemoved reports whether the records say that a project was removed. It returns false
	// for a project that they never held.
	ProjectRemoved(ctx context.Context, id anchor.ProjectID) (bool, error)
}

// Notes stores one text per project, so that a process without memory need not look up what an
// earlier one knew. It is a cache: a note that is lost, old or unreadable costs calls, nothing
// else.
type Notes interface {
	// Note returns what PutNote wrote last, or "" when there is no note.
	Note(ctx context.Context, p anchor.ProjectID) (string, error)
	// PutNote replaces the project's note. Deleting the project's records deletes it.
	PutNote(ctx context.Context, p anchor.ProjectID, text string) error
}

// Config holds what the platform works with.
type Config struct {
	AWS             sdk.Config
	Installation    string // prefix of the names of all resources
	AssetsBucket    string
	ArtifactsBucket string
	Boundary        string // ARN of the permissions boundary of the projects' roles
	FunctionRole    string // ARN of the role that functions run as where Boundary is "": a stack of an earlier version has none
	LogDays         int    // how long CloudWatch keeps what the sites' functions print; 0 means forever
	Site            Site   // of an installation of one project; its fields may be ""
	Key             []byte // of the installation: 32 bytes, from which secrets are derived
	Secrets         Generations
	Records         Records
	Settings        SettingsRecords
	Crons           CronRecords
	CronHandler     string // ARN of the handler that runs crons, and of the role with which schedules invoke it;
	CronRole        string // "" where the stack is of an earlier version, which runs none
	Notes           Notes
	Leases          function.Leases
	HTTP            *http.Client  // sends the probes; http.DefaultClient when nil
	ProbeLimit      time.Duration // how long a new version may take to answer; 0 is function.ProbeLimit
	Log             *slog.Logger  // slog.Default() when nil
	Tabs            time.Duration // how long open tabs may use a deployment after it was live; 0: not at all
	Now             func() time.Time
	// Switched makes another process call Settle for a project. nil: this process does it.
	Switched func(ctx context.Context, p anchor.ProjectID) error
}

// Platform implements the ports of deploy and release on AWS. It is safe for concurrent use, also
// by many processes: all lasting state is in the account, and what a Platform remembers only
// saves calls.
type Platform struct {
	Config
	functions *function.Functions
	assets    *asset.Assets
	front     *front.Front
	domains   *certificate.Domains
	roles     *role.Roles
	alarms    alarm.Alarms
	schedules schedule.Schedules
	s3        *s3.Client
	metrics   *cloudwatch.Client
	rounds    rounds

	mu       sync.Mutex
	projects map[anchor.ProjectID]anchor.Project
	sites    map[anchor.ProjectID]front.Site
	tabs     map[anchor.ProjectID]int64 // revisions at which CloudFront has what tabs may use

	announced map[anchor.ProjectID]int64 // revisions whose switch another process settles
}

// New returns the platform. It makes no call.
func New(c Config) (*Platform, error) {
	if len(c.Key) != keySize {
		return nil, fmt.Errorf("the installation's key has %d bytes, not %d", len(c.Key), keySize)
	}
	if err := c.Secrets.check(); err != nil {
		return nil, err
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.HTTP == nil {
		c.HTTP = http.DefaultClient
	}
	p := &Platform{
		Config:   c,
		s3:       s3.NewFromConfig(c.AWS),
		metrics:  cloudwatch.NewFromConfig(c.AWS),
		projects: map[anchor.ProjectID]anchor.Project{},
		sites:    map[anchor.ProjectID]front.Site{},
		tabs:     map[anchor.ProjectID]int64{},

		announced: map[anchor.ProjectID]int64{},
		rounds:    rounds{settled: map[anchor.ProjectID]anchor.ReleaseID{}},
	}
	p.functions = function.New(function.Config{
		Lambda: lambda.NewFromConfig(c.AWS), S3: p.s3, SQS: sqs.NewFromConfig(c.AWS),
		Logs: cloudwatchlogs.NewFromConfig(c.AWS), Leases: c.Leases,
		Installation: c.Installation, ArtifactsBucket: c.ArtifactsBucket, LogDays: c.LogDays, HTTP: c.HTTP,
		ProbeLimit: c.ProbeLimit, Log: c.Log, Names: c.Site.functionNames(),
	})
	p.assets = asset.New(asset.Config{
		S3: p.s3, DynamoDB: dynamodb.NewFromConfig(c.AWS), Installation: c.Installation,
		AssetsBucket: c.AssetsBucket, ArtifactsBucket: c.ArtifactsBucket,
	})
	p.front = front.New(front.Config{
		CloudFront: cloudfront.NewFromConfig(c.AWS), KeyValueStore: cloudfrontkeyvaluestore.NewFromConfig(c.AWS),
		Installation: c.Installation, AssetsBucket: c.AssetsBucket, Region: c.AWS.Region, Secrets: p.secrets, Log: c.Log,
		Distribution: c.Site.Distribution,
	})
	p.roles = role.New(role.Config{
		IAM: iam.NewFromConfig(c.AWS), Installation: c.Installation, Region: c.AWS.Region, AssetsBucket: c.AssetsBucket,
		Boundary: c.Boundary, Distribution: c.Site.Distribution,
	})
	p.alarms = alarm.Alarms{CloudWatch: cloudwatch.NewFromConfig(c.AWS), Installation: c.Installation}
	p.schedules = schedule.Schedules{
		Scheduler: scheduler.NewFromConfig(c.AWS), Group: c.Installation, Handler: c.CronHandler, Role: c.CronRole,
	}
	p.domains = certificate.New(certificate.Config{
		ACM: acm.NewFromConfig(c.AWS), CloudFront: cloudfront.NewFromConfig(c.AWS), Installation: c.Installation,
		Projects: c.Records, Distribution: p.distribution, Log: c.Log,
	})
	return p, nil
}

// Domains returns the adapter that manages the certificates of custom domains and serves them.
func (p *Platform) Domains() *certificate.Domains { return p.domains }

func (p *Platform) distribution(ctx context.Context, project anchor.Project) (string, error) {
	site, err := p.siteOf(ctx, project)
	return site.Distribution, err
}

// Runtime returns the runtime of Lambda that a project's live deployment runs on.
func (p *Platform) Runtime(ctx context.Context, project anchor.Project) (string, error) {
	return p.functions.Runtime(ctx, project)
}

// project returns a project by its id. All names are made of its slug, which never changes.
func (p *Platform) project(ctx context.Context, id anchor.ProjectID) (anchor.Project, error) {
	p.mu.Lock()
	known, ok := p.projects[id]
	p.mu.Unlock()
	if ok {
		return known, nil
	}
	project, err := p.Records.Project(ctx, id)
	if err != nil {
		return anchor.Project{}, fmt.Errorf("read project %s: %w", id, err)
	}
	p.know(project)
	return project, nil
}

func (p *Platform) know(project anchor.Project) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.projects[project.ID] = project
}

// serving returns the deployment whose functions answer for id.
func (p *Platform) serving(ctx context.Context, id anchor.DeploymentID) (anchor.Deployment, error) {
	d, err := p.Records.Deployment(ctx, id)
	if errors.Is(err, anchor.ErrNotFound) {
		return anchor.Deployment{}, anchor.NotFound("unknown_deployment", "there is no deployment %s to send traffic to", id).
			Hintf("To list the deployments, run `anchor deployments`.").Because(err)
	}
	if err != nil {
		return anchor.Deployment{}, fmt.Errorf("read deployment %s: %w", id, err)
	}
	return d, nil
}
