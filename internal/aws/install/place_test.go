package install_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anchor-deploy/anchor/internal/aws/awstest"
	"github.com/anchor-deploy/anchor/internal/aws/install"
)

// TestTemplate_LargerThanARequest: an installation whose template does not fit into a request is planned, created and
// upgraded, and leaves no template in its bucket. What the first plan reads from the template is what
// CloudFormation then creates, with the resources whose conditions the settings fulfil.
func TestTemplate_LargerThanARequest(t *testing.T) {
	cloud := awstest.Shared(t)
	c := config(t, cloud)
	c.Template = install.Template() + "Metadata: {Padding: " + strings.Repeat("x", 60_000) + "}\n"
	c.Parameters = map[string]string{"BuildRepositories": "arn:aws:codecommit:eu-central-1:123456789012:a,arn:aws:codecommit:eu-central-1:123456789012:b"}
	before := everything(t, cloud)
	calls := cloud.Wire.Record()
	first, err := open(t, c).Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"CloudFormation.DescribeStacks", "S3.HeadBucket", "SSM.GetParameter", "STS.GetCallerIdentity"}
	if got := operations(calls()); !slices.Equal(got, want) {
		t.Errorf("the first plan calls %v, want %v", got, want)
	}
	if after := everything(t, cloud); !slices.Equal(after, before) {
		t.Errorf("the account had %v and has %v", before, after)
	}

	i, b := bootstrapped(t, c)
	planned := []string{}
	for _, change := range first.Changes {
		if change.Action != "add" {
			t.Errorf("the first plan would %+v", change)
		}
		planned = append(planned, change.Resource)
	}
	created := strings.Fields(cloud.CLI(t, "cloudformation", "list-stack-resources", "--stack-name", "anchor",
		"--query", "StackResourceSummaries[].LogicalResourceId", "--output", "text"))
	created = append(created, "ArtifactsBucket", "Key") // before the stack
	// MiniStack evaluates no Join in a condition, and creates this policy with each stack.
	created = slices.DeleteFunc(created, func(name string) bool { return name == "BuildConnectionsPolicy" })
	slices.Sort(planned)
	slices.Sort(created)
	if diff := cmp.Diff(created, planned); diff != "" {
		t.Errorf("the first plan (-created +planned):\n%s", diff)
	}

	if p, err := i.Plan(t.Context()); err != nil || len(p.Changes) != 0 {
		t.Errorf("the plan of what is there: %+v, %v", p, err)
	}
	c.Version, c.Handlers = "v1.3.0", handlers(t, "two")
	if _, upgraded := bootstrapped(t, c); upgraded.Version != "v1.3.0" {
		t.Errorf("upgraded: %+v", upgraded)
	}
	keys := cloud.CLI(t, "s3api", "list-objects-v2", "--bucket", b.ArtifactsBucket, "--query", "Contents[].Key", "--output", "text")
	if strings.Contains(keys, "templates/") {
		t.Errorf("the bucket has %s", keys)
	}
}
