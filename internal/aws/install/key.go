package install

import (
	"context"
	"crypto/rand"
	"encoding/base64"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/anchor-deploy/anchor/internal/aws/awserr"
)

const keyBytes = 32

// makeKey creates the installation's key, once: what it has encrypted could not be read with
// another.
func (i *Installation) makeKey(ctx context.Context) error {
	name := i.keyParameter()
	i.reportStep("Key", name)
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
		i.reportDone("Key", name)
	case awserr.Is(err, "ParameterAlreadyExists"):
		i.reportDone("Key", "unchanged")
	default:
		return i.explainError(err, "make the key "+name)
	}
	return nil
}

// deleteKey deletes the key, and before it every other parameter: those of builds that the
// stack's removal interrupted are secret, too.
func (i *Installation) deleteKey(ctx context.Context) error {
	names, err := i.buildParameters(ctx)
	if err != nil {
		return err
	}
	for _, name := range append(names, "/"+i.Name+"/token", i.keyParameter()) {
		_, err := i.ssm.DeleteParameter(ctx, &ssm.DeleteParameterInput{Name: &name})
		if err != nil && !awserr.Is(err, "ParameterNotFound") {
			return i.explainError(err, "delete the parameter "+name)
		}
	}
	return nil
}

func (i *Installation) buildParameters(ctx context.Context) ([]string, error) {
	path := "/" + i.Name + "/builds"
	var names []string
	pages := ssm.NewGetParametersByPathPaginator(i.ssm, &ssm.GetParametersByPathInput{Path: &path})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, i.explainError(err, "list the parameters below "+path)
		}
		for _, p := range page.Parameters {
			names = append(names, sdk.ToString(p.Name))
		}
	}
	return names, nil
}
