// Package front puts CloudFront in front of a project. Each project has one distribution. Its
// viewer-request function (viewer-request.js) reads from a KeyValueStore which deployment is live
// and where its paths lead. So a switch is one write to the store, and the distribution itself
// rarely changes.
package front

import (
	"bytes"
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

//go:embed viewer-request.js
var script string

// Source is the viewer-request function as CloudFront gets it: without comments and indentation,
// because CloudFront bounds its size (Developer Guide, "Quotas on CloudFront Functions").
var Source = condense(script)

// condense removes what the runtime ignores from a script that has neither texts of several lines
// nor comments behind code.
func condense(script string) []byte {
	var b bytes.Buffer
	for line := range strings.Lines(script) {
		if line = strings.TrimLeft(line, " "); line != "\n" && !strings.HasPrefix(line, "//") {
			b.WriteString(line)
		}
	}
	return b.Bytes()
}

// Config holds what New needs.
type Config struct {
	CloudFront    *cloudfront.Client
	KeyValueStore *cloudfrontkeyvaluestore.Client
	Installation  string
	AssetsBucket  string
	Region        string // of the assets bucket
	Distribution  string // id, of an installation's only project; "" where Front creates one for each
	// Secrets returns the generations of the origin secret, newest first. Joined by commas, they
	// are the value of the x-anchor-origin header that functions require.
	Secrets func(anchor.Project) []string
	Log     *slog.Logger
}

// Front creates and updates the distributions of an installation's projects. All of its methods
// can be repeated after any failure, and run concurrently.
type Front struct {
	Config
	retries retry.Policy

	mu     sync.Mutex
	shared shared
	stores map[anchor.ProjectID]*store
}

// New returns a Front. It makes no call.
func New(c Config) *Front {
	return &Front{Config: c, retries: conflicts, stores: map[anchor.ProjectID]*store{}}
}

// Site identifies what serves a project.
type Site struct {
	Distribution string // id
	Domain       string // dxxx.cloudfront.net
	Store        string // ARN of the KeyValueStore
}

// conflicts is the retry policy for calls that collide with another caller, or are throttled, for
// about two minutes.
var conflicts = retry.Policy{First: 375 * time.Millisecond, Longest: 45 * time.Second, Calls: 9}

// resourceName is the name of a project's function and store.
func (f *Front) resourceName(p anchor.Project) string { return f.Installation + "-" + p.Slug }

// commentText is the comment of a project's distribution, by which it is found.
func (f *Front) commentText(p anchor.Project) string {
	return fmt.Sprintf("%s %s", f.resourceName(p), p.ID)
}

func (f *Front) tagsOf(p anchor.Project) map[string]string {
	return map[string]string{"Project": p.Slug, "ManagedBy": "anchor-deploy", "Installation": f.Installation}
}

func (f *Front) originSecret(p anchor.Project) string { return strings.Join(f.Secrets(p), ",") }
