package role_test

import (
	"encoding/json"
	"path"
	"slices"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awstest"
	"github.com/anchor-deploy/anchor/internal/aws/role"
)

const boundary = "arn:aws:iam::123456789012:policy/anchor-SiteBoundary"

func roles(c *iam.Client) *role.Roles {
	return role.New(role.Config{IAM: c, Installation: "anchor", Region: "eu-central-1", AssetsBucket: "anchor-assets", Boundary: boundary})
}

func project(slug string) anchor.Project {
	return anchor.Project{ID: anchor.ProjectID(anchor.NewID()), Slug: slug}
}

func access(p anchor.Project) role.Access {
	return role.Access{Project: p, Functions: []string{"anchor-" + p.Slug + "-server", "anchor-" + p.Slug + "-image"}, Queue: "anchor-" + p.Slug + "-revalidate.fifo"}
}

// request is a call as IAM evaluates it.
type request struct {
	action, resource string
	context          map[string]string
}

// allows evaluates a policy (IAM User Guide, "Policy evaluation logic"): a matching Deny wins, and what
// no statement allows is denied.
func allows(p role.Policy, r request) bool {
	allowed := false
	for _, s := range p.Statement {
		if !matchesAny(s.Action, r.action) || !matchesAny(s.Resource, r.resource) || !holds(s.Condition, r.context) {
			continue
		}
		if s.Effect == "Deny" {
			return false
		}
		allowed = true
	}
	return allowed
}

func matchesAny(patterns []string, text string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool { return matches(pattern, text) })
}

// matches is IAM's match of * and ?, which cross slashes.
func matches(pattern, text string) bool {
	// path.Match's star stops at a slash.
	ok, err := path.Match(strings.ReplaceAll(pattern, "/", "\x00"), strings.ReplaceAll(text, "/", "\x00"))
	return ok && err == nil
}

// holds evaluates conditions: all operators and keys have to hold, and a key that the request lacks
// does not.
func holds(all map[string]map[string][]string, context map[string]string) bool {
	for operator, keys := range all {
		for key, values := range keys {
			have, there := context[key]
			match := matches
			switch operator {
			case "StringEquals":
				match = func(a, b string) bool { return a == b }
			case "StringLike", "ArnLike":
			default:
				panic("the evaluator does not know " + operator)
			}
			if !there || !slices.ContainsFunc(values, func(v string) bool { return match(v, have) }) {
				return false
			}
		}
	}
	return true
}

// requestsOf returns what the functions of a project ask of AWS.
func requestsOf(p anchor.Project) []request {
	id, slug := string(p.ID), p.Slug
	table := "arn:aws:dynamodb:eu-central-1:123456789012:table/anchor-tags-" + id + "-01j00000000000000000000000"
	bucket := "arn:aws:s3:::anchor-assets"
	log := "arn:aws:logs:eu-central-1:123456789012:log-group:/aws/lambda/anchor-" + slug + "-server"
	queue := "arn:aws:sqs:eu-central-1:123456789012:anchor-" + slug + "-revalidate.fifo"
	return []request{
		{"s3:GetObject", bucket + "/cache/" + id + "/01j/page.cache", nil},
		{"s3:PutObject", bucket + "/cache/" + id + "/01j/page.cache", nil},
		{"s3:DeleteObject", bucket + "/cache/" + id + "/01j/page.cache", nil},
		{"s3:GetObject", bucket + "/assets/" + id + "/_next/static/media/a.png", nil},
		{"s3:GetObject", bucket + "/deployments/" + id + "/01j/photo.jpg", nil},
		{"s3:ListBucket", bucket, map[string]string{"s3:prefix": "cache/" + id + "/01j/"}},
		{"dynamodb:GetItem", table, nil},
		{"dynamodb:BatchWriteItem", table, nil},
		{"dynamodb:Query", table + "/index/revalidate", nil},
		{"sqs:SendMessage", queue, nil},
		{"sqs:ReceiveMessage", queue, nil},
		{"cloudfront:CreateInvalidation", "arn:aws:cloudfront::123456789012:distribution/E1", map[string]string{
			"aws:ResourceTag/Installation": "anchor", "aws:ResourceTag/Project": slug,
		}},
		{"logs:PutLogEvents", log + ":log-stream:2026", nil},
		{"logs:CreateLogStream", log + ":*", nil},
	}
}

// TestPolicy_ConfinesProjects evaluates the policies of two projects, of which one's slug begins with
// the other's: each may do what its own functions do, and nothing of what the other's do.
func TestPolicy_ConfinesProjects(t *testing.T) {
	r := roles(nil)
	shop, admin := project("shop"), project("shop-server")
	for _, one := range []anchor.Project{shop, admin} {
		for _, vpc := range []bool{false, true} {
			a := access(one)
			a.VPC = vpc
			policy := r.Policy(a)
			for _, p := range []anchor.Project{shop, admin} {
				for _, ask := range requestsOf(p) {
					if got, want := allows(policy, ask), p.ID == one.ID; got != want {
						t.Errorf("the role of %s may %s on %s of %s: %t, want %t", one.Slug, ask.action, ask.resource, p.Slug, got, want)
					}
				}
			}
		}
	}
}

