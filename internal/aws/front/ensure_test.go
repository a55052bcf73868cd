package front_test

import (
	"slices"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"

	"github.com/anchor-deploy/anchor/internal/aws/awstest"
)

func TestEnsure_CreatesDistribution(t *testing.T) {
	s := newStand(t)
	site := s.ensure()
	c := s.distribution(site.Distribution).Distribution.DistributionConfig
	if !sdk.ToBool(c.Enabled) || !sdk.ToBool(c.IsIPV6Enabled) || c.HttpVersion != "http2and3" {
		t.Errorf("the distribution is %+v", c)
	}
	if got := sdk.ToInt32(c.CacheBehaviors.Quantity); got != 2 {
		t.Errorf("it has %d behaviors besides the default one", got)
	}
	methods := c.DefaultCacheBehavior.AllowedMethods.Items
	if len(methods) != 7 {
		t.Errorf("pages take %v", methods)
	}
	for _, o := range c.Origins.Items {
		if o.S3OriginConfig != nil && sdk.ToString(o.OriginAccessControlId) == "" {
			t.Errorf("the origin %s has no access control", *o.Id)
		}
		if o.CustomOriginConfig != nil && sdk.ToString(o.CustomHeaders.Items[0].HeaderValue) != "new,old" {
			t.Errorf("the origin %s has the headers %+v", *o.Id, o.CustomHeaders.Items)
		}
	}
	if tags := s.cloud.CLI(t, "cloudfront", "list-tags-for-resource", "--resource", sdk.ToString(s.distribution(site.Distribution).Distribution.ARN)); !strings.Contains(tags, "anchor-deploy") {
		t.Errorf("its tags are %s", tags)
	}
}

func TestEnsure_IsIdempotent(t *testing.T) {
	s := newStand(t)
	first := s.ensure()
	s.Front = s.another()
	calls := s.cloud.Wire.Record()
	if again := s.ensure(); again != first {
		t.Errorf("first it is %+v, then %+v", first, again)
	}
	for _, c := range calls() {
		for _, verb := range []string{".Create", ".Update", ".Publish", ".Delete"} {
			if strings.Contains(c.Operation, verb) {
				t.Errorf("the second run calls %s", c.Operation)
			}
		}
	}
}

func TestEnsure_FollowsSecret(t *testing.T) {
	s := newStand(t)
	site := s.ensure()
	s.secrets = []string{"newer", "new"}
	if s.ensure() != site {
		t.Error("another secret makes another distribution")
	}
	c := s.distribution(site.Distribution).Distribution.DistributionConfig
	if got := sdk.ToString(c.Origins.Items[2].CustomHeaders.Items[0].HeaderValue); got != "newer,new" {
		t.Errorf("the secret is %q", got)
	}
}

func TestEnsure_ConvergesAfterAnyBrokenCall(t *testing.T) {
	first := newStand(t)
	operations := recordOf(first, first.ensure)
	for i, operation := range operations {
		nth := 0
		for _, before := range operations[:i+1] {
			if before == operation {
				nth++
			}
		}
		for _, after := range []bool{false, true} {
			t.Run(name(operation, nth, after), func(t *testing.T) {
				s := first.fresh(t)
				s.cloud.Wire.Break(awstest.Fault{Operation: operation, Nth: nth, After: after, Status: 400, Code: "Broken"})
				if _, err := s.Ensure(t.Context(), s.project, liveHosts); err == nil {
					t.Fatal("it does not say that a call failed")
				}
				s.cloud.Wire.Mend()
				s.Front = s.another()
				site := s.ensure()
				s.publishAndSwitch(site)
				if got := s.distributions(); got != 1 {
					t.Errorf("there are %d distributions", got)
				}
			})
		}
	}
}

func TestEnsure_ConcurrentProcesses(t *testing.T) {
	first := newStand(t)
	for operation, code := range map[string]string{
		"CloudFront.UpdateFunction": "PreconditionFailed", "CloudFront.PublishFunction": "PreconditionFailed",
		"CloudFront.UpdateDistribution": "PreconditionFailed", "CloudFront.UpdateKeyValueStore": "PreconditionFailed",
		"CloudFront.CreateFunction": "FunctionAlreadyExists", "CloudFront.CreateCachePolicy": "CachePolicyAlreadyExists",
		"CloudFront.CreateOriginAccessControl": "OriginAccessControlAlreadyExists", "CloudFront.CreateKeyValueStore": "EntityAlreadyExists",
		"CloudFront.CreateDistributionWithTags": "DistributionAlreadyExists",
	} {
		t.Run(operation, func(t *testing.T) {
			s := first.fresh(t)
			if strings.Contains(operation, "Update") {
				s.ensure()
				s.secrets = []string{"other"}
			}
			// "After": the other process did what this one was about to do.
			status := 412
			if strings.HasSuffix(code, "Exists") {
				status = 409
			}
			s.cloud.Wire.Break(awstest.Fault{Operation: operation, Nth: 1, After: strings.HasSuffix(code, "Exists"), Status: status, Code: code})
			s.publishAndSwitch(s.ensure())
		})
	}
}

