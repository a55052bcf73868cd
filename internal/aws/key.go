package aws

import (
	"context"
	"encoding/base64"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// ReadKey reads the installation's key, Config.Key, from the SSM parameter that stores it.
func ReadKey(ctx context.Context, c sdk.Config, parameter string) ([]byte, error) {
	got, err := ssm.NewFromConfig(c).GetParameter(ctx, &ssm.GetParameterInput{Name: &parameter, WithDecryption: sdk.Bool(true)})
	if err != nil {
		return nil, anchor.Failed("no_key", "the key %s cannot be read", parameter).
			Hintf("Run anchor aws bootstrap again, which creates the key and grants ssm:GetParameter to the handlers.").Because(err)
	}
	key, err := base64.StdEncoding.DecodeString(sdk.ToString(got.Parameter.Value))
	if err != nil {
		return nil, anchor.Failed("key_damaged", "the parameter %s does not contain a base64 key", parameter).
			Hintf("Restore a copy of it.").Because(err)
	}
	return key, nil
}
