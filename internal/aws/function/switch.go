package function

import (
	"context"
	"sync"

	"golang.org/x/sync/errgroup"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Switch is a change of live traffic to one deployment, with the live aliases as Prepare
// read them.
type Switch struct {
	functions  *Functions
	project    anchor.Project
	deployment anchor.Deployment // the one that serves, with its Functions
	aliases    map[string]*alias // by the build's name of the function; nil or empty if not read
}

// Prepare checks that the deployment's versions exist under its aliases, and reads the
// live ones, so that Commit needs one call for each function. Meanwhile it starts the functions.
// When ctx ends after the aliases are read, Prepare does not wait for that any longer. d is the
// deployment that serves, with its Functions.
func (f *Functions) Prepare(ctx context.Context, p anchor.Project, d anchor.Deployment) (Switch, error) {
	if len(d.Functions) == 0 {
		return Switch{}, notPublished(d)
	}
	s := Switch{functions: f, project: p, deployment: d, aliases: make(map[string]*alias, len(d.Functions))}
	starting, stop := context.WithCancel(ctx)
	var warm sync.WaitGroup
	defer func() { stop(); warm.Wait() }()
	f.warmUp(starting, &warm, p, d)
	group, ctx := errgroup.WithContext(ctx)
	for name, version := range d.Functions {
		live := &alias{}
		s.aliases[name] = live
		group.Go(func() (err error) {
			*live, err = f.prepareAlias(ctx, f.functionName(p, name), d, version.Version)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return s, err
	}
	warm.Wait()
	return s, nil
}

// prepareAlias returns the live alias of one function whose version belongs to the deployment.
func (f *Functions) prepareAlias(ctx context.Context, function string, d anchor.Deployment, version string) (live alias, err error) {
	tied := ""
	pages := lambda.NewListAliasesPaginator(f.Lambda, &lambda.ListAliasesInput{FunctionName: &function})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if isMissing(err) {
			return alias{}, notPublished(d)
		}
		if err != nil {
			return alias{}, explainFailure(err, "read the aliases of function %s", function)
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
		return alias{}, notPublished(d)
	}
	return live, nil
}

func notPublished(d anchor.Deployment) error {
	return anchor.Conflict("not_published", "the function versions of deployment %s do not exist", d.Serves()).
		Hintf("Deploy its commit again, or choose another deployment: `anchor deployments`.")
}

// Follow commits a Switch for which nothing was read.
func (f *Functions) Follow(
	ctx context.Context, p anchor.Project, d anchor.Deployment, live anchor.Live, beside ...func(context.Context) error,
) error {
	return Switch{functions: f, project: p, deployment: d}.Commit(ctx, live, beside...)
}

// Commit moves the live aliases to the deployment's versions. The server function's is last,
// because its pages name what the other functions answer. The first Commit creates the aliases,
// with their URLs and the queue's mapping. beside runs concurrently with the server function's
// move, for whatever else must follow the pointer at that moment.
func (s Switch) Commit(ctx context.Context, live anchor.Live, beside ...func(context.Context) error) error {
	if _, published := s.deployment.Functions[anchor.ServerFunction]; !published {
		return notPublished(s.deployment)
	}
	group, others := errgroup.WithContext(ctx)
	for name := range s.deployment.Functions {
		if name != anchor.ServerFunction {
			group.Go(func() error { return s.moveAlias(others, name, live) })
		}
	}
	if err := group.Wait(); err != nil {
		return err
	}
	var last errgroup.Group // when one fails, the others must not stop half-way
	last.Go(func() error { return s.moveAlias(ctx, anchor.ServerFunction, live) })
	for _, do := range beside {
		last.Go(func() error { return do(ctx) })
	}
	return last.Wait()
}

func (s Switch) moveAlias(ctx context.Context, name string, live anchor.Live) error {
	f, version := s.functions, s.deployment.Functions[name].Version
	function := f.functionName(s.project, name)
	err := f.move(ctx, function, version, live, s.aliases[name], func(ctx context.Context) error {
		if name == Revalidation {
			return f.mapQueue(ctx, s.project, function)
		}
		return f.openURL(ctx, function, anchor.LiveAlias)
	})
	return explainFailure(err, "send live traffic of function %s to version %s", function, version)
}
