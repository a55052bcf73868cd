package stack

import (
	"context"
	"crypto/rand"
	"encoding/base64"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
)

const keyBytes = 32

// makeKey makes the installation's key, once: what it has encrypted could not be read
// with another.
func (i *Installation) makeKey(ctx context.Context) error {
	name := i.keyParameter()
	i.tell("Key", name)
	var key [keyBytes]byte
	rand.Read(key[:]) //nolint:errcheck // it never fails (crypto/rand, Go 1.24)
	_, err := i.ssm.PutParameter(ctx, &ssm.PutParameterInput{
		Name: &name, Type: types.ParameterTypeSecureString, Value: sdk.String(base64.StdEncoding.EncodeToString(key[:])),
		Description: sdk.String("Encrypts secrets of the Anchor installation " + i.Name + ". Never change it."),
		Overwrite:   sdk.Bool(false),
		Tags:        []types.Tag{{Key: sdk.String("ManagedBy"), Value: sdk.String("anchor-deploy")}, {Key: sdk.String("Installation"), Value: &i.Name}},
	})
	switch {
	case err == nil:
		i.done("Key", name)
	case errorCode(err) == "ParameterAlreadyExists":
		i.done("Key", "unchanged")
	default:
		return i.explain(err, "make the key "+name)
	}
	return nil
}

func (i *Installation) deleteKey(ctx context.Context) error {
	for _, name := range []string{i.keyParameter(), "/" + i.Name + "/token"} {
		_, err := i.ssm.DeleteParameter(ctx, &ssm.DeleteParameterInput{Name: &name})
		if err != nil && errorCode(err) != "ParameterNotFound" {
			return i.explain(err, "delete the parameter "+name)
		}
	}
	return nil
}
