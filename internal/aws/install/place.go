package install

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// maxBody is how many bytes of a template CreateChangeSet accepts in the request. An object in S3 may have
// 1 MB (CloudFormation User Guide, "Understand CloudFormation quotas").
const maxBody = 51_200

func (i *Installation) templateText() string { return cmp.Or(i.Template, Template()) }

// placeTemplate puts the template into the request of a change set. One that is too large for that is uploaded
// to the artifacts bucket, from where CloudFormation reads it with the caller's rights. remove
// deletes it there, once the changes are computed: CloudFormation keeps a copy of its own.
func (i *Installation) placeTemplate(ctx context.Context, in *cloudformation.CreateChangeSetInput) (remove func() error, err error) {
	text, bucket := i.templateText(), i.artifactsBucket()
	if len(text) <= maxBody {
		in.TemplateBody = &text
		return func() error { return nil }, nil
	}
	digest := sha256.Sum256([]byte(text))
	key := "templates/" + hex.EncodeToString(digest[:]) + ".yaml"
	_, err = i.s3.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader(text), ContentType: sdk.String("application/yaml")})
	if err != nil {
		return nil, i.explainError(err, "upload the template to "+bucket)
	}
	// The name of a bucket in the path is a form that CloudFormation accepts in every region.
	in.TemplateURL = sdk.String("https://s3." + i.AWS.Region + ".amazonaws.com/" + bucket + "/" + key)
	return func() error {
		_, err := i.s3.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &bucket, Key: &key})
		return i.explainError(err, "remove the template from "+bucket)
	}, nil
}
