package install_test

import (
	"net"
	"net/http"
	"os"
	"testing"
	"testing/fstest"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awstest"
	"github.com/anchor-deploy/anchor/internal/aws/install"
	"github.com/anchor-deploy/anchor/internal/aws/installation"
)

// emptyEnvironment clears the environment's credentials and region.
func emptyEnvironment(t *testing.T) {
	t.Helper()
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION",
		"AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_WEB_IDENTITY_TOKEN_FILE"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_CONFIG_FILE", os.DevNull)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
}

func TestConfig_AWS(t *testing.T) {
	emptyEnvironment(t)
	_, err := install.LoadConfig(t.Context(), "", "")
	fails(t, err, anchor.KindInvalid, "no_region", "--region", "AWS_REGION")
	_, err = install.LoadConfig(t.Context(), "", "nowhere")
	fails(t, err, anchor.KindInvalid, "unknown_region", "nowhere")
	_, err = install.LoadConfig(t.Context(), "ghost", "eu-central-1")
	fails(t, err, anchor.KindInvalid, "no_profile", "ghost")
	c, err := install.LoadConfig(t.Context(), "", "eu-central-1")
	if err != nil {
		t.Fatal(err)
	}
	i := open(t, install.Config{AWS: c, Handlers: handlers(t, "one")})
	_, err = i.Plan(t.Context())
	fails(t, err, anchor.KindUnauthorized, "no_credentials", "AWS_PROFILE", "aws configure")
}

func TestConfig_RegionWithoutEndpoint(t *testing.T) {
	cloud := awstest.Shared(t)
	c := config(t, cloud)
	c.AWS.Region, c.AWS.BaseEndpoint = "eu-nowhere-1", nil
	c.AWS.HTTPClient = client(func(r *http.Request) (*http.Response, error) {
		return nil, &net.DNSError{Err: "no such host", Name: r.URL.Hostname(), IsNotFound: true}
	})
	_, err := open(t, c).Plan(t.Context())
	fails(t, err, anchor.KindInvalid, "unknown_region", "sts.eu-nowhere-1.amazonaws.com", "--region")
}

func TestConfig_OtherPartitions(t *testing.T) {
	for region, says := range map[string]string{"cn-north-1": "aws-cn", "us-gov-west-1": "aws-us-gov", "eusc-de-east-1": "aws-eusc"} {
		_, err := install.LoadConfig(t.Context(), "", region)
		fails(t, err, anchor.KindInvalid, "unsupported_partition", says, "us-east-1", "--region")
	}
	if _, err := install.LoadConfig(t.Context(), "", "eu-central-1"); err != nil {
		t.Error(err)
	}
}

func TestErrors_NameAction(t *testing.T) {
	cloud := awstest.Shared(t)
	i := open(t, config(t, cloud))
	for _, test := range []struct {
		fault  awstest.Fault
		action string
	}{
		{awstest.Fault{Operation: "CloudFormation.DescribeStacks", Status: 403, Code: "AccessDenied",
			Message: "User: arn:aws:iam::1:user/me is not authorized to perform: cloudformation:DescribeStacks on resource: x"}, "cloudformation:DescribeStacks"},
		{awstest.Fault{Operation: "S3.HeadBucket", Status: 403, Code: "Forbidden"}, "s3:ListBucket"},
		{awstest.Fault{Operation: "S3.PutPublicAccessBlock", Status: 403, Code: "AccessDenied", Message: "Access Denied"}, "s3:PutBucketPublicAccessBlock"},
		{awstest.Fault{Operation: "SSM.PutParameter", Status: 400, Code: "AccessDeniedException", Message: "no"}, "ssm:PutParameter"},
		{awstest.Fault{Operation: "CloudFormation.CreateChangeSet", Status: 403, Code: "AccessDenied", Message: "no"}, "cloudformation:CreateChangeSet"},
	} {
		cloud.Wire.Mend()
		cloud.Wire.Break(test.fault)
		_, err := i.Bootstrap(t.Context(), installation.BootstrapOptions{})
		fails(t, err, anchor.KindForbidden, "access_denied", test.action, "docs/aws.md")
	}
	cloud.Wire.Mend()
	cloud.Wire.Break(awstest.Fault{Operation: "STS.GetCallerIdentity", Status: 403, Code: "ExpiredToken", Message: "over"})
	_, err := open(t, config(t, cloud)).Plan(t.Context())
	fails(t, err, anchor.KindUnauthorized, "no_credentials", "aws sso login")
}

