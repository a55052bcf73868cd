package function

import (
	"context"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Runtime returns the runtime of the live version of a project's server function.
func (f *Functions) Runtime(ctx context.Context, p anchor.Project) (string, error) {
	function := f.functionName(p, anchor.ServerFunction)
	have, err := f.Lambda.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{
		FunctionName: &function, Qualifier: sdk.String(anchor.LiveAlias),
	})
	if err != nil {
		return "", explainFailure(err, "read the runtime of function %s", function)
	}
	return string(have.Runtime), nil
}
