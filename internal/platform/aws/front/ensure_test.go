package front_test

import (
	"slices"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"

	"github.com/anchor-deploy/anchor/internal/awstest"
)

func TestEnsureMakesADistribution(t *testing.T) {
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

func TestEnsureAgainChangesNothing(t *testing.T) {
	s := newStand(t)
	first := s.ensure()
	s.Front, _ = s.another()
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

func TestEnsureFollowsTheSecret(t *testing.T) {
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

func TestEnsureConvergesAfterAnyBrokenCall(t *testing.T) {
	operations := recordOf(t, func(s *stand) { s.ensure() })
	for i, operation := range operations {
		nth := 0
		for _, before := range operations[:i+1] {
			if before == operation {
				nth++
			}
		}
		for _, after := range []bool{false, true} {
			t.Run(name(operation, nth, after), func(t *testing.T) {
				t.Parallel()
				s := newStand(t)
				s.cloud.Wire.Break(awstest.Fault{Operation: operation, Nth: nth, After: after, Status: 400, Code: "Broken"})
				if _, err := s.Ensure(t.Context(), s.project, liveHosts); err == nil {
					t.Fatal("it does not say that a call failed")
				}
				s.cloud.Wire.Mend()
				s.Front, _ = s.another()
				site := s.ensure()
				s.publishAndSwitch(site)
				if got := strings.Count(s.cloud.CLI(t, "cloudfront", "list-distributions"), `"Comment": "anchor-shop `); got != 1 {
					t.Errorf("there are %d distributions", got)
				}
			})
		}
	}
}

func TestEnsureMeetsOthers(t *testing.T) {
	for operation, code := range map[string]string{
		"CloudFront.UpdateFunction": "PreconditionFailed", "CloudFront.PublishFunction": "PreconditionFailed",
		"CloudFront.UpdateDistribution": "PreconditionFailed", "CloudFront.UpdateKeyValueStore": "PreconditionFailed",
		"CloudFront.CreateFunction": "FunctionAlreadyExists", "CloudFront.CreateCachePolicy": "CachePolicyAlreadyExists",
		"CloudFront.CreateOriginAccessControl": "OriginAccessControlAlreadyExists", "CloudFront.CreateKeyValueStore": "EntityAlreadyExists",
		"CloudFront.CreateDistributionWithTags": "DistributionAlreadyExists",
	} {
		t.Run(operation, func(t *testing.T) {
			t.Parallel()
			s := newStand(t)
			if strings.Contains(operation, "Update") {
				s.ensure()
				s.secrets = []string{"other"}
			}
			// "After": the other did what we were about to do.
			status := 412
			if strings.HasSuffix(code, "Exists") {
				status = 409
			}
			s.cloud.Wire.Break(awstest.Fault{Operation: operation, Nth: 1, After: strings.HasSuffix(code, "Exists"), Status: status, Code: code})
			s.publishAndSwitch(s.ensure())
		})
	}
}

func TestEnsureNamesTheMissingPermission(t *testing.T) {
	s := newStand(t)
	s.cloud.Wire.Break(awstest.Fault{Operation: "CloudFront.CreateDistributionWithTags", Status: 403, Code: "AccessDenied"})
	_, err := s.Ensure(t.Context(), s.project, liveHosts)
	wantError(t, err, "access_denied", "cloudfront:CreateDistribution")
}

// recordOf gives the calls that do makes on a new emulator.
func recordOf(t *testing.T, do func(*stand)) []string {
	t.Helper()
	s := newStand(t)
	calls := s.cloud.Wire.Record()
	do(s)
	var operations []string
	for _, c := range calls() {
		operations = append(operations, c.Operation)
	}
	if !slices.Contains(operations, "CloudFront.CreateDistributionWithTags") {
		t.Fatalf("the calls are %v", operations)
	}
	return operations
}
