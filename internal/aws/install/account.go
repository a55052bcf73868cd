package install

import (
	"context"
	"errors"
	"regexp"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go/logging"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awserr"
)

// validRegion matches the form of all AWS regions: eu-central-1, us-gov-west-1, eusc-de-east-1.
var validRegion = regexp.MustCompile(`^(eusc|[a-z]{2,3})(-[a-z]+)+-\d+$`)

// LoadConfig finds credentials, profile and region where the AWS SDK and CLI do: environment,
// ~/.aws, SSO, instance roles. profile and region, when not empty, take precedence. It calls no
// AWS service.
func LoadConfig(ctx context.Context, profile, region string) (sdk.Config, error) {
	c, err := config.LoadDefaultConfig(ctx, config.WithSharedConfigProfile(profile), config.WithRegion(region),
		config.WithRetryer(func() sdk.Retryer { return awserr.NewRetryer() }),
		config.WithLogger(logging.Nop{})) // its warnings would appear between our lines; what matters is returned as an error
	var missing config.SharedConfigProfileNotExistError
	switch {
	case errors.As(err, &missing):
		return sdk.Config{}, anchor.Invalid("no_profile", "there is no AWS profile %q", missing.Profile).
			Hintf("To list the profiles, run aws configure list-profiles.").Because(err)
	case err != nil:
		return sdk.Config{}, anchor.Invalid("bad_aws_config", "the AWS configuration cannot be read").
			Hintf("Check ~/.aws/config and the AWS_* variables.").Because(err)
	case c.Region == "":
		return sdk.Config{}, anchor.Invalid("no_region", "no AWS region is set").
			Hintf("Set a region with --region, AWS_REGION, or in the profile: aws configure set region eu-central-1")
	case !validRegion.MatchString(c.Region):
		return sdk.Config{}, anchor.Invalid("unknown_region", "%q is not an AWS region", c.Region).
			Hintf("They look like eu-central-1.")
	}
	return c, refusePartition(c.Region)
}

// otherPartitions holds the prefixes of regions outside of the partition aws (AWS General Reference,
// "AWS partitions").
var otherPartitions = map[string]string{
	"cn-": "aws-cn", "us-gov-": "aws-us-gov", "us-iso-": "aws-iso", "us-isob-": "aws-iso-b", "us-isof-": "aws-iso-f",
	"eu-isoe-": "aws-iso-e", "eusc-": "aws-eusc",
}

// refusePartition refuses regions from which us-east-1 cannot be called: ACM's certificates for
// CloudFront and CloudFront itself are there.
func refusePartition(region string) error {
	for prefix, partition := range otherPartitions {
		if strings.HasPrefix(region, prefix) {
			return anchor.Invalid("unsupported_partition", "region %s is in the partition %s, from which CloudFront and ACM in us-east-1 cannot be reached", region, partition).
				Hintf("Anchor runs in the regions of the partition aws, such as eu-central-1. Name one with --region.")
		}
	}
	return nil
}

// identifyCaller identifies the caller. This is the first step that can fail: credentials, region, network.
func (i *Installation) identifyCaller(ctx context.Context) error {
	if i.account != "" {
		return nil
	}
	if i.AWS.Credentials == nil {
		return noCredentials(errors.New("the AWS configuration has none"))
	}
	if _, err := i.AWS.Credentials.Retrieve(ctx); err != nil && ctx.Err() == nil {
		return noCredentials(err)
	}
	who, err := i.sts.GetCallerIdentity(ctx, nil)
	if err != nil {
		return i.explainError(err, "ask AWS for the account")
	}
	i.account = sdk.ToString(who.Account)
	return nil
}

func noCredentials(err error) error {
	e := &anchor.Error{Kind: anchor.KindUnauthorized, Code: "no_credentials", Message: "no AWS credentials were found, or they cannot be used", Err: err}
	return e.Hintf("Set up a profile with aws configure or aws sso login, name it with AWS_PROFILE or --profile,\n" +
		"or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.")
}
