package awserr

import (
	"errors"
	"regexp"
	"strings"

	"github.com/aws/smithy-go"
)

// Most of IAM's refusals name the action ("is not authorized to perform: s3:CreateBucket").
var named = regexp.MustCompile(`not authorized to perform: ([a-z0-9-]+:\w+)`)

// Action returns the IAM actions that a failed call needs, separated by commas: the one that AWS
// names, which may belong to no operation (iam:PassRole), else those of the operation. It returns
// "" when the error names neither.
func Action(err error) string {
	if err != nil {
		if said := named.FindStringSubmatch(err.Error()); said != nil {
			return said[1]
		}
	}
	var call *smithy.OperationError
	if errors.As(err, &call) {
		return strings.Join(Actions(call.Service(), call.Operation()), ", ")
	}
	return ""
}

// prefixes holds the prefixes of IAM actions that are not the service's name in lower case
// (Service Authorization Reference).
var prefixes = map[string]string{
	"CloudWatch Logs":          "logs",
	"CloudFront KeyValueStore": "cloudfront-keyvaluestore",
	"cloudfrontkeyvaluestore":  "cloudfront-keyvaluestore",
	"cloudwatchlogs":           "logs",
	"transfermanager":          "s3",
}

// actions holds the actions of operations whose names differ from the operation's (Service
// Authorization Reference, "Actions defined by Amazon S3", "… DynamoDB", "… Lambda").
var actions = map[string][]string{
	"sts:GetCallerIdentity":                 {}, // needs no permission
	"s3:HeadBucket":                         {"s3:ListBucket"},
	"s3:HeadObject":                         {"s3:GetObject"},
	"s3:ListObjectsV2":                      {"s3:ListBucket"},
	"s3:ListObjectVersions":                 {"s3:ListBucketVersions"},
	"s3:DeleteObjects":                      {"s3:DeleteObject"},
	"s3:CopyObject":                         {"s3:GetObject", "s3:PutObject"},
	"s3:CreateMultipartUpload":              {"s3:PutObject"},
	"s3:UploadPart":                         {"s3:PutObject"},
	"s3:CompleteMultipartUpload":            {"s3:PutObject"},
	"s3:UploadObject":                       {"s3:PutObject"}, // feature/s3/transfermanager
	"s3:DownloadObject":                     {"s3:GetObject"},
	"s3:PutPublicAccessBlock":               {"s3:PutBucketPublicAccessBlock"},
	"s3:PutBucketLifecycleConfiguration":    {"s3:PutLifecycleConfiguration"},
	"lambda:Invoke":                         {"lambda:InvokeFunction"},
	"dynamodb:TransactGetItems":             {"dynamodb:GetItem"},
	"dynamodb:TransactWriteItems":           {}, // those of its parts
	"cloudfront:CreateDistributionWithTags": {"cloudfront:CreateDistribution", "cloudfront:TagResource"},
}

// Actions returns the IAM actions that a call of the SDK needs. service is the SDK's id of the
// service ("CloudWatch Logs") or its package's name.
func Actions(service, operation string) []string {
	prefix, ok := prefixes[service]
	if !ok {
		prefix = strings.ToLower(service)
	}
	name := prefix + ":" + operation
	if of, ok := actions[name]; ok {
		return of
	}
	return []string{name}
}