func TestEnsure_NamesMissingPermission(t *testing.T) {
	s := newStand(t)
	s.cloud.Wire.Break(awstest.Fault{Operation: "CloudFront.CreateDistributionWithTags", Status: 403, Code: "AccessDenied"})
	_, err := s.Ensure(t.Context(), s.project, liveHosts)
	wantError(t, err, "access_denied", "cloudfront:CreateDistribution")
}

// recordOf returns the calls that do makes.
func recordOf[T any](s *stand, do func() T) []string {
	s.t.Helper()
	calls := s.cloud.Wire.Record()
	do()
	var operations []string
	for _, c := range calls() {
		operations = append(operations, c.Operation)
	}
	if !slices.Contains(operations, "CloudFront.CreateDistributionWithTags") {
		s.t.Fatalf("the calls are %v", operations)
	}
	return operations
}

func TestEnsure_KeepsAliasesAndCertificate(t *testing.T) {
	s := newStand(t)
	site := s.ensure()
	now := s.distribution(site.Distribution)
	c := now.Distribution.DistributionConfig
	c.Aliases = &types.Aliases{Quantity: sdk.Int32(1), Items: []string{"www.example.com"}}
	c.ViewerCertificate = &types.ViewerCertificate{ACMCertificateArn: sdk.String("arn:aws:acm:us-east-1:1:certificate/x"), SSLSupportMethod: "sni-only"}
	if _, err := s.cf.UpdateDistribution(t.Context(), &cloudfront.UpdateDistributionInput{
		Id: sdk.String(site.Distribution), IfMatch: now.ETag, DistributionConfig: c,
	}); err != nil {
		t.Fatal(err)
	}
	s.secrets = []string{"other"}
	s.ensure()
	c = s.distribution(site.Distribution).Distribution.DistributionConfig
	if len(c.Aliases.Items) != 1 || sdk.ToString(c.ViewerCertificate.ACMCertificateArn) == "" ||
		sdk.ToString(c.Origins.Items[2].CustomHeaders.Items[0].HeaderValue) != "other" {
		t.Errorf("it is now %+v %+v", c.Aliases, c.ViewerCertificate)
	}
}

// TestEnsure_ConcurrentWriter: another process changes the distribution between the read and the
// write.
func TestEnsure_ConcurrentWriter(t *testing.T) {
	s := newStand(t)
	site := s.ensure()
	s.secrets = []string{"other"}
	s.cloud.Wire.Break(awstest.Fault{Operation: "CloudFront.UpdateDistribution", Nth: 1, Do: func() {
		now := s.distribution(site.Distribution)
		now.Distribution.DistributionConfig.WebACLId = sdk.String("theirs")
		if _, err := s.cf.UpdateDistribution(t.Context(), &cloudfront.UpdateDistributionInput{
			Id: sdk.String(site.Distribution), IfMatch: now.ETag, DistributionConfig: now.Distribution.DistributionConfig,
		}); err != nil {
			t.Error(err)
		}
	}})
	s.ensure()
	c := s.distribution(site.Distribution).Distribution.DistributionConfig
	if sdk.ToString(c.WebACLId) != "theirs" || sdk.ToString(c.Origins.Items[2].CustomHeaders.Items[0].HeaderValue) != "other" {
		t.Errorf("one of the two writes is lost: %+v", c)
	}
}

func TestEnsure_Refuses(t *testing.T) {
	s := newStand(t)
	_, err := s.Ensure(t.Context(), s.project, map[string]string{"imageOptimizer": "i.on.aws"})
	wantError(t, err, "no_function_url", "default")
	s.secrets = nil
	_, err = s.Ensure(t.Context(), s.project, liveHosts)
	wantError(t, err, "no_origin_secret", "shop")
}