// TestPolicy_GrantsNothingElse asks for what no site may do, whatever its settings.
func TestPolicy_GrantsNothingElse(t *testing.T) {
	a := access(project("shop"))
	a.VPC, a.KMSKey = true, "arn:aws:kms:eu-central-1:123456789012:key/own"
	policy := roles(nil).Policy(a)
	bucket := "arn:aws:s3:::anchor-assets"
	for _, ask := range []request{
		{"s3:ListBucket", bucket, nil}, // all keys of all projects
		{"s3:ListBucket", bucket, map[string]string{"s3:prefix": ""}},
		{"s3:ListBucket", bucket, map[string]string{"s3:prefix": "cache/"}},
		{"s3:PutObject", bucket + "/assets/" + string(a.Project.ID) + "/x.js", nil},
		{"s3:GetObject", bucket + "/projects/" + string(a.Project.ID) + "/slug", nil},
		{"s3:GetObject", "arn:aws:s3:::anchor-artifacts/functions/x.zip", nil},
		{"dynamodb:GetItem", "arn:aws:dynamodb:eu-central-1:123456789012:table/anchor-projects", nil},
		{"iam:CreateRole", "arn:aws:iam::123456789012:role/anchor/anchor-x", nil},
		{"iam:PassRole", "arn:aws:iam::123456789012:role/anchor/anchor-x", nil},
		{"lambda:InvokeFunction", "arn:aws:lambda:eu-central-1:123456789012:function:anchor-deploy", nil},
		{"ssm:GetParameter", "arn:aws:ssm:eu-central-1:123456789012:parameter/anchor/key", nil},
		{"kms:Decrypt", "arn:aws:kms:eu-central-1:123456789012:key/other", nil},
		// The app itself, whose calls name the function that they come from.
		{"ec2:CreateNetworkInterface", "arn:aws:ec2:eu-central-1:123456789012:network-interface/*", map[string]string{
			"lambda:SourceFunctionArn": "arn:aws:lambda:eu-central-1:123456789012:function:anchor-shop-server",
		}},
	} {
		if allows(policy, ask) {
			t.Errorf("the role may %s on %s (%v)", ask.action, ask.resource, ask.context)
		}
	}
	for _, ask := range []request{
		{"kms:Decrypt", "arn:aws:kms:eu-central-1:123456789012:key/own", nil},
		{"ec2:CreateNetworkInterface", "arn:aws:ec2:eu-central-1:123456789012:network-interface/*", nil}, // Lambda
		{"xray:PutTraceSegments", "*", nil},
	} {
		if !allows(policy, ask) {
			t.Errorf("the role may not %s on %s", ask.action, ask.resource)
		}
	}
}

// TestPolicy_FitsSizeLimit: IAM accepts 10,240 characters of inline policies (IAM User Guide, "IAM and AWS
// STS quotas").
func TestPolicy_FitsSizeLimit(t *testing.T) {
	p := project(strings.Repeat("s", anchor.MaxSlug))
	a := access(p)
	a.VPC, a.KMSKey, a.Functions = true, "arn:aws:kms:ap-southeast-1:123456789012:key/01234567-0123-0123-0123-0123456789ab", nil
	for i := range 20 {
		a.Functions = append(a.Functions, "sixteenletters16-"+p.Slug+"-"+string(rune('a'+i))+"23456789")
	}
	text, err := json.Marshal(roles(nil).Policy(a))
	if err != nil {
		t.Fatal(err)
	}
	if len(text) > 10_000 {
		t.Errorf("the policy of a project with 20 functions has %d characters", len(text))
	}
}

// TestRoles_Live creates, changes and removes a role on the emulators.
func TestRoles_Live(t *testing.T) {
	for name, start := range map[string]func(testing.TB) *awstest.Cloud{"MiniStack": awstest.MiniStack, "moto": awstest.Moto} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cloud := start(t)
			client := iam.NewFromConfig(cloud.Config())
			made, err := client.CreatePolicy(t.Context(), &iam.CreatePolicyInput{
				PolicyName: sdk.String("anchor-SiteBoundary"), PolicyDocument: sdk.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}`),
			})
			if err != nil {
				t.Fatal(err)
			}
			r := role.New(role.Config{IAM: client, Installation: "anchor", Region: "eu-central-1", AssetsBucket: "anchor-assets", Boundary: *made.Policy.Arn})
			p := project("shop")
			a := access(p)
			arn, err := r.Ensure(t.Context(), a)
			if err != nil || arn != r.ARN(p.ID) {
				t.Fatalf("the role is %s, %v", arn, err)
			}
			a.Functions = []string{"anchor-shop-api"} // a later deployment; the earlier ones still write logs
			if _, err := r.Ensure(t.Context(), a); err != nil {
				t.Fatal(err)
			}
			if got := cloud.CLI(t, "iam", "get-role", "--role-name", r.Name(p.ID)); !strings.Contains(got, arn) || !strings.Contains(got, `"Project"`) ||
				!strings.Contains(got, *made.Policy.Arn) || !strings.Contains(got, "/anchor/") {
				t.Errorf("the role is %s", got)
			}
			policy := cloud.CLI(t, "iam", "get-role-policy", "--role-name", r.Name(p.ID), "--policy-name", "site")
			for _, function := range []string{"anchor-shop-api", "anchor-shop-server", "anchor-shop-image"} {
				if !strings.Contains(policy, function) {
					t.Errorf("the policy does not name %s: %s", function, policy)
				}
			}
			for range 2 {
				if err := r.Remove(t.Context(), p.ID); err != nil {
					t.Fatal(err)
				}
			}
			if got := cloud.CLI(t, "iam", "list-roles"); strings.Contains(got, string(p.ID)) {
				t.Errorf("the role is left: %s", got)
			}
		})
	}
}

func TestEnsure_NeedsBoundary(t *testing.T) {
	_, err := role.New(role.Config{Installation: "anchor"}).Ensure(t.Context(), access(project("shop")))
	if anchor.CodeOf(err) != "no_boundary" || anchor.HintOf(err) == "" {
		t.Errorf("without a boundary the error is %v", err)
	}
}
