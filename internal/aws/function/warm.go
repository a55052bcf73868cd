package function

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"golang.org/x/sync/errgroup"

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

// warmerEvent is the event of OpenNext's warmer (WarmerEvent in its adapters/warmer-function.ts).
type warmerEvent struct {
	Type        string `json:"type"`
	WarmerID    string `json:"warmerId"`
	Index       int32  `json:"index"`
	Concurrency int32  `json:"concurrency"`
	Delay       int    `json:"delay"` // ms
}

// Values of OpenNext's warmer. An instance holds an event for the delay, so that the others that are sent at the
// same time reach other instances.
const (
	warmerType  = "warmer"
	warmerDelay = 75              // ms
	warmerLimit = 5 * time.Minute // until the next events are sent
)

// KeepWarm sends warmer events to the live versions of a project's functions: to each so many at a time as instances
// says, by the functions' names in the build. A function that does not exist, or is not live yet, has none.
func (f *Functions) KeepWarm(ctx context.Context, p anchor.Project, instances map[string]int32) error {
	ctx, cancel := context.WithTimeout(ctx, warmerLimit)
	defer cancel()
	id := "warmer-" + anchor.NewID()
	var group errgroup.Group // one that fails leaves the others
	for name, n := range instances {
		for i := range n {
			event := warmerEvent{Type: warmerType, WarmerID: id, Index: i, Concurrency: n, Delay: warmerDelay}
			group.Go(func() error { return f.sendWarmer(ctx, f.functionName(p, name), event) })
		}
	}
	return group.Wait()
}

func (f *Functions) sendWarmer(ctx context.Context, function string, e warmerEvent) error {
	payload, err := json.Marshal(e)
	if err != nil {
		return err
	}
	live := anchor.LiveAlias
	out, err := f.Lambda.Invoke(ctx, &lambda.InvokeInput{FunctionName: &function, Qualifier: &live, Payload: payload})
	switch {
	case isMissing(err):
		return nil
	case err != nil:
		return explainFailure(err, "warm function %s", function)
	case out.FunctionError != nil:
		return explainFailure(errors.New(string(out.Payload)), "warm function %s", function)
	}
	return nil
}
