package stack

import "strings"

// prefixes of IAM actions where they are not the service's name in small letters
// (Service Authorization Reference).
var prefixes = map[string]string{
	"CloudWatch Logs":          "logs",
	"CloudFront KeyValueStore": "cloudfront-keyvaluestore",
	"cloudfrontkeyvaluestore":  "cloudfront-keyvaluestore",
	"cloudwatchlogs":           "logs",
	"transfermanager":          "s3",
}

// actions of operations that are not called as they are (Service Authorization
// Reference, "Actions defined by Amazon S3", "… DynamoDB", "… Lambda").
var actions = map[string][]string{
	"sts:GetCallerIdentity":                 {}, // everybody may
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

// iamActions gives the IAM actions that a call of the SDK needs: service is the SDK's id
// of it ("CloudWatch Logs") or its package's name.
func iamActions(service, operation string) []string {
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
