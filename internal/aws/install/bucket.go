package install

import (
	"bytes"
	"context"
	"encoding/base64"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awserr"
)

// hasBucket reports whether the account has the bucket. A bucket of that name in another account
// is a Conflict.
func (i *Installation) hasBucket(ctx context.Context, name string) (bool, error) {
	_, err := i.s3.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &name, ExpectedBucketOwner: &i.account})
	switch code := awserr.Code(err); {
	case err == nil:
		return true, nil
	case code == "NotFound" || code == "NoSuchBucket":
		return false, nil
	case code == "Forbidden": // HEAD has no body with details
		return false, i.explainError(err, "look at the bucket "+name+" (another account may have taken the name)")
	default:
		return false, i.explainError(err, "look at the bucket "+name)
	}
}

// makeBucket creates the artifacts bucket and sets all of its properties, every time, so that the
// next run finishes what a failed one left half done.
func (i *Installation) makeBucket(ctx context.Context) error {
	name := i.artifactsBucket()
	i.reportStep("Bucket", name)
	there, err := i.hasBucket(ctx, name)
	if err != nil {
		return err
	}
	if !there {
		if err := i.createBucket(ctx, name); err != nil {
			return i.explainError(err, "make the bucket "+name)
		}
	}
	if err := i.closeBucket(ctx, name); err != nil {
		return i.explainError(err, "set up the bucket "+name)
	}
	i.reportDone("Bucket", name)
	return nil
}

func (i *Installation) createBucket(ctx context.Context, name string) error {
	in := &s3.CreateBucketInput{Bucket: &name, ObjectOwnership: types.ObjectOwnershipBucketOwnerEnforced}
	if i.AWS.Region != "us-east-1" { // which CreateBucket does not accept as a constraint
		in.CreateBucketConfiguration = &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(i.AWS.Region)}
	}
	_, err := i.s3.CreateBucket(ctx, in)
	switch awserr.Code(err) {
	case "BucketAlreadyOwnedByYou": // another run was faster
		return nil
	case "BucketAlreadyExists":
		return anchor.Conflict("bucket_taken", "the bucket name %s is taken by another AWS account", name).
			Hintf("Choose another name for the installation with --name.").Because(err)
	}
	return err
}

// archiveDays is how long the archives of builds are kept. A deployment has its own copy; until
// the archive expires, CodeBuild's event can be sent again.
const archiveDays = 30

// cacheDays is how long the cache of a project's builds is kept after the build that wrote it.
const cacheDays = 30

// onlyTLS returns a bucket's policy, equal to that of the assets bucket in the template.
func onlyTLS(bucket string) string {
	arn := "arn:aws:s3:::" + bucket
	return `{"Version":"2012-10-17","Statement":[{"Sid":"OnlyTLS","Effect":"Deny","Principal":"*","Action":"s3:*",` +
		`"Resource":["` + arn + `","` + arn + `/*"],"Condition":{"Bool":{"aws:SecureTransport":"false"}}}]}`
}

// closeBucket refuses public access and plain HTTP, encrypts, and expires old archives and
// unfinished uploads, which cost money and are in no listing.
func (i *Installation) closeBucket(ctx context.Context, name string) error {
	_, err := i.s3.PutPublicAccessBlock(ctx, &s3.PutPublicAccessBlockInput{Bucket: &name,
		PublicAccessBlockConfiguration: &types.PublicAccessBlockConfiguration{
			BlockPublicAcls: sdk.Bool(true), BlockPublicPolicy: sdk.Bool(true), IgnorePublicAcls: sdk.Bool(true), RestrictPublicBuckets: sdk.Bool(true),
		}})
	if err != nil {
		return err
	}
	_, err = i.s3.PutBucketEncryption(ctx, &s3.PutBucketEncryptionInput{Bucket: &name,
		ServerSideEncryptionConfiguration: &types.ServerSideEncryptionConfiguration{Rules: []types.ServerSideEncryptionRule{{
			ApplyServerSideEncryptionByDefault: &types.ServerSideEncryptionByDefault{SSEAlgorithm: types.ServerSideEncryptionAes256},
		}}}})
	if err != nil {
		return err
	}
	_, err = i.s3.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: &name, Policy: sdk.String(onlyTLS(name))})
	if err != nil {
		return err
	}
	_, err = i.s3.PutBucketTagging(ctx, &s3.PutBucketTaggingInput{Bucket: &name, Tagging: &types.Tagging{TagSet: []types.Tag{
		{Key: sdk.String("ManagedBy"), Value: sdk.String("anchor-deploy")}, {Key: sdk.String("Installation"), Value: &i.Name},
	}}})
	if err != nil {
		return err
	}
	_, err = i.s3.PutBucketLifecycleConfiguration(ctx, &s3.PutBucketLifecycleConfigurationInput{Bucket: &name,
		LifecycleConfiguration: &types.BucketLifecycleConfiguration{Rules: []types.LifecycleRule{{
			ID: sdk.String("abort-uploads"), Status: types.ExpirationStatusEnabled, Filter: &types.LifecycleRuleFilter{Prefix: sdk.String("")},
			AbortIncompleteMultipartUpload: &types.AbortIncompleteMultipartUpload{DaysAfterInitiation: sdk.Int32(1)},
		}, {
			ID: sdk.String("expire-archives"), Status: types.ExpirationStatusEnabled, Filter: &types.LifecycleRuleFilter{Prefix: sdk.String("artifacts/")},
			Expiration: &types.LifecycleExpiration{Days: sdk.Int32(archiveDays)},
		}, {
			ID: sdk.String("expire-build-caches"), Status: types.ExpirationStatusEnabled, Filter: &types.LifecycleRuleFilter{Prefix: sdk.String("build-cache/")},
			Expiration: &types.LifecycleExpiration{Days: sdk.Int32(cacheDays)},
		}}}})
	return err
}

