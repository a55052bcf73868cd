package codebuild_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/codebuild"
	"github.com/aws/aws-sdk-go-v2/service/codebuild/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awstest"
	builds "github.com/anchor-deploy/anchor/internal/aws/codebuild"
	"github.com/anchor-deploy/anchor/internal/deploy"
)

func TestMain(m *testing.M) { os.Exit(awstest.Sharing(m).Run()) }

// spy records the bodies of the calls on their way to the emulator, which does not store the
// overrides of a build.
type spy struct {
	next   sdk.HTTPClient
	bodies []string
}

func (s *spy) Do(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	s.bodies = append(s.bodies, string(body))
	r.Body = io.NopCloser(bytes.NewReader(body))
	return s.next.Do(r)
}

func newBuilder(t *testing.T) (builds.Builder, *awstest.Cloud, *spy) {
	t.Helper()
	cloud := awstest.Shared(t)
	config := cloud.Config()
	s := &spy{next: config.HTTPClient}
	config.HTTPClient = s
	client := codebuild.NewFromConfig(config)
	_, err := client.CreateProject(t.Context(), &codebuild.CreateProjectInput{
		Name:        sdk.String("anchor-build"),
		ServiceRole: sdk.String("arn:aws:iam::123456789012:role/anchor-build"),
		Source:      &types.ProjectSource{Type: types.SourceTypeNoSource, Buildspec: sdk.String("version: 0.2")},
		Artifacts:   &types.ProjectArtifacts{Type: types.ArtifactsTypeNoArtifacts},
		Environment: &types.ProjectEnvironment{
			Type: types.EnvironmentTypeArmContainer, ComputeType: types.ComputeTypeBuildGeneral1Small,
			Image: sdk.String("aws/codebuild/amazonlinux-aarch64-standard:3.0"),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.bodies = nil
	return builds.Builder{
		Client: client, Project: "anchor-build", Parameters: ssm.NewFromConfig(cloud.Config()), Prefix: "/anchor/builds/", Key: []byte("key"),
		Logs: cloudwatchlogs.NewFromConfig(cloud.Config()), Records: &records{notes: map[anchor.DeploymentID]string{}},
		Caches: "anchor-artifacts", Region: "eu-central-1", CodeCommit: []string{"arn:aws:codecommit:eu-central-1:123456789012:b"},
		Pause: time.Millisecond, Settle: time.Nanosecond,
	}, cloud, s
}

// records has one deployment; package dynamo has the real notes.
type records struct {
	mu     sync.Mutex
	status anchor.Status
	notes  map[anchor.DeploymentID]string
	err    error
}

func (r *records) Deployment(_ context.Context, id anchor.DeploymentID) (anchor.Deployment, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return anchor.Deployment{ID: id, Status: r.status}, r.err
}

func (r *records) end(s anchor.Status) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = s
}

func (r *records) BuildNote(_ context.Context, id anchor.DeploymentID) (string, error) {
	return r.notes[id], r.err
}

func (r *records) PutBuildNote(_ context.Context, id anchor.DeploymentID, text string) error {
	r.notes[id] = text
	return r.err
}

var (
	shop       = anchor.Project{ID: "01project", Slug: "shop"}
	deployment = anchor.Deployment{ID: "01deployment", ProjectID: shop.ID}
	source     = deploy.Source{Repository: "https://github.com/you/shop", Version: "c0ffee"}
)

func TestBuild_VariablesIdentifyDeployment(t *testing.T) {
	b, cloud, calls := newBuilder(t)
	env := map[string]string{"NEXT_PUBLIC_B": "2", "NEXT_PUBLIC_A": "1"}
	for range 2 {
		if err := b.Build(t.Context(), shop, deployment, source, env); err != nil {
			t.Fatal(err)
		}
	}
	var sent codebuild.StartBuildInput
	if err := json.Unmarshal([]byte(calls.bodies[0]), &sent); err != nil {
		t.Fatal(err)
	}
	if sdk.ToString(sent.ProjectName) != "anchor-build" || sdk.ToString(sent.SourceVersion) != "c0ffee" ||
		sent.SourceTypeOverride != types.SourceTypeGithub || sdk.ToString(sent.SourceLocationOverride) != source.Repository {
		t.Errorf("it asks for %s", calls.bodies[0])
	}
	var names []string
	for _, v := range sent.EnvironmentVariablesOverride {
		names = append(names, string(v.Type)+" "+sdk.ToString(v.Name)+"="+sdk.ToString(v.Value))
	}
	if got := strings.Join(names, " "); got != "PLAINTEXT ANCHOR_DEPLOYMENT_ID=01deployment PLAINTEXT ANCHOR_PROJECT_ID=01project "+
		"PLAINTEXT ANCHOR_PROJECT_SLUG=shop "+
		"PLAINTEXT ANCHOR_BUILD_PROOF=XQZtoBo0JZLpO4OikEPWMWmflFC5RcC2mJXx1EPS36U PARAMETER_STORE ANCHOR_BUILD_ENV=/anchor/builds/01deployment" {
		t.Errorf("the variables are %s", got)
	}
	if c := sent.CacheOverride; c == nil || c.Type != types.CacheTypeS3 || !strings.HasPrefix(sdk.ToString(c.Location), "anchor-artifacts/build-cache/01project/") {
		t.Errorf("the cache is %+v", c)
	}
	if l := sent.LogsConfigOverride; l == nil || sdk.ToString(l.CloudWatchLogs.StreamName) != "01deployment" || sdk.ToString(l.CloudWatchLogs.GroupName) != "/aws/codebuild/anchor-build" {
		t.Errorf("the log is %+v", l)
	}
	// CodeBuild treats two calls as one when token and parameters are equal.
	if calls.bodies[0] != calls.bodies[1] || sdk.ToString(sent.IdempotencyToken) != "01deployment" {
		t.Errorf("called again, it asks for %s", calls.bodies[1])
	}
	if list := cloud.CLI(t, "codebuild", "list-builds-for-project", "--project-name", "anchor-build"); !strings.Contains(list, "anchor-build:") {
		t.Errorf("the builds are %s", list)
	}
}

func TestProves_OneBuildOnly(t *testing.T) {
	b, _, calls := newBuilder(t)
	if err := b.Build(t.Context(), shop, deployment, source, nil); err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(calls.bodies[0], `"ANCHOR_BUILD_PROOF"`)
	_, rest, _ = strings.Cut(rest, `"value":"`)
	proof, _, _ := strings.Cut(rest, `"`)
	if !b.Proves(shop.ID, deployment.ID, proof) {
		t.Errorf("the proof %q of a build does not prove it", proof)
	}
	other := b
	other.Key = []byte("another")
	if b.Proves(shop.ID, "01another", proof) || b.Proves("01another", deployment.ID, proof) || other.Proves(shop.ID, deployment.ID, proof) ||
		b.Proves(shop.ID, deployment.ID, "") {
		t.Error("it proves more")
	}
}

func TestBuild_NamesSource(t *testing.T) {
	b, _, calls := newBuilder(t)
	for repository, want := range map[string]string{
		"https://github.com/a/b": "GITHUB", "https://GitLab.com/a/b.git": "GITLAB", "https://bitbucket.org/a/b": "BITBUCKET",
		"https://git-codecommit.eu-central-1.amazonaws.com/v1/repos/b": "CODECOMMIT",
	} {
		calls.bodies = nil
		if err := b.Build(t.Context(), shop, deployment, deploy.Source{Repository: repository, Version: "main"}, nil); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(calls.bodies[0], `"sourceTypeOverride":"`+want+`"`) {
			t.Errorf("%s is asked for as %s", repository, calls.bodies[0])
		}
	}
	calls.bodies = nil
	for bad, code := range map[string]string{
		"https://git.example/a": "bad_repository", "https://github.com.example/a": "bad_repository", "https://git-codecommit.example/x": "bad_repository", "%": "bad_repository",
		"https://git-codecommit.us-east-1.amazonaws.com/v1/repos/b":      "bad_repository",
		"https://git-codecommit.eu-central-1.amazonaws.com/b":            "bad_repository",
		"https://git-codecommit.eu-central-1.amazonaws.com/v1/repos/b/c": "bad_repository",
		"https://git-codecommit.eu-central-1.amazonaws.com/v1/repos/c":   "repository_not_allowed",
		"https://git-codecommit.eu-central-1.amazonaws.com/v1/repos/":    "bad_repository",
	} {
		for _, err := range []error{b.Check(deploy.Source{Repository: bad}), b.Build(t.Context(), shop, deployment, deploy.Source{Repository: bad}, nil)} {
			if anchor.CodeOf(err) != code || anchor.HintOf(err) == "" {
				t.Errorf("%s: %v", bad, err)
			}
		}
	}
	if err := b.Check(deploy.Source{Repository: "https://github.com/a/b"}); err != nil {
		t.Error(err)
	}
	for _, reserved := range []string{"CODEBUILD_X", "AWS_ACCESS_KEY_ID"} {
		if err := b.Build(t.Context(), shop, deployment, source, map[string]string{reserved: "y"}); anchor.CodeOf(err) != "reserved_env" {
			t.Errorf("%s, which CodeBuild sets: %v", reserved, err)
		}
	}
	if len(calls.bodies) != 0 {
		t.Errorf("what is refused was asked for: %v", calls.bodies)
	}
}

func TestBuild_Refusals(t *testing.T) {
	b, cloud, _ := newBuilder(t)
	for code, want := range map[string]struct {
		code string
		kind anchor.Kind
	}{
		"AccessDeniedException":         {"access_denied", anchor.KindFailed},
		"AccountLimitExceededException": {"too_many_builds", anchor.KindBusy},
		"InvalidInputException":         {"build_refused", anchor.KindInvalid},
	} {
		cloud.Wire.Break(awstest.Fault{Operation: "CodeBuild.StartBuild", Status: 400, Code: code, Message: "no"})
		err := b.Build(t.Context(), shop, deployment, source, nil)
		if anchor.CodeOf(err) != want.code || anchor.KindOf(err) != want.kind || anchor.HintOf(err) == "" || !strings.Contains(err.Error(), code) {
			t.Errorf("%s: %v", code, err)
		}
		cloud.Wire.Mend()
	}
	b.Project = "gone"
	if err := b.Build(t.Context(), shop, deployment, source, nil); anchor.CodeOf(err) != "no_build_project" {
		t.Errorf("without its project: %v", err)
	}
	cloud.Wire.Break(awstest.Fault{Operation: "CodeBuild.StartBuild"})
	b.Project = "anchor-build"
	if err := b.Build(t.Context(), shop, deployment, source, nil); err == nil || anchor.CodeOf(err) != "" {
		t.Errorf("a broken connection leaves open whether the build runs: %v", err)
	}
	cloud.Wire.Mend()
	cloud.Wire.Break(awstest.Fault{Operation: "CodeBuild.StartBuild", Nth: 1, Status: 400, Code: "ThrottlingException", Message: "slow"})
	if err := b.Build(t.Context(), shop, deployment, source, nil); err != nil {
		t.Errorf("a throttled call is not made again: %v", err)
	}
}

// TestBuild_HidesVariables: the parameter holds their original values, and nothing else shows them in
// plain text.
func TestBuild_HidesVariables(t *testing.T) {
	b, cloud, calls := newBuilder(t)
	env := map[string]string{"PLAIN": "1", "HARD": "it's {{a}} \"b\" $HOME `id` \\\n\ttwo lines\n ", "EMPTY": ""}
	if err := b.Build(t.Context(), shop, deployment, source, env); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(strings.Join(calls.bodies, ""), "HARD") {
		t.Errorf("CodeBuild is told %s", calls.bodies)
	}
	read := func() (string, error) {
		got, err := b.Parameters.GetParameter(t.Context(), &ssm.GetParameterInput{Name: sdk.String("/anchor/builds/01deployment"), WithDecryption: sdk.Bool(true)})
		if err != nil {
			return "", err
		}
		if got.Parameter.Type != "SecureString" {
			t.Errorf("the parameter is a %s", got.Parameter.Type)
		}
		return sdk.ToString(got.Parameter.Value), nil
	}
	hidden, err := read()
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]string
	content, err := base64.StdEncoding.DecodeString(hidden)
	if err == nil {
		err = json.Unmarshal(content, &got)
	}
	if err != nil || !maps.Equal(got, env) {
		t.Errorf("the parameter holds %s, %v; want %v", content, err, env)
	}
	for range 2 {
		if err := b.Forget(t.Context(), deployment.ID); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := read(); err == nil {
		t.Error("the parameter is still there")
	}
	cloud.Wire.Break(awstest.Fault{Operation: "CodeBuild.StartBuild", Status: 400, Code: "InvalidInputException", Message: "no"})
	if err := b.Build(t.Context(), shop, deployment, source, env); anchor.CodeOf(err) != "build_refused" {
		t.Errorf("refused: %v", err)
	}
	if _, err := read(); err == nil {
		t.Error("the parameter of a refused build is there")
	}
	large := map[string]string{"LARGE": strings.Repeat("x", 7<<10)}
	if err := b.Build(t.Context(), shop, deployment, source, large); anchor.CodeOf(err) != "build_env_too_large" || anchor.HintOf(err) == "" {
		t.Errorf("too large: %v", err)
	}
}
