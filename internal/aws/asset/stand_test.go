package asset_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact"
	"github.com/anchor-deploy/anchor/internal/artifact/opennext"
	"github.com/anchor-deploy/anchor/internal/aws/asset"
	"github.com/anchor-deploy/anchor/internal/aws/awstest"
	"github.com/anchor-deploy/anchor/internal/deploy"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
	"github.com/anchor-deploy/anchor/internal/testleak"
)

func TestMain(m *testing.M) { testleak.Main(awstest.Sharing(m)) }

const (
	assetsBucket    = "anchor-assets"
	artifactsBucket = "anchor-artifacts"
)

// stand is a project with the installation's asset resources on an emulator.
type stand struct {
	*asset.Assets
	cloud   *awstest.Cloud
	project anchor.Project
	notes   []string
}

func newStand(t *testing.T, cloud *awstest.Cloud) *stand {
	t.Helper()
	client := s3.NewFromConfig(cloud.Config())
	for _, name := range []string{assetsBucket, artifactsBucket} {
		_, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &name, CreateBucketConfiguration: &types.CreateBucketConfiguration{
			LocationConstraint: awstest.Region,
		}})
		must(t, awstest.Made(err))
	}
	s := &stand{cloud: cloud, project: anchor.Project{ID: anchor.ProjectID(anchor.NewID()), Slug: "shop"}}
	s.Assets = s.over(cloud.Wire)
	return s
}

// over returns the Assets of a process whose calls use client.
func (s *stand) over(client sdk.HTTPClient) *asset.Assets {
	config := s.cloud.Config()
	config.HTTPClient = client
	return asset.New(asset.Config{
		S3: s3.NewFromConfig(config), DynamoDB: dynamodb.NewFromConfig(config),
		Installation: "anchor", AssetsBucket: assetsBucket, ArtifactsBucket: artifactsBucket,
	})
}

// artifact returns a new deployment of the app whose contents are in the artifacts bucket, as
// after presigned uploads.
func (s *stand) artifact(t *testing.T, app platformtest.App) deploy.Artifact {
	t.Helper()
	a := s.unstored(t, app)
	for _, f := range a.Manifest.Files {
		if f.Size > 1<<20 || !strings.HasPrefix(f.Path, "assets/") || strings.HasPrefix(f.Path, "assets/_next/static/chunks/") {
			continue // is not copied
		}
		content, err := os.ReadFile(a.Dir + "/" + f.Path)
		must(t, err)
		s.write(t, artifactsBucket, "files/"+string(f.Digest), string(content))
	}
	return a
}

// unstored returns a new deployment of the app whose contents are not in the artifacts bucket.
func (s *stand) unstored(t *testing.T, app platformtest.App) deploy.Artifact {
	t.Helper()
	dir := app.Write(t)
	manifest, err := artifact.Scan(t.Context(), dir, nil)
	must(t, err)
	build, err := opennext.Parse(os.DirFS(dir))
	must(t, err)
	return deploy.Artifact{
		Project: s.project, Build: build, Manifest: manifest, Dir: dir,
		Deployment: anchor.Deployment{ID: anchor.DeploymentID(anchor.NewID()), ProjectID: s.project.ID},
	}
}

func (s *stand) note(format string, args ...any) {
	s.notes = append(s.notes, fmt.Sprintf(format, args...))
}

func (s *stand) upload(t *testing.T, a deploy.Artifact) {
	t.Helper()
	must(t, s.Upload(t.Context(), a, s.note))
}

// client returns a client whose calls a test neither counts nor breaks.
func (s *stand) client() *s3.Client {
	config := s.cloud.Config()
	config.HTTPClient = &http.Client{Transport: awstest.WholeBodies(http.DefaultTransport)}
	return s3.NewFromConfig(config)
}

// write may be called from any goroutine.
func (s *stand) write(t *testing.T, bucket, key, content string) {
	t.Helper()
	_, err := s.client().PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader(content)})
	if err != nil {
		t.Errorf("write %s: %v", key, err)
	}
}

func (s *stand) read(t *testing.T, key string) string {
	t.Helper()
	out, err := s.client().GetObject(t.Context(), &s3.GetObjectInput{Bucket: sdk.String(assetsBucket), Key: &key})
	if err != nil {
		t.Errorf("read %s: %v", key, err)
		return ""
	}
	defer out.Body.Close()
	content, err := io.ReadAll(out.Body)
	must(t, err)
	return string(content)
}

// keys lists the assets bucket in order.
func (s *stand) keys(t *testing.T, prefix string) []string {
	t.Helper()
	keys := []string{}
	pages := s3.NewListObjectsV2Paginator(s.client(), &s3.ListObjectsV2Input{Bucket: sdk.String(assetsBucket), Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		must(t, err)
		for _, o := range page.Contents {
			keys = append(keys, *o.Key)
		}
	}
	slices.Sort(keys)
	return keys
}

func (s *stand) shared(name string) string { return "assets/" + string(s.project.ID) + "/" + name }

func own(a deploy.Artifact, name string) string {
	return "deployments/" + string(a.Project.ID) + "/" + string(a.Deployment.ID) + "/" + name
}

// count returns how often the operation was called.
func count(calls []awstest.Call, operation string) int {
	n := 0
	for _, c := range calls {
		if c.Operation == operation {
			n++
		}
	}
	return n
}

// tally prints the calls, sorted by the names of their operations.
func tally(calls []awstest.Call) string {
	var names []string
	for _, c := range calls {
		names = append(names, c.Operation)
	}
	slices.Sort(names)
	var out bytes.Buffer
	for i := 0; i < len(names); {
		n := 1
		for i+n < len(names) && names[i+n] == names[i] {
			n++
		}
		fmt.Fprintf(&out, "%5d %s\n", n, names[i])
		i += n
	}
	return out.String()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
