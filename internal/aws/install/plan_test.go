package install_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awstest"
	"github.com/anchor-deploy/anchor/internal/aws/installation"
)

// The calls that a plan may make. It only reads, except for its change set and the empty stack
// that CloudFormation creates for that.
var planCalls = []string{
	"CloudFormation.CreateChangeSet", "CloudFormation.DeleteChangeSet", "CloudFormation.DeleteStack", "CloudFormation.DescribeChangeSet",
	"CloudFormation.DescribeStacks", "CloudFormation.ListChangeSets", "S3.HeadBucket", "SSM.GetParameter", "STS.GetCallerIdentity",
}

func TestPlan_ChangesNothing(t *testing.T) {
	cloud := awstest.Shared(t)
	before := everything(t, cloud)
	i := open(t, config(t, cloud))
	calls := cloud.Wire.Record()
	p, err := i.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := operations(calls()); !slices.Equal(got, planCalls) {
		t.Errorf("it calls %v, want %v", got, planCalls)
	}
	if after := everything(t, cloud); !slices.Equal(after, before) {
		t.Errorf("the account had %v and has %v", before, after)
	}
	for _, want := range []string{"ArtifactsBucket", "Key", "ProjectsTable", "AssetsBucket", "DeployFunction", "BuildProject", "Api"} {
		if !slices.ContainsFunc(p.Changes, func(c installation.Change) bool { return c.Resource == want && c.Action == "add" }) {
			t.Errorf("it does not add %s: %+v", want, p.Changes)
		}
	}
}

// A refused plan leaves nothing either: otherwise the empty stack would look like an
// installation.
func TestPlan_RefusedChangesNothing(t *testing.T) {
	cloud := awstest.Shared(t)
	before := everything(t, cloud)
	c := answering(config(t, cloud), "DescribeChangeSet", regexp.MustCompile(`<Status>\w+</Status>`), "<Status>FAILED</Status>")
	c = answering(c, "DescribeChangeSet", regexp.MustCompile(`<StatusReason ?/>|<StatusReason>.*</StatusReason>`),
		"<StatusReason>a hook said no</StatusReason>")
	_, err := open(t, c).Plan(t.Context())
	fails(t, err, anchor.KindFailed, "change_set_failed", "a hook said no", "Nothing was changed")
	if after := everything(t, cloud); !slices.Equal(after, before) {
		t.Errorf("the account had %v and has %v", before, after)
	}
	_, err = open(t, config(t, cloud)).Status(t.Context())
	fails(t, err, anchor.KindNotFound, "no_installation")
}

func TestPlan_OfInstallation(t *testing.T) {
	cloud := awstest.Shared(t)
	c := config(t, cloud)
	i, _ := bootstrapped(t, c)
	p, err := i.Plan(t.Context())
	if err != nil || len(p.Changes) != 0 {
		t.Errorf("the plan of an installation that is as it should be: %+v, %v", p, err)
	}
	before := everything(t, cloud)
	c.Handlers, c.Version = handlers(t, "two"), "v1.3.0"
	calls := cloud.Wire.Record()
	p, err = open(t, c).Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if p.From != "v1.2.0" || p.To != "v1.3.0" || len(p.Changes) < 4 {
		t.Errorf("the plan of an upgrade: %+v", p)
	}
	for _, change := range p.Changes {
		// A resource that uses a changed function's ARN is "maybe" replaced: CloudFormation knows
		// only after the change that the ARN is the same.
		if change.Action != "change" && change.Action != "maybe replace" || strings.HasSuffix(change.Type, "Table") || strings.HasSuffix(change.Type, "Bucket") {
			t.Errorf("new code would %+v", change)
		}
	}
	for _, call := range operations(calls()) {
		// The functions tell whether AWS soon ends their runtime.
		if !slices.Contains(append(planCalls, "Lambda.ListFunctions"), call) || call == "CloudFormation.DeleteStack" {
			t.Errorf("it calls %s", call)
		}
	}
	if after := everything(t, cloud); !slices.Equal(after, before) {
		t.Errorf("the account had %v and has %v", before, after)
	}
	if st, err := i.Status(t.Context()); err != nil || st.Version != "v1.2.0" {
		t.Errorf("after the plan: %+v, %v", st, err)
	}
}
