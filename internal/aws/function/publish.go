package function

import (
	"context"
	"maps"
	"sync"

	"golang.org/x/sync/errgroup"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/deploy"
	"github.com/anchor-deploy/anchor/internal/retry"
)

// The variables that Anchor itself needs in a function.
const (
	deploymentEnv = "ANCHOR_DEPLOYMENT_ID" // makes versions distinct: otherwise equal code would become an older deployment's version
	secretEnv     = "ANCHOR_ORIGIN_SECRET" // see entry/guard.mjs
)

// parallel is how many functions are published at a time: Lambda accepts 15 calls a second that
// change something (Developer Guide, "Lambda quotas"), and each function waits in between.
const parallel = 8

// job publishes one function of one deployment.
type job struct {
	part
	*Functions
	project    anchor.Project
	deployment anchor.DeploymentID
	dir        string
	arch       types.Architecture
	shape      shape
	logDays    int32 // of the project's settings; 0: the installation's
	vars       map[string]string
	code       code // once it is uploaded
}

// Wanted is what the functions of a deployment are published with.
type Wanted struct {
	// Env holds the variables of each function by the build's name, including Revalidation's.
	// Functions that answer HTTP need ANCHOR_ORIGIN_SECRET.
	Env      map[string]map[string]string
	Role     string // ARN of the role that they run as
	Settings anchor.Settings
}

// Publish publishes a version of every function and creates the deployment's alias with its URL
// on it. Run again, it returns the same versions and repairs what an earlier run left undone.
func (f *Functions) Publish(ctx context.Context, a deploy.Artifact, w Wanted, note deploy.Note) (map[string]anchor.FunctionVersion, error) {
	jobs, err := f.publishJobs(a, w, note)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	versions := map[string]anchor.FunctionVersion{}
	err = f.withLease(ctx, a.Deployment, func(ctx context.Context) error {
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(parallel)
		for _, j := range jobs {
			group.Go(func() error {
				version, err := j.run(ctx, note)
				mu.Lock()
				defer mu.Unlock()
				versions[j.name] = version
				return err
			})
		}
		return group.Wait()
	})
	if err != nil {
		return nil, err
	}
	return versions, nil
}

func (f *Functions) publishJobs(a deploy.Artifact, w Wanted, note deploy.Note) ([]*job, error) {
	arch, why, err := architectureOf(a, w.Settings)
	if err != nil {
		return nil, err
	}
	if why != "" {
		note("the functions run on %s: %s", arch, why)
	}
	shapes, err := shapesOf(a, w)
	if err != nil {
		return nil, err
	}
	var jobs []*job
	for _, p := range f.partsOf(a) {
		vars := maps.Clone(w.Env[p.name])
		if vars == nil {
			vars = map[string]string{}
		}
		vars[deploymentEnv] = string(a.Deployment.ID)
		if p.http && vars[secretEnv] == "" {
			return nil, anchor.Failed("origin_secret_missing", "function %s has no origin secret", p.name).
				Hintf("Its URL would be public. Make sure that the installation's key is readable: `anchor aws status`.")
		}
		if err := checkEnv(vars, maxEnv); err != nil {
			return nil, err
		}
		jobs = append(jobs, &job{
			part: p, Functions: f, project: a.Project, deployment: a.Deployment.ID, dir: a.Dir, arch: arch, vars: vars,
			shape: shapes(p.name), logDays: w.Settings.LogRetentionDays,
		})
	}
	return jobs, nil
}

// run publishes the function's version, and creates an alias on it and, when it answers HTTP, a
// URL. The alias records for a later run which version is the deployment's. The URL is created
// last, so that its existence proves that the rest is complete.
func (j *job) run(ctx context.Context, note deploy.Note) (anchor.FunctionVersion, error) {
	name := deploymentAlias(j.deployment)
	have, err := j.awaitSettled(ctx, j.function, name)
	if isMissing(err) {
		if have, err = j.publishVersion(ctx); err != nil {
			return anchor.FunctionVersion{}, explainFailure(err, "publish function %s", j.function)
		}
		note("function %s is version %s", j.name, sdk.ToString(have.Version))
	}
	if err != nil {
		return anchor.FunctionVersion{}, explainFailure(err, "read function %s", j.function)
	}
	if j.http {
		if err := j.openURL(ctx, j.function, name); err != nil {
			return anchor.FunctionVersion{}, err
		}
	}
	version := sdk.ToString(have.Version)
	return anchor.FunctionVersion{
		Version: version, VersionARN: versionARN(have, version), CodeSha256: sdk.ToString(have.CodeSha256),
	}, nil
}

// publishVersion uploads the code, publishes a version of it and creates the deployment's alias on it.
func (j *job) publishVersion(ctx context.Context) (*lambda.GetFunctionConfigurationOutput, error) {
	var err error
	if j.code, err = j.uploadZip(ctx, j.project.ID, j.dir, j.part); err != nil {
		return nil, err
	}
	j.boundLog(ctx, j.function, j.logDays)
	version, err := j.ensureVersion(ctx)
	if err != nil {
		return nil, err
	}
	return j.tieAlias(ctx, version)
}

// tieAlias creates the deployment's alias on a version. When the alias exists, another run was faster,
// and its version is the deployment's.
func (j *job) tieAlias(ctx context.Context, version string) (*lambda.GetFunctionConfigurationOutput, error) {
	name := deploymentAlias(j.deployment)
	var have *lambda.GetFunctionConfigurationOutput
	err := retry.Do(ctx, j.writes(), func() error {
		_, err := j.Lambda.CreateAlias(ctx, &lambda.CreateAliasInput{
			FunctionName: &j.function, Name: &name, FunctionVersion: &version,
			Description: sdk.String("deployment " + string(j.deployment)),
		})
		if err != nil && !isConflict(err) {
			return err
		}
		have, err = j.awaitSettled(ctx, j.function, name)
		if isMissing(err) {
			return retry.Again(j.unsettledError("its alias " + name + " does not appear"))
		}
		return err
	})
	return have, err
}

func (j *job) unsettledError(why string) error {
	return anchor.Failed("function_unsettled", "the function %s does not become stable: %s", j.function, why).
		Hintf("Something else changes it at the same time. Make sure that only Anchor changes it, and deploy again.")
}
