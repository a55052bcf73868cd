package aws_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact"
	"github.com/anchor-deploy/anchor/internal/artifact/opennext"
	"github.com/anchor-deploy/anchor/internal/aws/front/fronttest"
	"github.com/anchor-deploy/anchor/internal/deploy"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
)

const storefront = "../../examples/storefront/.open-next" // built by: make examples

// TestRevalidation_InvalidatesCloudFront: the functions of a real build send invalidations for every
// way in which the app revalidates.
func TestRevalidation_InvalidatesCloudFront(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		dir  string
		want map[string][]string // by the query of the shop's own endpoint
	}{
		"middleware on every path": {storefront, map[string][]string{
			"tag=catalogue": {"/*"}, "path=/about": {"/*"},
		}},
		"middleware on one path": {narrowed(t), map[string][]string{
			"tag=catalogue":                 {"/tags/static*", "/ab*"},
			"path=/about":                   {"/ab*"}, // contains /about, and /about-us that is rewritten to it
			"path=/":                        {"/", "/?*", "/ab*"},
			"path=/products/harbour-mug":    {"/products/harbour-mug*", "/ab*"},
			"path=/tags/static&path=/about": {"/tags/static*", "/ab*"},
			"tag=catalogue&path=/cart":      {"/tags/static*", "/ab*"}, // the cart is rendered per request
			"tag=nobody-has-this":           nil,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t)
			d := platformtest.Prepare(t, s.platform, s.built(t, test.dir))
			_, err := s.releases(s.platform).GoLive(t.Context(), d)
			must(t, err)
			for query, want := range test.want {
				before := s.invalidated(t)
				s.revalidate(t, query)
				got := s.invalidated(t)[len(before):]
				slices.Sort(got)
				slices.Sort(want)
				if !slices.Equal(got, want) {
					t.Errorf("?%s invalidates %q, want %q", query, got, want)
				}
			}
		})
	}
}

// narrowed returns a build of the shop whose middleware, according to the build, matches /ab
// only.
func narrowed(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	must(t, os.CopyFS(dir, os.DirFS(storefront)))
	write := []byte(`{"middleware": {"/": {"matchers": [{"originalSource": "/ab"}]}}}`)
	must(t, os.WriteFile(filepath.Join(dir, "server-functions/default/.next/server/middleware-manifest.json"), write, 0o600))
	return dir
}

// built deploys what OpenNext built.
func (s *shop) built(t *testing.T, dir string) deploy.Artifact {
	t.Helper()
	manifest, err := artifact.Scan(t.Context(), dir, nil)
	must(t, err)
	build, err := opennext.Parse(os.DirFS(dir))
	must(t, err)
	d := anchor.Deployment{ID: anchor.DeploymentID(anchor.NewID()), ProjectID: s.project.ID, Status: anchor.Deploying, CreatedAt: 1}
	must(t, s.store.CreateDeployment(t.Context(), d))
	d, err = s.store.Deployment(t.Context(), d.ID) // with its Order
	must(t, err)
	return deploy.Artifact{Project: s.project, Deployment: d, Build: build, Manifest: manifest, Dir: dir}
}

func (s *shop) revalidate(t *testing.T, query string) {
	t.Helper()
	site, _ := s.platform.Hosts(s.project, "")
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+site+"/api/revalidate?"+query, http.NoBody)
	must(t, err)
	r.Header.Set("Accept-Encoding", "identity") // MiniStack decodes compressed bodies but keeps the header
	res, err := s.front.RoundTrip(r)
	must(t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	must(t, err)
	if res.StatusCode != http.StatusOK {
		t.Fatalf("/api/revalidate?%s answers %d %s", query, res.StatusCode, text)
	}
}

// invalidated returns the paths of all invalidations of the only distribution.
func (s *shop) invalidated(t *testing.T) []string {
	t.Helper()
	list, err := cloudfront.NewFromConfig(s.Config()).ListDistributions(t.Context(), &cloudfront.ListDistributionsInput{})
	must(t, err)
	paths, err := fronttest.New(t, s.Cloud).Invalidations(t.Context(), sdk.ToString(list.DistributionList.Items[0].Id))
	must(t, err)
	return paths
}
