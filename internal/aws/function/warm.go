package function

import (
	"context"
	"net/http"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// knock is a request without the origin secret. A function answers it once its bundle is loaded:
// the guard refuses it, and the app does not see it. So it starts versions of every age.
const knock = `{"version":"2.0","rawPath":"/","rawQueryString":"","headers":{},` +
	`"requestContext":{"http":{"method":"` + http.MethodGet + `","path":"/","sourceIp":"127.0.0.1","protocol":"HTTP/1.1"}}}`

// warmUp starts the functions of a deployment that answer HTTP, each through the deployment's own
// alias, so that the first requests after a switch meet no cold start. It returns at once; all is
// done when they have started or ctx has ended. An error only means that a function stays cold.
func (f *Functions) warmUp(ctx context.Context, all *sync.WaitGroup, p anchor.Project, d anchor.Deployment) {
	for name := range d.Functions {
		if name != Revalidation {
			all.Go(func() { f.warm(ctx, f.functionName(p, name), deploymentAlias(d.Serves())) })
		}
	}
}

func (f *Functions) warm(ctx context.Context, function, alias string) {
	_, err := f.Lambda.Invoke(ctx, &lambda.InvokeInput{FunctionName: &function, Qualifier: &alias, Payload: []byte(knock)})
	if err != nil && ctx.Err() == nil {
		f.Log.WarnContext(ctx, "a function was not started before the switch", "function", function, "alias", alias, "cause", err.Error())
	}
}
