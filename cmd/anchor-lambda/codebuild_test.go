package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awstest"
	"github.com/anchor-deploy/anchor/internal/aws/function/functiontest"
	"github.com/anchor-deploy/anchor/internal/aws/lambda"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
)

func TestMain(m *testing.M) { os.Exit(functiontest.Main(m)) }

// TestBuildEvent_GoesLive sends the deploy handler the event of CodeBuild's post_build twice,
// with the real records and platform. The installation is one of a single project, whose names it
// sets.
func TestBuildEvent_GoesLive(t *testing.T) {
	cloud := awstest.MiniStack(t)
	env, _ := installation(t, cloud)
	env = append(env, "SERVER_FUNCTION_NAME=anchor-shop-web", "IMAGE_FUNCTION_NAME=anchor-shop-pictures", "CLOUDFRONT_DOMAIN=www.example.com")
	s, err := read(func(name string) string {
		for _, e := range env {
			if value, ok := strings.CutPrefix(e, name+"="); ok {
				return value
			}
		}
		return ""
	})
	must(t, err)
	client := s3.NewFromConfig(cloud.Config())
	t.Setenv("TMPDIR", t.TempDir())
	parts, err := s.parts(cloud.Config(), make([]byte, 32), functiontest.Client(t, cloud.Endpoint))
	must(t, err)

	p := anchor.Project{ID: anchor.ProjectID(anchor.NewID()), Slug: "shop"}
	must(t, parts.Store.CreateProject(t.Context(), p))
	d := anchor.Deployment{ID: anchor.DeploymentID(anchor.NewID()), ProjectID: p.ID, Status: anchor.Queued, CreatedAt: time.Now().UnixMilli()}
	must(t, parts.Store.CreateDeployment(t.Context(), d))
	mac := hmac.New(sha256.New, make([]byte, 32))
	mac.Write([]byte("build\x00" + string(p.ID) + "\x00" + string(d.ID)))
	path := "artifacts/" + string(p.ID) + "/c0ffee/" + string(d.ID) + "/" + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)) + "/"
	put(t, client, s.uploads, path, platformtest.NewApp("v1").Images("v1").Write(t))

	handler, err := lambda.Compose(parts).Named(lambda.NameDeploy)
	must(t, err)
	event := fmt.Sprintf(`{"deploymentId":%q,"projectId":%q,"artifactPath":"s3://%s/%s"}`, d.ID, p.ID, s.uploads, path)
	for range 2 {
		_, err = handler(t.Context(), json.RawMessage(event))
		must(t, err)
	}
	got, err := parts.Store.Deployment(t.Context(), d.ID)
	must(t, err)
	if got.Status != anchor.Deployed || got.CommitSha != "c0ffee" || got.LambdaServerVersionARN == "" {
		t.Fatalf("it is %s in %q: %s (%+v)", got.Status, got.ErrorStep, got.ErrorMessage, got)
	}
	live, err := parts.Store.Live(t.Context(), p.ID)
	must(t, err)
	if live.Deployment != d.ID || live.Revision != 1 {
		t.Errorf("live is %+v", live)
	}
	for name, function := range map[string]string{"anchor-shop-web": anchor.ServerFunction, "anchor-shop-pictures": anchor.ImageFunction} {
		alias := cloud.CLI(t, "lambda", "get-alias", "--function-name", name, "--name", "live")
		if !strings.Contains(alias, `"FunctionVersion": "`+got.Functions[function].Version+`"`) {
			t.Errorf("the alias of %s is %s", name, alias)
		}
	}
	if want := "s3://anchor-assets/deployments/" + string(p.ID) + "/" + string(d.ID) + "/"; got.StaticAssetsPath != want {
		t.Errorf("its files are at %s, want %s", got.StaticAssetsPath, want)
	}
	if site, _ := parts.Cloud.URLs(p, ""); site != "https://www.example.com" {
		t.Errorf("the site's URL is %s", site)
	}
	_, err = handler(t.Context(), json.RawMessage(`{"reconcile": true}`))
	must(t, err)

	must(t, parts.Store.RetireProject(t.Context(), p.ID))
	goesAway(t, cloud, parts, p)
}

// goesAway runs the schedule until the project and everything in it are removed.
func goesAway(t *testing.T, cloud *awstest.Cloud, parts lambda.Parts, p anchor.Project) {
	t.Helper()
	for round := 0; ; round++ {
		handler, err := lambda.Compose(parts).Named(lambda.NameDeploy)
		must(t, err)
		_, err = handler(t.Context(), json.RawMessage(`{"reconcile": true}`))
		must(t, err)
		if _, err := parts.Store.Project(t.Context(), p.ID); errors.Is(err, anchor.ErrNotFound) {
			break
		}
		if round == 20 {
			t.Fatal("the project is still there")
		}
	}
	for what, left := range map[string]string{
		"functions":     cloud.CLI(t, "lambda", "list-functions", "--query", "Functions[].FunctionName", "--output", "text"),
		"distributions": cloud.CLI(t, "cloudfront", "list-distributions", "--query", "DistributionList.Items[].Comment", "--output", "text"),
		"files":         cloud.CLI(t, "s3", "ls", "--recursive", "s3://anchor-assets"),
	} {
		if strings.Contains(left, "anchor-shop") || strings.Contains(left, string(p.ID)) {
			t.Errorf("of the %s there is left %s", what, left)
		}
	}
}

// put stores the tree's files below the path, in the archive layout.
func put(t *testing.T, client *s3.Client, bucket, path, dir string) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(file string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, file)
		if err != nil {
			return err
		}
		_, err = client.PutObject(t.Context(), &s3.PutObjectInput{
			Bucket: sdk.String(bucket), Key: sdk.String(path + filepath.ToSlash(name)), Body: bytes.NewReader(content),
		})
		return err
	}))
}
