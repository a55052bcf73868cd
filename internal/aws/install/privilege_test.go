package install

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// runs names a package whose code a handler runs.
type runs struct {
	path string
	from []string // the functions at which the handler enters; nil: every exported one
}

const (
	records     = "internal/aws/dynamo"
	platform    = "internal/aws"
	artifacts   = platform + "/artifacts"
	certificate = platform + "/certificate"
	lambda      = "internal/aws/lambda"
	handler     = "cmd/anchor-lambda"
)

// handlers lists what the handler of each role runs. All handlers are one binary, and differ in
// the events and routes that reach them. The walk does not follow calls through ports, so the
// packages behind those are named.
var handlers = map[string][]runs{
	"DeployRole": {
		{handler, nil}, {records, nil}, {lambda, []string{"Dispatch"}},
		{platform, []string{"Check", "Upload", "Seed", "Publish", "Probe", "Prepare", "Commit", "Follow", "Purge", "Settle", "Remove", "Reconcile",
			"RemoveProject", "Sweep", "ApplySettings", "Observe"}},
		{artifacts, []string{"Import", "SaveManifest", "Manifest", "Unpack", "Remove", "Discard", "Missing", "Sync", "IDs", "Collect"}},
		{platform + "/codebuild", []string{"Forget", "Cancel"}},
		{certificate, []string{"Detach", "Release"}}, // of the domains of a project that is removed
	},
	"RollbackRole": { // of the start, only the key is its own; the deploy handler purges
		{records, []string{"Project", "ProjectBySlug", "Deployment", "SwitchRecords", "Live", "Move", "Undo", "SetDivided", "UpdateDeployment", "Append", "LastLive",
			"TokenByHash", "Note"}},
		{platform, []string{"ReadKey", "Prepare", "Commit", "Follow", "URLs"}}, {lambda, []string{"AnnounceSwitches"}},
	},
	"DomainsRole": {
		{records, []string{"Project", "ProjectBySlug", "TokenByHash", "CreateHostname", "UpdateHostname", "DeleteHostname", "Hostname",
			"HostnameByName", "Hostnames", "DueHostnames"}},
		{certificate, []string{"Ensure", "Import", "Release", "Attach", "Detach", "Target"}},
		{platform, []string{"ReadKey", "distribution"}},
	},
	"CronsRole": {
		{records, []string{"Project", "Live", "Deployment", "SeenCrons", "ClaimCron", "EndCronRun", "PausedCrons", "LockCron", "UnlockCron",
			"TakeCronRun", "PruneCronRuns", "LockedEnv", "CronFunctions", "Note"}},
		{platform, []string{"ReadKey", "AskCron", "Warm"}},
	},
	"ApiRole": {
		{handler, nil}, {records, nil}, {lambda, []string{"Dispatch", "DispatchCron"}}, {platform + "/codebuild", nil}, {platform + "/logtail", nil},
		{platform, []string{"URLs", "Runtime"}}, // the deploy handler removes the rest
		{artifacts, []string{"Presign", "Missing", "Put", "Sync", "SaveManifest", "Manifest", "IDs"}},
	},
}

// besides holds actions that no call of ours names, and why they are needed.
var besides = map[string]string{
	"logs:CreateLogStream": "Lambda writes the handler's log with the handler's role",
	"logs:PutLogEvents":    "Lambda writes the handler's log with the handler's role",
	"iam:PassRole":         "CreateFunction and UpdateFunctionConfiguration hand the sites' role over",
	"lambda:TagResource":   "CreateFunction and CreateEventSourceMapping with tags",
	"sqs:TagQueue":         "CreateQueue with tags",
	"dynamodb:TagResource": "CreateTable with tags",
	"sqs:SendMessage":      "Lambda sends an event that failed on with the handler's role",
	"s3:ListBucket":        "without it HeadObject of a key that is not there is forbidden",

	"iam:TagRole":                "CreateRole with tags",
	"cloudwatch:TagResource":     "PutMetricAlarm with tags",
	"ec2:DescribeSubnets":        "CreateFunction and UpdateFunctionConfiguration with a network",
	"ec2:DescribeSecurityGroups": "CreateFunction and UpdateFunctionConfiguration with a network",
	"ec2:DescribeVpcs":           "CreateFunction and UpdateFunctionConfiguration with a network",
	"kms:Encrypt":                "CreateFunction and UpdateFunctionConfiguration with a key",
	"kms:CreateGrant":            "CreateFunction and UpdateFunctionConfiguration with a key",
	"kms:Decrypt":                "GetFunctionConfiguration of a function with a key",
	"lambda:GetLayerVersion":     "CreateFunction and UpdateFunctionConfiguration with layers",
	"wafv2:GetWebACL":            "UpdateDistribution with a web ACL",
}

// platformParts are the platform's sub-packages, which the walk finds by itself.
var platformParts = []string{platform + "/function", platform + "/asset", platform + "/front", platform + "/role", platform + "/alarm", platform + "/schedule", certificate}

func packagesOf(handlers map[string][]runs) []string {
	var all []string
	for _, code := range handlers {
		for _, c := range code {
			if !slices.Contains(all, c.path) {
				all = append(all, c.path)
			}
		}
	}
	return all
}

// Every action that a handler's code needs is granted to its role, and no other.
func TestLeastPrivilege(t *testing.T) {
	granted := grants(t)
	code := load(t, append(platformParts, packagesOf(handlers)...))
	for _, role := range slices.Sorted(maps.Keys(handlers)) {
		t.Run(role, func(t *testing.T) {
			used := code.used(t, handlers[role])
			if len(used) < 3 {
				t.Fatalf("the code's calls are %v: it is not read rightly", used)
			}
			for _, action := range used {
				if !slices.Contains(granted[role], action) {
					t.Errorf("%s is used and not granted", action)
				}
			}
			for _, action := range granted[role] {
				if !slices.Contains(used, action) && besides[action] == "" {
					t.Errorf("%s is granted and not used", action)
				}
			}
		})
	}
}