func TestBootstrap_Refuses(t *testing.T) {
	cloud := awstest.Shared(t)
	for _, c := range []installation.Options{{Name: "Bad"}, {Name: "two-words"}, {Name: "averyveryverylong"}, {Name: "1st"}, {Name: "awsprod"}, {Name: "ssm"}} {
		_, err := install.New(install.Config{Options: c})
		fails(t, err, anchor.KindInvalid, "bad_installation", c.Name)
	}
	_, err := install.New(install.Config{Options: installation.Options{Architecture: "sparc"}})
	fails(t, err, anchor.KindInvalid, "bad_architecture", "sparc")
	_, err = install.New(install.Config{Options: installation.Options{Parameters: map[string]string{"Color": "red"}}})
	fails(t, err, anchor.KindInvalid, "unknown_parameter", "Color", "LogRetentionDays")

	c := config(t, cloud)
	c.Handlers = fstest.MapFS{}
	calls := cloud.Wire.Record()
	_, err = open(t, c).Bootstrap(t.Context(), installation.BootstrapOptions{})
	fails(t, err, anchor.KindInvalid, "no_handlers", "make build")
	if got := operations(calls()); len(got) != 2 {
		t.Errorf("refused, it called %v", got)
	}

	// S3 accepts the upload, CloudFormation refuses.
	cloud.Wire.Break(awstest.Fault{Operation: "CloudFormation.CreateChangeSet", Status: 400, Code: "ValidationError", Message: "the template is too new"})
	_, err = open(t, config(t, cloud)).Bootstrap(t.Context(), installation.BootstrapOptions{})
	fails(t, err, anchor.KindFailed, "aws_failed", "the template is too new")
}

// A setting that CloudFormation would refuse is refused before any call.
func TestSettings_AreChecked(t *testing.T) {
	for _, test := range []struct{ name, value, wants string }{
		{"LogRetentionDays", "8", "1, 3, 5, 7, 14, 30"}, {"LogRetentionDays", "", "1, 3, 5, 7, 14, 30"},
		{"DeletionProtection", "yes", "true, false"}, {"PointInTimeRecovery", "False", "true, false"},
		{"OriginSecretNewest", "0", "from 1 on"}, {"OriginSecretOldest", "first", "from 1 on"},
		{"LogRetentionDays", "365", ""}, {"DeletionProtection", "false", ""}, {"OriginSecretNewest", "2", ""},
	} {
		_, err := install.New(install.Config{Options: installation.Options{Parameters: map[string]string{test.name: test.value}}})
		if test.wants != "" {
			fails(t, err, anchor.KindInvalid, "bad_parameter", test.name, test.wants)
		} else if err != nil {
			t.Errorf("%s=%s is refused: %v", test.name, test.value, err)
		}
	}
}

// A service that throttles may return no code at all.
func TestErrors_Throttled(t *testing.T) {
	cloud := awstest.Shared(t)
	c := config(t, cloud)
	c.AWS.Retryer = func() sdk.Retryer { return retry.AddWithMaxAttempts(retry.NewStandard(), 1) }
	for _, fault := range []awstest.Fault{
		{Operation: "CloudFormation.DescribeStacks", Status: http.StatusTooManyRequests},
		{Operation: "CloudFormation.DescribeStacks", Status: http.StatusBadRequest, Code: "Throttling", Message: "Rate exceeded"},
	} {
		cloud.Wire.Mend()
		cloud.Wire.Break(fault)
		_, err := open(t, c).Status(t.Context())
		fails(t, err, anchor.KindBusy, "aws_busy", "throttles", "again")
	}
}

func TestBootstrap_ForeignBucket(t *testing.T) {
	cloud := awstest.Shared(t)
	cloud.Wire.Break(awstest.Fault{Operation: "S3.CreateBucket", Status: 409, Code: "BucketAlreadyExists", Message: "taken"})
	c := config(t, cloud)
	c.AWS.Retryer = func() sdk.Retryer { return retry.AddWithMaxAttempts(retry.NewStandard(), 1) }
	_, err := open(t, c).Bootstrap(t.Context(), installation.BootstrapOptions{})
	fails(t, err, anchor.KindConflict, "bucket_taken", "anchor-artifacts-", "--name")
}