// uploadHandlers puts the handlers' code into the artifacts bucket, unless it exists.
func (i *Installation) uploadHandlers(ctx context.Context, c code) error {
	bucket := i.artifactsBucket()
	i.reportStep("Handlers", c.key)
	_, err := i.s3.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &bucket, Key: &c.key})
	if err == nil {
		i.reportDone("Handlers", "unchanged")
		return nil
	}
	if !awserr.Is(err, "NotFound") {
		return i.explainError(err, "look for the handlers' code in "+bucket)
	}
	_, err = i.s3.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &c.key, Body: bytes.NewReader(c.zip),
		ContentType: sdk.String("application/zip"), ChecksumSHA256: sdk.String(base64.StdEncoding.EncodeToString(c.digest[:]))})
	if err != nil {
		return i.explainError(err, "upload the handlers' code to "+bucket)
	}
	i.reportDone("Handlers", "uploaded")
	return nil
}

// emptyBucket deletes every object and version. A bucket that does not exist is empty.
func (i *Installation) emptyBucket(ctx context.Context, name string) error {
	pages := s3.NewListObjectVersionsPaginator(i.s3, &s3.ListObjectVersionsInput{Bucket: &name})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if awserr.Is(err, "NoSuchBucket") {
			return nil
		}
		if err != nil {
			return i.explainError(err, "list the bucket "+name)
		}
		if err := i.deleteObjects(ctx, name, page); err != nil {
			return err
		}
	}
	return nil
}

// deleteObjects deletes one page: DeleteObjects accepts 1,000 keys, as many as a page has.
func (i *Installation) deleteObjects(ctx context.Context, bucket string, page *s3.ListObjectVersionsOutput) error {
	var objects []types.ObjectIdentifier
	for _, v := range page.Versions {
		objects = append(objects, types.ObjectIdentifier{Key: v.Key, VersionId: v.VersionId})
	}
	for _, m := range page.DeleteMarkers {
		objects = append(objects, types.ObjectIdentifier{Key: m.Key, VersionId: m.VersionId})
	}
	if len(objects) == 0 {
		return nil
	}
	out, err := i.s3.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: &bucket, Delete: &types.Delete{Objects: objects, Quiet: sdk.Bool(true)}})
	if err != nil {
		return i.explainError(err, "empty the bucket "+bucket)
	}
	if len(out.Errors) > 0 {
		first := out.Errors[0]
		return anchor.Failed("bucket_not_empty", "%d objects of the bucket %s cannot be deleted, the first is %s: %s",
			len(out.Errors), bucket, sdk.ToString(first.Key), sdk.ToString(first.Message)).Hintf("Run the command again.")
	}
	return nil
}

func (i *Installation) deleteBucket(ctx context.Context, name string) error {
	if err := i.emptyBucket(ctx, name); err != nil {
		return err
	}
	_, err := i.s3.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: &name})
	if awserr.Is(err, "NoSuchBucket") {
		return nil
	}
	return i.explainError(err, "delete the bucket "+name)
}
