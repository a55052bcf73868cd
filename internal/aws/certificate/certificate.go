// Package certificate provides custom domains with certificates and serves them at the edge on
// AWS. Each hostname has its own certificate from ACM, and its own CloudFront distribution tenant
// that holds it (docs/decisions/0009-aws-certificates.md). So a hostname's certificate,
// validation or removal never affects another hostname.
package certificate

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	acmtypes "github.com/aws/aws-sdk-go-v2/service/acm/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awserr"
	"github.com/anchor-deploy/anchor/internal/domains"
	"github.com/anchor-deploy/anchor/internal/retry"
)

// Region is the region from which CloudFront takes certificates, wherever the installation is
// (CloudFront Developer Guide, "Requirements for using SSL/TLS certificates").
const Region = "us-east-1"

// Projects finds projects. The error is NotFound when there is none.
type Projects interface {
	Project(ctx context.Context, id anchor.ProjectID) (anchor.Project, error)
}

// Config holds what New needs.
type Config struct {
	ACM          *acm.Client // of any region: it is used in Region
	CloudFront   *cloudfront.Client
	Installation string
	Projects     Projects
	// Distribution returns the id of the distribution that serves the project at its
	// cloudfront.net name; domains are served the same way.
	Distribution func(context.Context, anchor.Project) (string, error)
	Log          *slog.Logger // slog.Default() when nil
}

// Domains implements domains.Certificates and domains.Front. All of its methods can be repeated
// after any failure, and run concurrently, also in several processes.
type Domains struct {
	Config
	retries retry.Policy

	mu     sync.Mutex
	routes string            // routing endpoint of the connection group; "" until it is known
	group  string            // its id
	known  map[string]string // key of a distribution → its id
}

var (
	_ domains.Certificates = (*Domains)(nil)
	_ domains.Front        = (*Domains)(nil)
)

// New returns a Domains. It makes no call.
func New(c Config) *Domains {
	c.ACM = acm.New(c.ACM.Options(), func(o *acm.Options) { o.Region = Region })
	c.Log = cmp.Or(c.Log, slog.Default())
	return &Domains{Config: c, retries: conflicts, known: map[string]string{}}
}

// conflicts is the retry policy for calls that collide with another caller, or are throttled.
var conflicts = retry.Policy{First: 375 * time.Millisecond, Longest: 6 * time.Second, Calls: 9}

// settleWrite repeats a read and write while other writers change the resource between the two.
func (d *Domains) settleWrite(ctx context.Context, do func() error) error {
	return retry.Do(ctx, d.retries, func() error {
		err := do()
		if awserr.Stale(err) {
			return retry.Again(err)
		}
		return err
	})
}

// tenantName returns the name of a hostname's distribution tenant. When a name is removed and
// added again, the new hostname has another id.
func (d *Domains) tenantName(h anchor.Hostname) string { return d.Installation + "-" + string(h.ID) }

// hostnameTag is the tag of a certificate that holds the hostname's id. By it, a certificate is
// found whose ARN was not stored in the record.
const hostnameTag = "Hostname"

func (d *Domains) tagsOf(p anchor.Project) [][2]string {
	tags := [][2]string{{"ManagedBy", "anchor-deploy"}, {"Installation", d.Installation}}
	if p.Slug != "" {
		tags = slices.Insert(tags, 0, [2]string{"Project", p.Slug})
	}
	return tags
}

func (d *Domains) acmTags(p anchor.Project, h anchor.Hostname) (list []acmtypes.Tag) {
	for _, t := range append(d.tagsOf(p), [2]string{hostnameTag, string(h.ID)}) {
		list = append(list, acmtypes.Tag{Key: sdk.String(t[0]), Value: sdk.String(t[1])})
	}
	return list
}

func (d *Domains) cloudFrontTags(p anchor.Project) *types.Tags {
	tags := &types.Tags{}
	for _, t := range d.tagsOf(p) {
		tags.Items = append(tags.Items, types.Tag{Key: sdk.String(t[0]), Value: sdk.String(t[1])})
	}
	return tags
}
