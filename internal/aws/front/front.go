// Package front puts CloudFront in front of a project: one distribution, whose
// viewer-request function (viewer-request.js) reads in a KeyValueStore which
// deployment is live and where its paths lead, so that a switch is one write to the
// store and the distribution itself hardly ever changes.
package front

import (
	"context"
	_ "embed"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfrontkeyvaluestore"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/retry"
)

// Source is the viewer-request function.
//
//go:embed viewer-request.js
var Source []byte

// Config is what New needs.
type Config struct {
	CloudFront    *cloudfront.Client
	KeyValueStore *cloudfrontkeyvaluestore.Client
	Installation  string
	AssetsBucket  string
	Region        string // of the assets bucket
	// Secrets are the generations of the origin secret, newest first: the value of
	// the x-anchor-origin header that functions insist on, joined by commas.
	Secrets func(anchor.Project) []string
	Log     *slog.Logger
}

// Front makes and keeps the distributions of an installation's projects. All of its
// methods can be called again after any failure, and by several at a time.
type Front struct {
	Config
	pause func(ctx context.Context, attempt int) error

	mu     sync.Mutex
	shared shared
	stores map[anchor.ProjectID]*store
}

// New makes a Front. It calls nothing.
func New(c Config) *Front {
	return &Front{Config: c, pause: conflicts.Pause, stores: map[anchor.ProjectID]*store{}}
}

// Site is what serves a project.
type Site struct {
	Distribution string // id
	Domain       string // dxxx.cloudfront.net
	Store        string // ARN of the KeyValueStore
}

// attempts bounds what is tried again: a dozen conflicts in a row, or about two
// minutes of throttling.
const attempts = 8

// conflicts is the policy for calls that meet another caller, or are throttled.
var conflicts = retry.Policy{First: 375 * time.Millisecond, Longest: 45 * time.Second}

// name is that of a project's function and store.
func (f *Front) name(p anchor.Project) string { return f.Installation + "-" + p.Slug }

// comment is that by which a project's distribution is found again.
func (f *Front) comment(p anchor.Project) string {
	return fmt.Sprintf("%s %s", f.name(p), p.ID)
}

func (f *Front) tags(p anchor.Project) map[string]string {
	return map[string]string{"Project": p.Slug, "ManagedBy": "anchor-deploy", "Installation": f.Installation}
}

func (f *Front) secret(p anchor.Project) string { return strings.Join(f.Secrets(p), ",") }
