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
	"github.com/anchor-deploy/anchor/internal/bundle"
	"github.com/anchor-deploy/anchor/internal/deploy"
	"github.com/anchor-deploy/anchor/internal/opennext"
	"github.com/anchor-deploy/anchor/internal/platform/aws/front/fronttest"
	"github.com/anchor-deploy/anchor/internal/platform/platformtest"
)

// built is a deployment of an example app, as OpenNext built it (make examples).
func (s *shop) built(t *testing.T, example string) deploy.Artifact {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("../../../examples", example, ".open-next"))
	must(t, err)
	manifest, err := bundle.Scan(t.Context(), dir, nil)
	must(t, err)
	build, err := opennext.Parse(os.DirFS(dir))
	must(t, err)
	d := anchor.Deployment{ID: anchor.DeploymentID(anchor.NewID()), ProjectID: s.project.ID, Status: anchor.Deploying, CreatedAt: 1}
	must(t, s.store.CreateDeployment(t.Context(), d))
	return deploy.Artifact{Project: s.project, Deployment: d, Build: build, Manifest: manifest, Dir: dir}
}

// TestRevalidatedPagesLeaveCloudFront: the shop's own functions invalidate, whichever way
// the app revalidates. Its middleware may rewrite any path, so everything goes.
func TestRevalidatedPagesLeaveCloudFront(t *testing.T) {
	s := newShop(t)
	d := platformtest.Prepare(t, s.platform, s.built(t, "storefront"))
	_, err := s.releases(s.platform).GoLive(t.Context(), d)
	must(t, err)
	site, _ := s.platform.Hosts(s.project, "")
	edge := fronttest.New(t, s.Cloud)
	list, err := cloudfront.NewFromConfig(s.Config()).ListDistributions(t.Context(), &cloudfront.ListDistributionsInput{})
	must(t, err)
	id := sdk.ToString(list.DistributionList.Items[0].Id)
	var gone []string
	for _, query := range []string{"tag=catalogue", "path=/about"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+site+"/api/revalidate?"+query, http.NoBody)
		must(t, err)
		r.Header.Set("Accept-Encoding", "identity") // MiniStack decodes what is compressed, and says that it is
		res, err := s.front.RoundTrip(r)
		must(t, err)
		text, err := io.ReadAll(res.Body)
		must(t, err)
		res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Fatalf("it answers %d %s", res.StatusCode, text)
		}
		all, err := edge.Invalidations(t.Context(), id)
		must(t, err)
		if got := all[len(gone):]; !slices.Equal(got, []string{"/*"}) {
			t.Errorf("?%s invalidates %q", query, got)
		}
		gone = all
	}
}
