// Package awswire answers the AWS calls that OpenNext bundles make, from an isr.Store and an
// isr.Queue: S3 (REST, one object at a time), DynamoDB and SQS (the AWS JSON protocol, version
// 1.0). The calls are in OpenNext's dist/overrides: incrementalCache/s3 and s3-lite and
// multi-tier-ddb-s3, tagCache/dynamodb, dynamodb-lite and dynamodb-nextMode, queue/sqs and
// sqs-lite, imageLoader/s3 and s3-lite. Anything else is refused in the service's own error format
// with a message that names it, and logged.
//
// The access key id of a request selects the namespace that it reads and writes. It is random and
// unguessable and is the whole of the authentication: signatures are not checked, because the calls
// stay on a loopback address and the "lite" overrides sign for a host name that is rewritten on the
// way. Serve the handler on a loopback IP only. It has to be an IP: for a name the S3 client would
// call bucket.name.
package awswire
