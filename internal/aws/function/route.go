package function

import (
	"context"

	"golang.org/x/sync/errgroup"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Ready sees that the deployment's versions are there under its aliases, and remembers
// the state of the live ones, so that Route needs one call for each function. d is the
// deployment that serves, with its Functions.
func (f *Functions) Ready(ctx context.Context, p anchor.Project, d anchor.Deployment) error {
	if len(d.Functions) == 0 {
		return notPublished(d)
	}
	group, ctx := errgroup.WithContext(ctx)
	for name, version := range d.Functions {
		group.Go(func() error { return f.ready(ctx, f.functionName(p, name), d, version.Version) })
	}
	return group.Wait()
}

func (f *Functions) ready(ctx context.Context, function string, d anchor.Deployment, version string) error {
	tied, live := "", alias{}
	pages := lambda.NewListAliasesPaginator(f.Lambda, &lambda.ListAliasesInput{FunctionName: &function})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if isMissing(err) {
			return notPublished(d)
		}
		if err != nil {
			return failed(err, "read the aliases of function %s", function)
		}
		for _, a := range page.Aliases {
			switch sdk.ToString(a.Name) {
			case deploymentAlias(d.Serves()):
				tied = sdk.ToString(a.FunctionVersion)
			case anchor.LiveAlias:
				live = aliasOf(a.RevisionId, a.FunctionVersion, a.Description)
			}
		}
	}
	if tied == "" || tied != version {
		return notPublished(d)
	}
	f.remember(function, live)
	return nil
}

func notPublished(d anchor.Deployment) error {
	return anchor.Conflict("not_published", "the function versions of deployment %s are not there", d.Serves()).
		Hintf("Deploy its commit again, or choose another deployment: `anchor deployments`.")
}

// Route moves the live aliases to the deployment's versions: the server function's last,
// since it is the one whose pages name what the others answer. The first time it makes
// the aliases, with their URLs and the queue's mapping. beside is done at the same time
// as the server function's move: what else has to follow the pointer at that moment.
func (f *Functions) Route(ctx context.Context, p anchor.Project, d anchor.Deployment, live anchor.Live, beside ...func(context.Context) error) error {
	server, published := d.Functions[anchor.ServerFunction]
	if !published {
		return notPublished(d)
	}
	group, others := errgroup.WithContext(ctx)
	for name, version := range d.Functions {
		if name != anchor.ServerFunction {
			group.Go(func() error { return f.follow(others, p, name, version.Version, live) })
		}
	}
	if err := group.Wait(); err != nil {
		return err
	}
	var last errgroup.Group // where one fails, the others shall not stop half-way
	last.Go(func() error { return f.follow(ctx, p, anchor.ServerFunction, server.Version, live) })
	for _, do := range beside {
		last.Go(func() error { return do(ctx) })
	}
	return last.Wait()
}

func (f *Functions) follow(ctx context.Context, p anchor.Project, name, version string, live anchor.Live) error {
	function := f.functionName(p, name)
	err := f.move(ctx, function, version, live, func(ctx context.Context) error {
		if name == Revalidation {
			return f.mapQueue(ctx, p, function)
		}
		return f.openURL(ctx, function, anchor.LiveAlias)
	})
	return failed(err, "send live traffic of function %s to version %s", function, version)
}
