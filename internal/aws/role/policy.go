package role

import (
	"encoding/json"
	"strings"
)

// Policy is an IAM policy document (IAM User Guide, "IAM JSON policy element reference"), as far as
// Anchor's own use it. Lists are always lists.
type Policy struct {
	Version   string      `json:"Version"`
	Statement []Statement `json:"Statement"`
}

// Statement allows or denies actions.
type Statement struct {
	Sid       string                         `json:"Sid"`
	Effect    string                         `json:"Effect"`
	Action    []string                       `json:"Action"`
	Resource  []string                       `json:"Resource"`
	Condition map[string]map[string][]string `json:"Condition,omitempty"`
}

// Policy returns what the functions of a project may do. The boundary in the stack's template has the
// same statements for all projects of the installation.
func (r *Roles) Policy(a Access) Policy {
	id := string(a.Project.ID)
	partition, account := r.place()
	bucket := "arn:" + partition + ":s3:::" + r.AssetsBucket
	p := Policy{Version: "2012-10-17"}
	allow := func(sid string, actions, resources []string) *Statement {
		p.Statement = append(p.Statement, Statement{Sid: sid, Effect: "Allow", Action: actions, Resource: resources})
		return &p.Statement[len(p.Statement)-1]
	}
	allow("IncrementalCache", []string{"s3:GetObject", "s3:PutObject", "s3:DeleteObject"}, []string{bucket + "/cache/" + id + "/*"})
	allow("ImageOriginals", []string{"s3:GetObject"}, []string{bucket + "/assets/" + id + "/*", bucket + "/deployments/" + id + "/*"})
	allow("List", []string{"s3:ListBucket"}, []string{bucket}).Condition = map[string]map[string][]string{
		"StringLike": {"s3:prefix": {"cache/" + id + "/*", "assets/" + id + "/*", "deployments/" + id + "/*"}},
	}
	table := r.arn("dynamodb", "table/"+r.Installation+"-tags-"+id+"-*")
	allow("TagCache", []string{"dynamodb:GetItem", "dynamodb:Query", "dynamodb:PutItem", "dynamodb:BatchGetItem", "dynamodb:BatchWriteItem"},
		[]string{table, table + "/index/*"})
	allow("Revalidation", []string{"sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"},
		[]string{r.arn("sqs", a.Queue)})
	distribution := "arn:" + partition + ":cloudfront::" + account + ":distribution/"
	// A distribution's name is CloudFront's choice; its tags say whose it is.
	allow("Invalidation", []string{"cloudfront:CreateInvalidation"}, []string{distribution + "*"}).Condition = map[string]map[string][]string{
		"StringEquals": {"aws:ResourceTag/Installation": {r.Installation}, "aws:ResourceTag/Project": {a.Project.Slug}},
	}
	if r.Distribution != "" {
		allow("AdoptedDistribution", []string{"cloudfront:CreateInvalidation"}, []string{distribution + r.Distribution})
	}
	var logs []string
	for _, f := range a.Functions {
		// A group is named with and without what is in it (CloudWatch Logs: "Resources").
		logs = append(logs, r.arn("logs", logPrefix+f), r.arn("logs", logPrefix+f+":*"))
	}
	allow(logsSid, []string{"logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"}, logs)
	allow("Traces", []string{"xray:PutTraceSegments", "xray:PutTelemetryRecords"}, []string{"*"})
	if a.KMSKey != "" {
		allow("Key", []string{"kms:Decrypt"}, []string{a.KMSKey})
	}
	if a.VPC {
		allow("Network", networkActions, []string{"*"})
		// Lambda itself needs these; the app does not (Lambda: "Best practices for using Lambda with Amazon VPCs").
		p.Statement = append(p.Statement, Statement{
			Sid: "NotTheApp", Effect: "Deny", Action: networkActions, Resource: []string{"*"},
			Condition: map[string]map[string][]string{"ArnLike": {"lambda:SourceFunctionArn": {r.arn("lambda", "function:*")}}},
		})
	}
	return p
}

// networkActions are what Lambda needs of the role of a function in a VPC (Lambda: "Required IAM
// permissions").
var networkActions = []string{
	"ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:DeleteNetworkInterface",
	"ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses",
}

const (
	logsSid   = "Logs"
	logPrefix = "log-group:/aws/lambda/"
)

// loggedFunctions returns the functions whose logs a policy grants.
func loggedFunctions(p Policy) []string {
	var names []string
	for _, s := range p.Statement {
		for _, arn := range s.Resource {
			if _, name, found := strings.Cut(arn, logPrefix); s.Sid == logsSid && found && !strings.Contains(name, ":") {
				names = append(names, name)
			}
		}
	}
	return names
}

func (r *Roles) arn(service, resource string) string {
	partition, account := r.place()
	return "arn:" + partition + ":" + service + ":" + r.Region + ":" + account + ":" + resource
}

// UnmarshalJSON accepts a single text where IAM allows one in place of a list.
func (s *Statement) UnmarshalJSON(text []byte) error {
	type plain Statement
	var loose struct {
		plain
		Action, Resource oneOrMany
		Condition        map[string]map[string]oneOrMany
	}
	if err := json.Unmarshal(text, &loose); err != nil {
		return err
	}
	*s = Statement(loose.plain)
	s.Action, s.Resource = loose.Action, loose.Resource
	for operator, keys := range loose.Condition {
		for key, values := range keys {
			if s.Condition == nil {
				s.Condition = map[string]map[string][]string{}
			}
			if s.Condition[operator] == nil {
				s.Condition[operator] = map[string][]string{}
			}
			s.Condition[operator][key] = values
		}
	}
	return nil
}

type oneOrMany []string

// UnmarshalJSON implements json.Unmarshaler.
func (l *oneOrMany) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*l = oneOrMany{one}
		return nil
	}
	var many []string
	err := json.Unmarshal(text, &many)
	*l = many
	return err
}
