package install

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/anchor-deploy/anchor/internal/aws/awstest"
)

// reference is the Service Authorization Reference, as cfn-lint contains it: by service, the
// resources that each action can be granted on. An action without any can be granted on "*" only;
// IAM accepts another grant and then denies the call.
type reference map[string]struct {
	Actions map[string]struct {
		Resources []string `json:"Resources"`
	} `json:"Actions"`
	Resources map[string]struct {
		ARNFormats []string `json:"ARNFormats"` // a regular expression, with ${Region} and the like in it
	} `json:"Resources"`
}

func readReference(t *testing.T) reference {
	t.Helper()
	const file = "lib/python3*/site-packages/cfnlint/data/AdditionalSpecs/Policies.json"
	found, err := filepath.Glob(filepath.Join(filepath.Dir(awstest.Tool(t, "cfn-lint")), "..", file))
	if err != nil || len(found) != 1 {
		t.Fatalf("cfn-lint's data are %q, %v", found, err)
	}
	text, err := os.ReadFile(found[0])
	if err != nil {
		t.Fatal(err)
	}
	var r reference
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// fits reports whether a grant of the action on the resource can ever allow a call.
func (r reference) fits(action, arn string) bool {
	service, name, _ := strings.Cut(action, ":")
	known, ok := r[service].Actions[strings.ToLower(name)]
	if !ok {
		return false
	}
	if len(known.Resources) == 0 || arn == "*" {
		return arn == "*"
	}
	for _, kind := range known.Resources {
		for _, format := range r[service].Resources[strings.ToLower(kind)].ARNFormats {
			if regexp.MustCompile("^" + placeholder.ReplaceAllString(format, "[^:]*") + "$").MatchString(arn) {
				return true
			}
		}
	}
	return false
}

var placeholder = regexp.MustCompile(`\$\{\w+\}`)

// arns holds the ARNs of the template's own resources that its grants name.
var arns = map[string]string{
	"ProjectsTable.Arn":    "arn:aws:dynamodb:eu-central-1:123456789012:table/anchor-projects",
	"DeploymentsTable.Arn": "arn:aws:dynamodb:eu-central-1:123456789012:table/anchor-deployments",
	"DomainsTable.Arn":     "arn:aws:dynamodb:eu-central-1:123456789012:table/anchor-domains",
	"AssetsBucket.Arn":     "arn:aws:s3:::anchor-assets",
	"SiteRole.Arn":         "arn:aws:iam::123456789012:role/anchor-site",
	"DeployFunction.Arn":   "arn:aws:lambda:eu-central-1:123456789012:function:anchor-deploy",
	"CronsFunction.Arn":    "arn:aws:lambda:eu-central-1:123456789012:function:anchor-crons",
	"ScheduleRole.Arn":     "arn:aws:iam::123456789012:role/anchor-schedules",
	"FailedEvents.Arn":     "arn:aws:sqs:eu-central-1:123456789012:anchor-failed-events",
	"ArtifactsBucket":      "anchor-artifacts", "CloudFrontDistributionId": "E1EXAMPLE", "Installation": "anchor",
	"AWS::Partition": "aws", "AWS::Region": "eu-central-1", "AWS::AccountId": "123456789012",
}

func resolved(text string) string {
	if arn := arns[text]; arn != "" {
		return arn
	}
	for name, value := range arns {
		text = strings.ReplaceAll(text, "${"+name+"}", value)
	}
	return text
}

func TestPolicy_ResourcesFitActions(t *testing.T) {
	known := readReference(t)
	for role, statements := range policies(t) {
		for _, s := range statements {
			for _, action := range s.Action {
				if !slices.ContainsFunc(s.Resource, func(text string) bool { return known.fits(action, resolved(text)) }) {
					t.Errorf("%s (%s): %s on %q allows nothing", role, s.Sid, action, s.Resource)
				}
			}
			for _, text := range s.Resource {
				if !slices.ContainsFunc(s.Action, func(action string) bool { return known.fits(action, resolved(text)) }) {
					t.Errorf("%s (%s): none of %v is done to %s", role, s.Sid, s.Action, text)
				}
			}
		}
	}
}

// conditions holds the keys that grants depend on, with the actions that have them in their
// context. For any other action, such a condition denies the call.
var conditions = map[string][]string{
	"lambda:FunctionArn":           {"lambda:CreateEventSourceMapping", "lambda:DeleteEventSourceMapping"},
	"iam:PassedToService":          {"iam:PassRole"},
	"iam:PermissionsBoundary":      {"iam:CreateRole", "iam:PutRolePolicy", "iam:DeleteRolePolicy"},
	"kms:ViaService":               {"kms:Encrypt", "kms:Decrypt", "kms:CreateGrant"},
	"aws:ResourceTag/Installation": tagged,
	"aws:ResourceTag/ManagedBy":    tagged,
}

// tagged holds the actions whose resource type has aws:ResourceTag, and whose resource has its tags
// by the time of the call.
var tagged = []string{
	"cloudfront:GetDistribution", "cloudfront:GetDistributionConfig", "cloudfront:UpdateDistribution", "cloudfront:DeleteDistribution",
	"cloudfront:CreateInvalidation", "cloudfront:GetDistributionTenant", "cloudfront:UpdateDistributionTenant",
	"cloudfront:DeleteDistributionTenant", "acm:DeleteCertificate", "acm:DescribeCertificate",
}

// TestPolicy_TaggedResourcesAreOurs: an action on what CloudFront and ACM name by chance is granted on
// the installation's own, or on the distribution that its settings name.
func TestPolicy_TaggedResourcesAreOurs(t *testing.T) {
	for role, statements := range policies(t) {
		for _, s := range statements {
			for _, action := range s.Action {
				own := s.Condition["StringEquals"]["aws:ResourceTag/Installation"] != "" || strings.HasPrefix(s.Sid, "Adopted")
				if slices.Contains(tagged, action) && !own {
					t.Errorf("%s (%s) may %s what is not the installation's", role, s.Sid, action)
				}
			}
		}
	}
}

func TestPolicy_ConditionsFitActions(t *testing.T) {
	for role, statements := range policies(t) {
		for _, s := range statements {
			for _, keys := range s.Condition {
				for key := range keys {
					for _, action := range s.Action {
						if !slices.Contains(conditions[key], action) {
							t.Errorf("%s (%s): %s knows no %s", role, s.Sid, action, key)
						}
					}
				}
			}
		}
	}
}

// IAM accepts 10,240 characters of policies within a role, and 6,144 of a managed one, without white space (IAM
// User Guide, "IAM and AWS STS quotas").
func TestPolicy_FitsSizeLimit(t *testing.T) {
	longest := strings.NewReplacer("eu-central-1", "ap-southeast-1", "anchor", "sixteenletters16")
	for policy, statements := range documents(t) {
		most := 10_240
		if strings.HasSuffix(policy, "Policy") || policy == "SiteBoundary" {
			most = 6_144
		}
		total := 0
		for _, s := range statements {
			s.Resource = slices.Clone(s.Resource)
			for i, text := range s.Resource {
				s.Resource[i] = longest.Replace(resolved(text))
			}
			text, err := json.Marshal(s)
			if err != nil {
				t.Fatal(err)
			}
			total += len(text) + len(`"Effect":"Allow",`)
		}
		if total > most-240 {
			t.Errorf("the policy of %s has about %d characters; IAM takes %d", policy, total, most)
		}
	}
}

// CloudFront names the distribution that it reads for. The account is documented for other
// services only (CloudFront: "Restrict access to an Amazon S3 origin").
func TestTemplate_CloudFrontReadsForOwnDistributions(t *testing.T) {
	var doc struct {
		Resources struct {
			AssetsBucketPolicy struct {
				Properties struct {
					PolicyDocument struct {
						Statement []statement `yaml:"Statement"`
					} `yaml:"PolicyDocument"`
				} `yaml:"Properties"`
			} `yaml:"AssetsBucketPolicy"`
		} `yaml:"Resources"`
	}
	if err := yaml.Unmarshal([]byte(Template()), &doc); err != nil {
		t.Fatal(err)
	}
	const ours = "arn:aws:cloudfront::123456789012:distribution/*"
	reads := 0
	for _, s := range doc.Resources.AssetsBucketPolicy.Properties.PolicyDocument.Statement {
		if !strings.HasPrefix(s.Sid, "CloudFront") {
			continue
		}
		reads++
		if got := resolved(s.Condition["ArnLike"]["aws:SourceArn"]); got != ours {
			t.Errorf("%s is for the distributions %q, want %s", s.Sid, got, ours)
		}
	}
	if reads != 2 {
		t.Errorf("CloudFront has %d grants on the bucket, want 2", reads)
	}
}
