package install_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awstest"
	"github.com/anchor-deploy/anchor/internal/aws/install"
	"github.com/anchor-deploy/anchor/internal/aws/installation"
	"github.com/anchor-deploy/anchor/internal/records/memory"
)

// projects are the projects of an installation whose records are in memory.
type projects struct {
	*memory.Store
	kept string
}

func (p projects) List(ctx context.Context, _ installation.Outputs) ([]anchor.Project, error) {
	list, err := p.Projects(ctx, anchor.Page{})
	return list.Items, err
}

func (p projects) Lives(ctx context.Context, _ installation.Outputs) ([]anchor.Live, error) {
	return p.Store.Lives(ctx)
}

// Settings keeps two instances started.
func (p projects) Settings(context.Context, installation.Outputs, anchor.ProjectID) (anchor.Settings, error) {
	return anchor.Settings{FunctionSettings: anchor.FunctionSettings{ProvisionedConcurrency: 2}}, nil
}

func (p projects) Remove(ctx context.Context, _ installation.Outputs, project anchor.Project) ([]string, error) {
	return []string{p.kept}, p.DeleteProject(ctx, project.ID)
}

func (p projects) RemoveShared(context.Context) ([]string, error) {
	return []string{"the cache policy anchor-pages, which a distribution uses"}, nil
}

func withProject(t *testing.T, c install.Config) (install.Config, projects) {
	t.Helper()
	p := projects{memory.New(), "certificate arn:1, which is in use"}
	if err := p.CreateProject(t.Context(), anchor.Project{ID: "p1", Slug: "shop"}); err != nil {
		t.Fatal(err)
	}
	c.Projects, c.Remover = p, p
	return c, p
}

func TestDestroy_LeavesNothing(t *testing.T) {
	cloud := awstest.Shared(t)
	before := everything(t, cloud)
	c, records := withProject(t, config(t, cloud))
	i, b := bootstrapped(t, c)
	fill(t, cloud, b.Outputs)
	showsDivided(t, i, records)

	full := everything(t, cloud)
	_, err := i.Destroy(t.Context(), installation.DestroyOptions{})
	fails(t, err, anchor.KindConflict, "projects_live", "shop", "--force")
	no := errors.New("no")
	if _, err := i.Destroy(t.Context(), installation.DestroyOptions{Force: true, Confirm: func([]string) error { return no }}); !errors.Is(err, no) {
		t.Errorf("not confirmed: %v", err)
	}
	if now := everything(t, cloud); !slices.Equal(now, full) {
		t.Errorf("refused, it left %v of %v", now, full)
	}

	if got := rulesAndAPIs(t, cloud); len(got) != 4 {
		t.Errorf("there are %v, want three rules and an API", got)
	}
	d, err := i.Destroy(t.Context(), installation.DestroyOptions{Force: true})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(d.Projects, []string{"shop"}) || !slices.Equal(d.Kept, []string{records.kept, "the cache policy anchor-pages, which a distribution uses"}) {
		t.Errorf("destroyed: %+v", d)
	}
	if after := everything(t, cloud); !slices.Equal(after, before) {
		t.Errorf("the account had %v and has %v", before, after)
	}
	if got := rulesAndAPIs(t, cloud); len(got) != 0 {
		t.Errorf("it left %v", got)
	}
	_, err = i.Destroy(t.Context(), installation.DestroyOptions{})
	fails(t, err, anchor.KindNotFound, "no_installation", "anchor")
	_, err = i.Status(t.Context())
	fails(t, err, anchor.KindNotFound, "no_installation", "anchor")
}

// showsDivided asserts that the status names the project whose traffic is divided.
func showsDivided(t *testing.T, i *install.Installation, records projects) {
	t.Helper()
	st, err := i.Status(t.Context())
	if err != nil || len(st.Divided) != 0 || st.StartedUSD < 17.28 || st.StartedUSD > 17.29 {
		t.Errorf("the status is %+v, %v", st, err)
	}
	d := anchor.Deployment{ID: anchor.DeploymentID(anchor.NewID()), ProjectID: "p1", Status: anchor.Deployed}
	if err := records.CreateDeployment(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	live, err := records.Move(t.Context(), anchor.Live{}, anchor.Release{
		ID: anchor.ReleaseID(anchor.NewID()), ProjectID: "p1", Kind: anchor.ReleasePromote, Deployment: d.ID, Record: d.ID,
	}, nil)
	if err == nil {
		err = records.SetDivided(t.Context(), live, 1000)
	}
	if err != nil {
		t.Fatal(err)
	}
	st, err = i.Status(t.Context())
	if err != nil || !slices.Equal(st.Divided, []string{"shop"}) || !strings.Contains(strings.Join(st.Hints, "\n"), "Since 1970-01-01T00:00:01Z some requests for shop") {
		t.Errorf("the status is %+v, %v", st, err)
	}
}

// fill puts into an installation what deployments would.
func fill(t *testing.T, cloud *awstest.Cloud, o installation.Outputs) {
	t.Helper()
	files := s3.NewFromConfig(cloud.Config(), func(o *s3.Options) { o.UsePathStyle = true })
	cloud.CLI(t, "s3api", "put-bucket-versioning", "--bucket", o.ArtifactsBucket, "--versioning-configuration", "Status=Enabled")
	for _, bucket := range []string{o.AssetsBucket, o.ArtifactsBucket} {
		for _, content := range []string{"one", "two"} {
			key := "artifacts/p1/c1/open-next.tar.gz"
			if _, err := files.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader(content)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	cloud.CLI(t, "ssm", "put-parameter", "--name", "/anchor/builds/d1", "--type", "SecureString", "--value", "x")
	group := "/aws/lambda/anchor-shop-server"
	if _, err := cloudwatchlogs.NewFromConfig(cloud.Config()).CreateLogGroup(t.Context(), &cloudwatchlogs.CreateLogGroupInput{LogGroupName: &group}); err != nil {
		t.Fatal(err)
	}
}

// The next destruction continues after one that died, wherever that was.
func TestDestroy_ContinuesAfterInterruption(t *testing.T) {
	cloud := awstest.Shared(t)
	before := everything(t, cloud)
	i, b := bootstrapped(t, config(t, cloud))
	fill(t, cloud, b.Outputs)
	for _, operation := range []string{ // in their order
		"S3.DeleteObjects", "DynamoDB.UpdateTable", "CloudFormation.DeleteStack", "CloudWatch Logs.DescribeLogGroups", "SSM.DeleteParameter", "S3.DeleteBucket",
	} {
		cloud.Wire.Break(awstest.Fault{Operation: operation, Nth: 1, Status: 400, Code: "Broken", Message: "by the test"})
		_, err := i.Destroy(t.Context(), installation.DestroyOptions{})
		fails(t, err, anchor.KindFailed, "aws_failed", operation[strings.Index(operation, ".")+1:], "run the command again")
	}
	if _, err := i.Destroy(t.Context(), installation.DestroyOptions{}); err != nil {
		t.Fatal(err)
	}
	if after := everything(t, cloud); !slices.Equal(after, before) {
		t.Errorf("the account had %v and has %v", before, after)
	}
}
