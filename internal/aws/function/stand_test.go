package function_test

import (
	"archive/zip"
	"bytes"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact"
	"github.com/anchor-deploy/anchor/internal/artifact/opennext"
	"github.com/anchor-deploy/anchor/internal/aws/awstest"
	"github.com/anchor-deploy/anchor/internal/aws/function"
	"github.com/anchor-deploy/anchor/internal/aws/function/functiontest"
	"github.com/anchor-deploy/anchor/internal/deploy"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
)

const (
	bucket = "anchor-artifacts"
	secret = "the-secret-of-the-origin"
)

// TestMain runs more tests at a time than there are cores: they mostly wait for Lambda's
// transitions.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	os.Exit(functiontest.Main(m))
}

// inGroups spreads cases over four stands, created by open, that run concurrently.
func inGroups[C any](t *testing.T, cases []C, name func(C) string, open func(*testing.T) func(*testing.T, C)) {
	t.Helper()
	const groups = 4
	for group := range groups {
		t.Run(fmt.Sprintf("group %d", group+1), func(t *testing.T) {
			try := open(t)
			for i := group; i < len(cases); i += groups {
				t.Run(name(cases[i]), func(t *testing.T) { try(t, cases[i]) })
			}
		})
	}
}

// stand is an emulated AWS with the functions of one installation.
type stand struct {
	cloud  *awstest.Cloud
	client *http.Client
	leases *functiontest.Leases
	*function.Functions
}

func newStand(t *testing.T) *stand {
	t.Helper()
	t.Parallel()
	return open(t)
}

func open(t *testing.T) *stand {
	t.Helper()
	s := &stand{cloud: awstest.MiniStack(t), leases: functiontest.NewLeases()}
	s.client = functiontest.Client(t, s.cloud.Endpoint)
	s.Functions = s.open()
	_, err := s.S3.CreateBucket(t.Context(), &s3.CreateBucketInput{
		Bucket: sdk.String(bucket), CreateBucketConfiguration: &s3types.CreateBucketConfiguration{LocationConstraint: awstest.Region},
	})
	must(t, awstest.Made(err))
	return s
}

// open returns the functions as another process opens them.
func (s *stand) open() *function.Functions {
	config := s.cloud.Config()
	f := function.New(function.Config{
		Lambda: lambda.NewFromConfig(config), SQS: sqs.NewFromConfig(config), Logs: cloudwatchlogs.NewFromConfig(config),
		S3:     s3.NewFromConfig(config, func(o *s3.Options) { o.UsePathStyle = true }),
		Leases: s.leases, Installation: "anchor", ArtifactsBucket: bucket,
		HTTP: s.client, Log: slog.New(slog.DiscardHandler),
	})
	f.Hurry()
	return f
}

func newProject() anchor.Project {
	id := anchor.NewID()
	return anchor.Project{ID: anchor.ProjectID(id), Slug: "shop-" + id[len(id)-6:]}
}

// artifactOf returns a deployment of an app.
func artifactOf(t *testing.T, p anchor.Project, app platformtest.App) deploy.Artifact {
	t.Helper()
	return artifactIn(t, p, app.Write(t))
}

// artifactIn returns a deployment of the build in dir.
func artifactIn(t *testing.T, p anchor.Project, dir string) deploy.Artifact {
	t.Helper()
	manifest, err := artifact.Scan(t.Context(), dir, nil)
	must(t, err)
	build, err := opennext.Parse(os.DirFS(dir))
	must(t, err)
	d := anchor.Deployment{ID: anchor.DeploymentID(anchor.NewID()), ProjectID: p.ID}
	return deploy.Artifact{Project: p, Deployment: d, Build: build, Manifest: manifest, Dir: dir}
}

