package install_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"github.com/anchor-deploy/anchor/internal/access"
	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awstest"
	"github.com/anchor-deploy/anchor/internal/aws/install"
	"github.com/anchor-deploy/anchor/internal/aws/installation"
	"github.com/anchor-deploy/anchor/internal/records/memory"
)

func TestBootstrap_FromNothingAndAgain(t *testing.T) {
	cloud := awstest.Shared(t)
	var steps []string
	c := config(t, cloud)
	c.Watch = func(e installation.Event) {
		if e.Done {
			steps = append(steps, e.Step)
		}
	}
	i, b := bootstrapped(t, c)
	if !b.Created || b.Version != "v1.2.0" || !strings.HasPrefix(b.APIURL, "http") || len(b.Changes) < 30 {
		t.Errorf("bootstrapped: %+v", b)
	}
	if want := []string{"Bucket", "Key", "Handlers", "Changes", "Stack"}; !slices.Equal(steps, want) {
		t.Errorf("the steps are %v, want %v", steps, want)
	}
	key := cloud.CLI(t, "ssm", "get-parameter", "--name", "/anchor/key", "--with-decryption")
	again, err := i.Bootstrap(t.Context(), installation.BootstrapOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if again.Created || len(again.Changes) != 0 || again.APIURL != b.APIURL {
		t.Errorf("bootstrapped again: %+v", again)
	}
	if now := cloud.CLI(t, "ssm", "get-parameter", "--name", "/anchor/key", "--with-decryption"); now != key {
		t.Errorf("the key was %s and is %s", key, now)
	}
}

func TestBootstrap_UpgradeAndDowngrade(t *testing.T) {
	cloud := awstest.Shared(t)
	c := config(t, cloud)
	c.Parameters = map[string]string{"LogRetentionDays": "30"}
	bootstrapped(t, c)

	c.Parameters = nil
	c.Handlers, c.Version = handlers(t, "two"), "v1.10.0"
	_, b := bootstrapped(t, c)
	if b.Created || b.Version != "v1.10.0" || len(b.Changes) == 0 {
		t.Errorf("upgraded: %+v", b)
	}
	if days := cloud.CLI(t, "logs", "describe-log-groups", "--query", "logGroups[].retentionInDays", "--output", "text"); strings.Fields(days)[0] != "30" {
		t.Errorf("the logs are kept for %s days, want the 30 that were set once", days)
	}

	c.Version = "v1.9.0"
	calls := cloud.Wire.Record()
	_, err := open(t, c).Bootstrap(t.Context(), installation.BootstrapOptions{})
	fails(t, err, anchor.KindConflict, "older_version", "v1.10.0", "v1.9.0", "--allow-downgrade")
	if got := operations(calls()); !slices.Equal(got, []string{"CloudFormation.DescribeStacks", "STS.GetCallerIdentity"}) {
		t.Errorf("refused, it called %v", got)
	}
	b, err = open(t, c).Bootstrap(t.Context(), installation.BootstrapOptions{AllowDowngrade: true})
	if err != nil || b.Version != "v1.9.0" {
		t.Errorf("downgraded: %+v, %v", b, err)
	}
}

// An existing name makes the creation fail; the next bootstrap removes the remains.
func TestBootstrap_AfterFailure(t *testing.T) {
	cloud := awstest.Shared(t)
	cloud.CLI(t, "codebuild", "create-project", "--name", "anchor-build", "--source", "type=NO_SOURCE,buildspec=x", "--artifacts", "type=NO_ARTIFACTS",
		"--environment", "type=LINUX_CONTAINER,image=x,computeType=BUILD_GENERAL1_SMALL", "--service-role", "arn:aws:iam::"+cloud.Account+":role/x")
	i := open(t, config(t, cloud))
	_, err := i.Bootstrap(t.Context(), installation.BootstrapOptions{})
	fails(t, err, anchor.KindFailed, "stack_failed", "BuildProject", "anchor aws bootstrap")
	st, err := i.Status(t.Context())
	if err != nil || st.Stack != "ROLLBACK_COMPLETE" || !strings.Contains(strings.Join(st.Hints, " "), "anchor aws bootstrap") {
		t.Errorf("after the failure: %+v, %v", st, err)
	}
	if p, err := i.Plan(t.Context()); err != nil || len(p.Changes) != 1 || p.Changes[0].Action != "replace" {
		t.Errorf("planned after the failure: %+v, %v", p, err)
	}
	cloud.CLI(t, "codebuild", "delete-project", "--name", "anchor-build")
	b, err := i.Bootstrap(t.Context(), installation.BootstrapOptions{})
	if err != nil || !b.Created {
		t.Errorf("bootstrapped after the failure: %+v, %v", b, err)
	}
}

func TestBootstrap_RefusesUnwritableStack(t *testing.T) {
	cloud := awstest.Shared(t)
	bootstrapped(t, config(t, cloud))
	for status, want := range map[types.StackStatus]struct{ code, names string }{
		types.StackStatusCreateInProgress:         {"stack_busy", "anchor aws status"},
		types.StackStatusUpdateRollbackInProgress: {"stack_busy", "anchor aws status"},
		types.StackStatusDeleteInProgress:         {"stack_busy", "anchor aws status"},
		types.StackStatusUpdateRollbackFailed:     {"stack_rollback_failed", "continue-update-rollback --stack-name anchor --region " + awstest.Region},
		types.StackStatusDeleteFailed:             {"stack_delete_failed", "anchor aws destroy"},
	} {
		i := open(t, inState(config(t, cloud), status))
		calls := cloud.Wire.Record()
		_, err := i.Bootstrap(t.Context(), installation.BootstrapOptions{})
		fails(t, err, anchor.KindConflict, want.code, want.names)
		_, err = i.Plan(t.Context())
		fails(t, err, anchor.KindConflict, want.code, want.names)
		if got := operations(calls()); !slices.Equal(got, []string{"CloudFormation.DescribeStacks", "STS.GetCallerIdentity"}) {
			t.Errorf("%s: refused, it called %v", status, got)
		}
		st, err := i.Status(t.Context())
		if err != nil || !strings.Contains(strings.Join(st.Hints, "\n"), want.names) {
			t.Errorf("%s: status %+v, %v", status, st, err)
		}
	}
}

// The next run continues after a run that dies, or gets no answer, at any call.
func TestBootstrap_ContinuesAfterInterruption(t *testing.T) {
	cloud := awstest.Shared(t)
	i := open(t, config(t, cloud))
	for _, fault := range []awstest.Fault{ // in their order
		{Operation: "S3.CreateBucket", After: true},
		{Operation: "S3.PutBucketEncryption"},
		{Operation: "SSM.PutParameter", After: true},
		{Operation: "S3.PutObject"},
		{Operation: "CloudFormation.CreateChangeSet", After: true},
		{Operation: "CloudFormation.DescribeChangeSet"},
		{Operation: "CloudFormation.ExecuteChangeSet"},
	} {
		fault.Nth, fault.Status, fault.Code = 1, 400, "Broken"
		cloud.Wire.Break(fault)
		_, err := i.Bootstrap(t.Context(), installation.BootstrapOptions{})
		fails(t, err, anchor.KindFailed, "aws_failed", fault.Operation[strings.Index(fault.Operation, ".")+1:], "again")
	}
	b, err := i.Bootstrap(t.Context(), installation.BootstrapOptions{})
	if err != nil || !b.Created || b.APIURL == "" {
		t.Errorf("bootstrapped again: %+v, %v", b, err)
	}
}

// The SDK retries when an answer is lost, and then finds its own change.
func TestBootstrap_LostAnswerIsNoFailure(t *testing.T) {
	cloud := awstest.Shared(t)
	cloud.Wire.Break(awstest.Fault{Operation: "CloudFormation.ExecuteChangeSet", Nth: 1, After: true})
	calls := cloud.Wire.Record()
	b, err := open(t, config(t, cloud)).Bootstrap(t.Context(), installation.BootstrapOptions{})
	if err != nil || !b.Created || b.APIURL == "" {
		t.Errorf("bootstrapped: %+v, %v", b, err)
	}
	executed := 0
	for _, c := range calls() {
		if c.Operation == "CloudFormation.ExecuteChangeSet" {
			executed++
		}
	}
	if executed != 2 {
		t.Errorf("the changes were asked for %d times, not twice", executed)
	}
}

func TestBootstrap_FirstToken(t *testing.T) {
	cloud := awstest.Shared(t)
	records := access.New(access.Ports{Tokens: memory.New()}, access.Options{})
	c := config(t, cloud)
	c.Tokens = func(installation.Outputs) install.Tokens { return records }
	i := open(t, c)
	secret, err := i.FirstToken(t.Context(), installation.Outputs{}, "me", false)
	if err != nil {
		t.Fatal(err)
	}
	token, err := records.Check(t.Context(), secret)
	if err != nil || token.Scope != anchor.ScopeAdmin || token.Name != "me" {
		t.Errorf("the token: %+v, %v", token, err)
	}
	if second, err := i.FirstToken(t.Context(), installation.Outputs{}, "me", false); err != nil || second != "" {
		t.Errorf("a second: %q, %v", second, err)
	}
	if second, err := i.FirstToken(t.Context(), installation.Outputs{}, "me", true); err != nil || second == "" || second == secret {
		t.Errorf("another: %q, %v", second, err)
	}
}

// Uploads are as secret as the app's code: nobody may send or download them unencrypted.
func TestTemplate_ArtifactsRequireTLS(t *testing.T) {
	cloud := awstest.Shared(t)
	_, b := bootstrapped(t, config(t, cloud))
	policy := cloud.CLI(t, "s3api", "get-bucket-policy", "--bucket", b.ArtifactsBucket, "--query", "Policy", "--output", "text")
	var read struct {
		Statement []struct {
			Effect, Principal, Action string
			Resource                  []string
			Condition                 map[string]map[string]string
		}
	}
	if err := json.Unmarshal([]byte(policy), &read); err != nil || len(read.Statement) != 1 {
		t.Fatalf("the policy is %s (%v)", policy, err)
	}
	s, arn := read.Statement[0], "arn:aws:s3:::"+b.ArtifactsBucket
	if s.Effect != "Deny" || s.Principal != "*" || s.Action != "s3:*" || s.Condition["Bool"]["aws:SecureTransport"] != "false" ||
		!slices.Equal(s.Resource, []string{arn, arn + "/*"}) {
		t.Errorf("the policy is %s", policy)
	}
}
