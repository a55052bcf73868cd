package function

import (
	"context"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// URL is a function URL: that of a function's alias.
type URL struct{ Function, Alias string }

// URLs returns the URLs by which requests for the project reach the functions of a deployment while it is
// live, or by which they reach it in particular.
func (f *Functions) URLs(p anchor.Project, d anchor.Deployment, live bool) (all []URL) {
	alias := deploymentAlias(d.Serves())
	if live {
		alias = anchor.LiveAlias
	}
	for name := range d.Functions {
		if name != Revalidation {
			all = append(all, URL{f.functionName(p, name), alias})
		}
	}
	return all
}

// Hosts returns the host of each function's URL on an alias, by the build's name of the function.
// It omits functions without a URL on the alias.
func (f *Functions) Hosts(ctx context.Context, p anchor.Project, alias string) (map[string]string, error) {
	functions, err := f.listFunctions(ctx, p)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	hosts := map[string]string{}
	group, ctx := errgroup.WithContext(ctx)
	for _, function := range functions {
		group.Go(func() error {
			host, err := f.urlHost(ctx, function, alias)
			if isMissing(err) {
				return nil
			}
			if err != nil {
				return explainFailure(err, "read the URL of function %s on alias %s", function, alias)
			}
			mu.Lock()
			defer mu.Unlock()
			hosts[f.nameOf(p, function)] = host
			return nil
		})
	}
	return hosts, group.Wait()
}

// listFunctions returns the names of the project's functions. A name with the same prefix may belong to a
// project whose slug is longer; the description decides.
func (f *Functions) listFunctions(ctx context.Context, p anchor.Project) ([]string, error) {
	var names []string
	pages := lambda.NewListFunctionsPaginator(f.Lambda, &lambda.ListFunctionsInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, explainFailure(err, "list the functions of project %s", p.Slug)
		}
		for _, function := range page.Functions {
			name := sdk.ToString(function.FunctionName)
			if f.mayBeOf(p, name) && sdk.ToString(function.Description) == projectMark(p.ID) {
				names = append(names, name)
			}
		}
	}
	return names, nil
}

// mayBeOf reports whether a function of the project may have the name.
func (f *Functions) mayBeOf(p anchor.Project, function string) bool {
	if strings.HasPrefix(function, f.namePrefix(p)) {
		return true
	}
	for _, set := range f.Names {
		if set == function {
			return true
		}
	}
	return false
}