// env returns the variables that the platform sets for each function.
func env(a deploy.Artifact) map[string]map[string]string {
	all := map[string]map[string]string{function.Revalidation: {"GREETING": "none"}}
	for _, f := range a.Build.Functions {
		all[f.Name] = map[string]string{"ANCHOR_ORIGIN_SECRET": secret, "GREETING": "hello"}
	}
	return all
}

// publish publishes an artifact and returns the deployment as its record would be.
func (s *stand) publish(t *testing.T, a deploy.Artifact) anchor.Deployment {
	t.Helper()
	versions, err := s.Publish(t.Context(), a, wanted(env(a)), t.Logf)
	must(t, err)
	d := a.Deployment
	d.Functions = versions
	return d
}

func liveOf(d anchor.Deployment, revision int64) anchor.Live {
	return anchor.Live{ProjectID: d.ProjectID, Deployment: d.ID, Revision: revision}
}

// route makes a deployment live.
func (s *stand) route(t *testing.T, p anchor.Project, d anchor.Deployment, revision int64) {
	t.Helper()
	must(t, s.prepare(t, p, d).Commit(t.Context(), liveOf(d, revision)))
}

func (s *stand) prepare(t *testing.T, p anchor.Project, d anchor.Deployment) function.Switch {
	t.Helper()
	ready, err := s.Prepare(t.Context(), p, d)
	must(t, err)
	return ready
}

// refused returns the error of a Prepare.
func (s *stand) refused(t *testing.T, p anchor.Project, d anchor.Deployment) error {
	t.Helper()
	_, err := s.Prepare(t.Context(), p, d)
	return err
}

// ask sends a request to a function's URL, with the secret unless it is "".
func (s *stand) ask(t *testing.T, host, path, secret string) (status int, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+host+path, http.NoBody)
	must(t, err)
	r.Header.Set("Accept-Encoding", "identity") // the emulator passes only text on
	if secret != "" {
		r.Header.Set("X-Anchor-Origin", secret)
	}
	res, err := s.client.Do(r)
	must(t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	must(t, err)
	return res.StatusCode, string(text)
}

// want asserts the answer of the server function on an alias.
func (s *stand) want(t *testing.T, p anchor.Project, alias, path, body string) {
	t.Helper()
	hosts, err := s.Hosts(t.Context(), p, alias)
	must(t, err)
	if status, got := s.ask(t, hosts[anchor.ServerFunction], path, secret); status != http.StatusOK || got != body {
		t.Errorf("%s of %s answers %d %q, want %q", path, alias, status, got, body)
	}
}

// aliasVersion returns the version of an alias according to the AWS CLI.
func (s *stand) aliasVersion(t *testing.T, function, alias string) string {
	t.Helper()
	return strings.TrimSpace(s.cloud.CLI(t, "lambda", "get-alias", "--function-name", function, "--name", alias, "--query", "FunctionVersion", "--output", "text"))
}

func write(t *testing.T, path, content string, mode os.FileMode) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, []byte(content), mode))
	must(t, os.Chmod(path, mode))
}

func symlink(t *testing.T, target, path string) {
	t.Helper()
	must(t, os.Symlink(target, path))
}

// entry returns the mode and the content of a file in a zip.
func entry(t *testing.T, packed []byte, name string) (mode, content string) {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
	must(t, err)
	for _, f := range r.File {
		if f.Name != name {
			continue
		}
		in, err := f.Open()
		must(t, err)
		defer in.Close()
		data, err := io.ReadAll(in)
		must(t, err)
		return f.Mode().String(), string(data)
	}
	t.Fatalf("the zip has no %s", name)
	return "", ""
}

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	if anchor.CodeOf(err) != code || anchor.HintOf(err) == "" {
		t.Errorf("it says %v (%s, hint %q), want %s", err, anchor.CodeOf(err), anchor.HintOf(err), code)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wanted returns what functions are published with when the project has no settings.
func wanted(env map[string]map[string]string) function.Wanted {
	return function.Wanted{Env: env, Role: "arn:aws:iam::123456789012:role/anchor/anchor-shop"}
}