// No role may do everything, nor use everything that has a name.
func TestPolicy_GrantsAreBounded(t *testing.T) {
	for role, statements := range policies(t) {
		for _, s := range statements {
			for _, action := range s.Action {
				if strings.Contains(action, "*") {
					t.Errorf("%s may %s", role, action)
				}
			}
			for _, resource := range s.Resource {
				if resource == "*" && unbounded[s.Sid] == "" {
					t.Errorf("%s may %v everything (%s)", role, s.Action, s.Sid)
				}
			}
		}
	}
}

func grants(t *testing.T) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for role, statements := range policies(t) {
		for _, s := range statements {
			all[role] = append(all[role], s.Action...)
		}
	}
	return all
}

// statement holds the checked fields of a policy's statement.
type statement struct {
	Sid       string                       `yaml:"Sid"`
	Action    texts                        `yaml:"Action"`
	Resource  texts                        `yaml:"Resource"`
	Condition map[string]map[string]string `yaml:"Condition"`
}

// texts is one or many texts; of an intrinsic function, its text.
type texts []string

func (l *texts) UnmarshalYAML(n *yaml.Node) error {
	nodes := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		nodes = n.Content
	}
	for _, n := range nodes {
		if n.Kind != yaml.ScalarNode {
			return fmt.Errorf("line %d: it is neither a text nor a list of such", n.Line)
		}
		*l = append(*l, n.Value)
	}
	return nil
}

// policies returns the statements of each role, its managed policies' among them.
func policies(t *testing.T) map[string][]statement {
	t.Helper()
	all, _ := readPolicies(t)
	return all
}

// documents returns the statements of each role's own policies and of each managed one.
func documents(t *testing.T) map[string][]statement {
	t.Helper()
	_, all := readPolicies(t)
	return all
}

func readPolicies(t *testing.T) (ofRoles, ofDocuments map[string][]statement) {
	t.Helper()
	var doc struct {
		Resources map[string]struct {
			Type       string    `yaml:"Type"`
			Properties yaml.Node `yaml:"Properties"`
		} `yaml:"Resources"`
	}
	if err := yaml.Unmarshal([]byte(Template()), &doc); err != nil {
		t.Fatal(err)
	}
	all, each := map[string][]statement{}, map[string][]statement{}
	type policy struct {
		PolicyDocument struct {
			Statement []statement `yaml:"Statement"`
		} `yaml:"PolicyDocument"`
	}
	for name, r := range doc.Resources {
		var role struct {
			Policies []policy `yaml:"Policies"` // of a role
			Roles    texts    `yaml:"Roles"`    // of a managed policy, and its document:
			policy   `yaml:",inline"`
		}
		if r.Type != "AWS::IAM::Role" && r.Type != "AWS::IAM::ManagedPolicy" {
			continue
		}
		if err := r.Properties.Decode(&role); err != nil {
			t.Fatal(err)
		}
		for _, p := range role.Policies {
			all[name] = append(all[name], p.PolicyDocument.Statement...)
			each[name] = append(each[name], p.PolicyDocument.Statement...)
		}
		for _, of := range role.Roles {
			all[of] = append(all[of], role.PolicyDocument.Statement...)
		}
		if r.Type == "AWS::IAM::ManagedPolicy" {
			each[name] = role.PolicyDocument.Statement
		}
		if r.Type == "AWS::IAM::ManagedPolicy" && role.Roles == nil {
			all[name] = role.PolicyDocument.Statement
		}
	}
	return all, each
}

// unbounded holds statements on "*", and why they cannot name less.
var unbounded = map[string]string{
	"CertificateLists": "ListCertificates and RequestCertificate know no resource to name",
	"EdgeLists":        "CloudFront's lists know no resource to name",
	"EdgeCreations":    "what is yet to be made has no name",
	"CreateMappings":   "what is yet to be made has no name; its function is a condition",
	"FindSchedules":    "ListSchedules knows no resource to name",
	"ReadMetrics":      "GetMetricData knows no resource to name",
	"FindMappings":     "ListEventSourceMappings and ListFunctions know no resource to name",
	"Networks":         "EC2's descriptions know no resource to name",
	"Network":          "an interface that is yet to be made has no name; Lambda's documentation grants these on everything",
	"Traces":           "X-Ray knows no resource to name",
}

// The routes on which aliases move belong to the handler whose role may move them.
func TestTemplate_SwitchRoutesReachAliasMover(t *testing.T) {
	var doc struct {
		Resources map[string]struct {
			Properties struct {
				RouteKey string `yaml:"RouteKey"`
				Target   string `yaml:"Target"`
			} `yaml:"Properties"`
		} `yaml:"Resources"`
	}
	if err := yaml.Unmarshal([]byte(Template()), &doc); err != nil {
		t.Fatal(err)
	}
	targets := map[string]string{}
	for _, r := range doc.Resources {
		targets[r.Properties.RouteKey] = r.Properties.Target
	}
	for _, route := range []string{"POST /projects/{projectId}/rollback", "POST /projects/{projectId}/deployments/{deploymentId}/promote", "DELETE /projects/{projectId}/split"} {
		if to := targets[route]; to != "integrations/${RollbackIntegration}" {
			t.Errorf("%s leads to %q", route, to)
		}
	}
}
