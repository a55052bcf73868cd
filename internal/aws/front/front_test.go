package front_test

import (
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfrontkeyvaluestore"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awstest"
	"github.com/anchor-deploy/anchor/internal/aws/front"
	"github.com/anchor-deploy/anchor/internal/aws/front/fronttest"
	"github.com/anchor-deploy/anchor/internal/deploy"
)

func TestMain(m *testing.M) { os.Exit(awstest.Sharing(m).Run()) }

const bucket = "anchor-assets"

// stand is an emulator with a Front and a project.
type stand struct {
	*front.Front
	t       *testing.T
	cloud   *awstest.Cloud
	cf      *cloudfront.Client
	project anchor.Project
	secrets []string
}

func newStand(t *testing.T) *stand {
	t.Helper()
	return standOn(t, awstest.Shared(t))
}

// fresh returns another account of the same emulator. They share the wire, so they cannot be used
// concurrently.
func (s *stand) fresh(t *testing.T) *stand {
	t.Helper()
	cloud := *s.cloud
	cloud.Account = strconv.Itoa(100_000_000_000 + rand.IntN(800_000_000_000))
	cloud.Wire.Mend()
	return standOn(t, &cloud)
}

func standOn(t *testing.T, cloud *awstest.Cloud) *stand {
	t.Helper()
	s := &stand{t: t, cloud: cloud, secrets: []string{"new", "old"}}
	s.cf = cloudfront.NewFromConfig(s.cloud.Config())
	s.project = anchor.Project{ID: anchor.ProjectID(anchor.NewID()), Slug: "shop"}
	s.Front = s.another()
	return s
}

// another returns the Front of another process of the same installation.
func (s *stand) another() *front.Front { return s.naming("") }

// naming returns the Front of an installation that names its project's distribution.
func (s *stand) naming(distribution string) *front.Front {
	f := front.New(front.Config{
		Distribution:  distribution,
		CloudFront:    cloudfront.NewFromConfig(s.cloud.Config()),
		KeyValueStore: cloudfrontkeyvaluestore.NewFromConfig(s.cloud.Config()),
		Installation:  "anchor", AssetsBucket: bucket, Region: awstest.Region,
		Secrets: func(anchor.Project) []string { return s.secrets },
		Log:     slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	f.Hurry()
	return f
}

var liveHosts = map[string]string{"default": "live.lambda-url.on.aws", "imageOptimizer": "image.lambda-url.on.aws"}

func (s *stand) ensure() front.Site {
	s.t.Helper()
	site, err := s.Ensure(s.t.Context(), s.project, liveHosts)
	if err != nil {
		s.t.Fatal(err)
	}
	return site
}

// artifact returns a deployment with the routes that OpenNext writes for a small app.
func (s *stand) artifact() deploy.Artifact {
	return deploy.Artifact{
		Project:    s.project,
		Deployment: anchor.Deployment{ID: anchor.DeploymentID(anchor.NewID()), ProjectID: s.project.ID},
		Build: anchor.Build{Routes: []anchor.Route{
			{Pattern: "_next/image*", Function: "imageOptimizer"},
			{Pattern: "favicon.ico"},
			{Pattern: "img/*"},
			{Pattern: "*", Function: "default"},
		}},
	}
}

func (s *stand) publish(a deploy.Artifact) {
	s.t.Helper()
	hosts := map[string]string{"default": "own.lambda-url.on.aws", "imageOptimizer": "ownimage.lambda-url.on.aws"}
	if err := s.Publish(s.t.Context(), a, hosts); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stand) live(a deploy.Artifact, revision int64) anchor.Live {
	return anchor.Live{
		ProjectID: s.project.ID, Deployment: a.Deployment.ID, Revision: revision,
		Release: anchor.ReleaseID(anchor.NewID()),
	}
}

// stored returns the store's keys and values.
func (s *stand) stored(site front.Site) map[string]string {
	s.t.Helper()
	out, err := cloudfrontkeyvaluestore.NewFromConfig(s.cloud.Config()).ListKeys(s.t.Context(), &cloudfrontkeyvaluestore.ListKeysInput{
		KvsARN: sdk.String(site.Store), MaxResults: sdk.Int32(50),
	})
	if err != nil {
		s.t.Fatal(err)
	}
	all := map[string]string{}
	for _, i := range out.Items {
		all[sdk.ToString(i.Key)] = sdk.ToString(i.Value)
	}
	return all
}

func (s *stand) get(edge *fronttest.Edge, url string, cookies ...string) *http.Response {
	s.t.Helper()
	r := httptest.NewRequest(http.MethodGet, url, http.NoBody)
	if len(cookies) > 0 {
		r.Header.Set("Cookie", strings.Join(cookies, "; "))
	}
	w := httptest.NewRecorder()
	edge.ServeHTTP(w, r)
	return w.Result()
}

// distributions counts the project's distributions.
func (s *stand) distributions() (n int) {
	s.t.Helper()
	out, err := s.cf.ListDistributions(s.t.Context(), &cloudfront.ListDistributionsInput{})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, d := range out.DistributionList.Items {
		if strings.HasPrefix(sdk.ToString(d.Comment), "anchor-shop ") {
			n++
		}
	}
	return n
}

func (s *stand) distribution(id string) *cloudfront.GetDistributionOutput {
	s.t.Helper()
	d, err := s.cf.GetDistribution(s.t.Context(), &cloudfront.GetDistributionInput{Id: sdk.String(id)})
	if err != nil {
		s.t.Fatal(err)
	}
	return d
}

func body(t *testing.T, res *http.Response) string {
	t.Helper()
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
