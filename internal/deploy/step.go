package deploy

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact/opennext"
)

// run is one pass of the pipeline over one deployment.
type run struct {
	*Service
	artifact   Artifact
	record     anchor.Deployment
	live       anchor.Live
	released   bool
	background *backgroundTasks            // runs removals after the pass
	mayBegin   func(context.Context) error // called before each step up to the release; its error ends the pass
}

// step is one part of the pipeline. Each can run again without harm, so a pass that was cut off
// is simply repeated.
type step struct {
	name string
	do   func(r *run, ctx context.Context, note Note) error
}

// The pipeline, in SPEC's order. The record is written by release, in the same
// transaction that moves the pointer.
var (
	prepare = []step{
		{"check", (*run).checkArtifact},
		{"assets", (*run).uploadAssets},
		{"functions", (*run).publishFunctions},
		{"cache", (*run).seedCache},
		{"probe", (*run).probeVersion},
	}
	goLive = []step{
		{"release", (*run).moveLive},
		{"purge", (*run).purgeEdge},
	}
	recordOnlySteps = []step{
		{"record", (*run).recordDeployed},
	}
)

func (r *run) pipelineSteps() []step {
	if r.record.NoRelease {
		return append(prepare[:len(prepare):len(prepare)], recordOnlySteps...)
	}
	return append(prepare[:len(prepare):len(prepare)], goLive...)
}

func (r *run) checkArtifact(ctx context.Context, note Note) error {
	dir, manifest, err := r.Bundles.Unpack(ctx, r.record.ID)
	if err != nil {
		return err
	}
	tree, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("open the unpacked artifact: %w", err)
	}
	defer tree.Close()
	build, err := opennext.Parse(tree.FS())
	if err != nil {
		return err
	}
	env, err := r.Env.Lock(ctx, r.record.ProjectID, r.record.ID, r.scope(), r.systemVariables())
	if err != nil {
		return fmt.Errorf("lock the environment variables: %w", err)
	}
	r.artifact.Build, r.artifact.Manifest, r.artifact.Dir, r.artifact.Env = build, manifest, dir, env
	r.record.SkewID, r.record.Crons = build.SkewID, build.Crons
	if err := r.Platform.Check(ctx, r.artifact); err != nil {
		return err
	}
	note("%d files, %d functions, build %s", len(manifest.Files), len(build.Functions), build.BuildID)
	if len(build.Crons) > 0 && !r.record.NoRelease {
		note("%d crons run while this deployment is live", len(build.Crons))
		if env["CRON_SECRET"] == "" {
			note("anybody can request the paths of the crons: set CRON_SECRET and compare it with the Authorization header")
		}
	}
	return nil
}

func (r *run) uploadAssets(ctx context.Context, note Note) error {
	if platform, ok := r.Platform.(Prestarter); ok {
		platform.Prestart(ctx, r.artifact)
	}
	return r.Platform.Upload(ctx, r.artifact, note)
}

func (r *run) publishFunctions(ctx context.Context, note Note) error {
	versions, err := r.Platform.Publish(ctx, r.artifact, note)
	if err != nil {
		return err
	}
	server := versions[anchor.ServerFunction]
	r.record.Functions = versions
	r.record.Version = "v" + server.Version
	r.record.LambdaServerVersionARN = server.VersionARN
	r.record.LambdaImageVersionARN = versions[anchor.ImageFunction].VersionARN
	r.record.LambdaServerAliasARN = aliasARN(server)
	r.record.StaticAssetsPath = r.Platform.AssetsPath(r.record)
	r.artifact.Deployment = r.record
	return r.Records.UpdateDeployment(ctx, r.record, anchor.Deploying)
}

// aliasARN is the version's ARN with the alias in the version's place.
func aliasARN(f anchor.FunctionVersion) string {
	if f.VersionARN == "" {
		return ""
	}
	return f.VersionARN[:len(f.VersionARN)-len(f.Version)] + anchor.LiveAlias
}

func (r *run) seedCache(ctx context.Context, note Note) error {
	return r.Platform.Seed(ctx, r.artifact, note)
}

func (r *run) probeVersion(ctx context.Context, note Note) error {
	return r.Platform.Probe(ctx, r.artifact, note)
}

// moveLive moves the pointer. From here on a cancellation comes too late, so the move is never
// interrupted.
func (r *run) moveLive(ctx context.Context, note Note) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	next := r.asDeployed()
	live, err := r.Releases.GoLive(context.WithoutCancel(ctx), next)
	if err != nil && live.Revision == 0 {
		return err
	}
	r.record, r.live, r.released = next, live, true
	if split := live.Split; split != nil {
		note("%s gets %d %% of the traffic, revision %d", next.Version, split.Weight, live.Revision)
		return err
	}
	note("%s is live, revision %d", next.Version, live.Revision)
	return err
}

func (r *run) recordDeployed(ctx context.Context, _ Note) error {
	next := r.asDeployed()
	if err := r.Records.UpdateDeployment(ctx, next, anchor.Deploying); err != nil {
		return err
	}
	r.record = next
	return nil
}

func (r *run) asDeployed() anchor.Deployment {
	next := r.record
	next.Status, next.DeployedAt = anchor.Deployed, time.Now().UnixMilli()
	return next
}

func (r *run) purgeEdge(ctx context.Context, _ Note) error {
	return r.Platform.Purge(context.WithoutCancel(ctx), r.live)
}
