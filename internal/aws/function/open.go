package function

import (
	"context"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Open creates the live alias, with its URL, of each of a deployment's functions that has none
// yet. It returns the hosts of these URLs by the build's name of the function: the distribution
// in front of them must know them before the first switch. An alias created here points to the
// deployment's own version and follows no revision of the pointer.
func (f *Functions) Open(ctx context.Context, p anchor.Project, d anchor.DeploymentID, versions map[string]anchor.FunctionVersion) (map[string]string, error) {
	return f.eachURL(ctx, p, versions, func(ctx context.Context, function, version string) (string, error) {
		host, err := f.urlHost(ctx, function, anchor.LiveAlias)
		if !isMissing(err) {
			return host, err
		}
		err = f.createLive(ctx, function, version, anchor.Live{Deployment: d})
		if err != nil && !isConflict(err) {
			return "", err
		}
		if err := f.openURL(ctx, function, anchor.LiveAlias); err != nil {
			return "", err
		}
		return f.urlHost(ctx, function, anchor.LiveAlias)
	})
}

// DeploymentHosts returns the hosts of the URLs of the deployment's functions on its own alias.
func (f *Functions) DeploymentHosts(ctx context.Context, p anchor.Project, d anchor.DeploymentID, versions map[string]anchor.FunctionVersion) (map[string]string, error) {
	return f.eachURL(ctx, p, versions, func(ctx context.Context, function, _ string) (string, error) {
		return f.urlHost(ctx, function, deploymentAlias(d))
	})
}

// eachURL collects a host for every function that answers HTTP.
func (f *Functions) eachURL(
	ctx context.Context, p anchor.Project, versions map[string]anchor.FunctionVersion,
	host func(ctx context.Context, function, version string) (string, error),
) (map[string]string, error) {
	var mu sync.Mutex
	hosts := map[string]string{}
	group, ctx := errgroup.WithContext(ctx)
	for name, version := range versions {
		if name == Revalidation {
			continue
		}
		group.Go(func() error {
			function := f.functionName(p, name)
			found, err := host(ctx, function, version.Version)
			if err != nil {
				return explainFailure(err, "find the URL of function %s", function)
			}
			mu.Lock()
			defer mu.Unlock()
			hosts[name] = found
			return nil
		})
	}
	return hosts, group.Wait()
}
