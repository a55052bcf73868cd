package aws

import (
	"context"
	"fmt"
	"maps"

	"golang.org/x/sync/errgroup"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact"
	"github.com/anchor-deploy/anchor/internal/aws/function"
	"github.com/anchor-deploy/anchor/internal/deploy"
)

// Check implements deploy.Limits.
func (p *Platform) Check(ctx context.Context, a deploy.Artifact) error {
	if err := p.checkCrons(a); err != nil {
		return err
	}
	file, err := function.SettingsOf(a)
	if err != nil {
		return err
	}
	r, err := p.Settings.ProjectSettings(ctx, a.Project.ID)
	if err != nil {
		return err
	}
	return p.functions.Check(a, file, r.Set)
}

// CheckManifest refuses an artifact whose functions or environment Lambda does not accept, before
// its files are sent. Check runs later and checks more.
func (p *Platform) CheckManifest(project anchor.Project, m artifact.Manifest, env map[string]string) error {
	return p.functions.CheckManifest(project, m, env)
}

// Upload implements deploy.Assets.
func (p *Platform) Upload(ctx context.Context, a deploy.Artifact, note deploy.Note) error {
	p.know(a.Project)
	if err := p.remember(ctx, a.Project); err != nil {
		return err
	}
	settings, err := p.readSettings(ctx, a)
	if err != nil {
		return err
	}
	// A new role is known everywhere after some seconds: it spreads while the files are sent.
	if _, err := p.ensureRole(ctx, a, settings); err != nil {
		return err
	}
	return p.assets.Upload(ctx, a, note)
}

// AssetsPath implements deploy.Assets.
func (p *Platform) AssetsPath(d anchor.Deployment) string { return p.assets.Path(d.ProjectID, d.ID) }

// Seed implements deploy.Cache.
func (p *Platform) Seed(ctx context.Context, a deploy.Artifact, note deploy.Note) error {
	return p.assets.Seed(ctx, a, note)
}

// Publish implements deploy.Functions. It publishes a version of every function and creates the
// deployment's own URL, which the project's distribution serves.
func (p *Platform) Publish(ctx context.Context, a deploy.Artifact, note deploy.Note) (map[string]anchor.FunctionVersion, error) {
	p.know(a.Project)
	queue, err := p.functions.Queue(ctx, a.Project)
	if err != nil {
		return nil, fmt.Errorf("make the revalidation queue: %w", err)
	}
	settings, err := p.readSettings(ctx, a)
	if err != nil {
		return nil, err
	}
	arn, err := p.ensureRole(ctx, a, settings)
	if err != nil {
		return nil, err
	}
	wanted := function.Wanted{Env: p.environment(a, queue, settings), Role: arn, Settings: settings}
	versions, err := p.functions.Publish(ctx, a, wanted, note)
	if err != nil {
		return nil, err
	}
	if err := p.show(ctx, a, versions); err != nil {
		return nil, err
	}
	if err := p.noteCronFunctions(ctx, a); err != nil {
		return nil, err
	}
	if err := p.followFile(ctx, a); err != nil {
		note("settings that are not part of a version were not applied: %v", err)
	}
	return versions, nil
}

// show makes the deployment's own URL answer. The first deployment creates the project's
// distribution, which needs to know where live requests will go.
func (p *Platform) show(ctx context.Context, a deploy.Artifact, versions map[string]anchor.FunctionVersion) error {
	var hosts map[string]string
	both, bound := errgroup.WithContext(ctx)
	both.Go(func() (err error) {
		hosts, err = p.functions.DeploymentHosts(bound, a.Project, a.Deployment.ID, versions)
		return err
	})
	both.Go(func() error {
		live, err := p.functions.Open(bound, a.Project, a.Deployment.ID, versions)
		if err != nil {
			return err
		}
		return p.ensureFront(bound, a.Project, live)
	})
	if err := both.Wait(); err != nil {
		return err
	}
	if err := p.front.Publish(ctx, a, hosts); err != nil {
		return fmt.Errorf("publish the routes of deployment %s: %w", a.Deployment.ID, err)
	}
	return nil
}

// Probe implements deploy.Functions.
func (p *Platform) Probe(ctx context.Context, a deploy.Artifact, note deploy.Note) error {
	return p.functions.Probe(ctx, a, note)
}

// environment returns the variables of each function's version: the app's variables and,
// overriding them, those by which OpenNext finds its cache and images (OPENNEXT.md, Environment).
func (p *Platform) environment(a deploy.Artifact, queue string, s anchor.Settings) map[string]map[string]string {
	all := map[string]map[string]string{}
	for _, f := range a.Build.Functions {
		env := map[string]string{}
		if f.Image {
			maps.Copy(env, p.assets.ImageEnv(a))
		} else {
			maps.Copy(env, a.Env)
			maps.Copy(env, p.assets.Env(a))
			env["REVALIDATION_QUEUE_URL"] = queue
			env["REVALIDATION_QUEUE_REGION"] = p.AWS.Region
		}
		maps.Copy(env, function.WrapperEnv(s.Of(f.Name)))
		env["NODE_ENV"] = "production"
		env["ANCHOR_DEPLOYMENT_ID"] = string(a.Deployment.ID)
		env["ANCHOR_ORIGIN_SECRET"] = p.secret(a.Project.ID)
		all[f.Name] = env
	}
	all[function.Revalidation] = map[string]string{"NODE_ENV": "production", "ANCHOR_DEPLOYMENT_ID": string(a.Deployment.ID)}
	return all
}
