package deploy_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact"
	"github.com/anchor-deploy/anchor/internal/deploy"
	"github.com/anchor-deploy/anchor/internal/project"
)

// The files of a preview are deployed to production with production's variables; the preview keeps its own.
func TestStart_OfTheFilesOfAnother(t *testing.T) {
	s := newStand(t)
	env := project.NewEnv(project.EnvPorts{Variables: s.store, Box: s.box}, project.EnvOptions{})
	must(t, env.Set(t.Context(), s.project, []anchor.EnvVar{
		{Name: "A", Value: "preview", For: anchor.EnvRun, Environment: anchor.EnvPreview},
		{Name: "A", Value: "production", For: anchor.EnvRun, Environment: anchor.EnvProduction},
	}))
	preview := s.deployed(t, s.project, func(r *deploy.Request) { r.Branch, r.NoRelease = "feature/x", true })
	started, err := s.Start(t.Context(), s.project, deploy.Request{FilesOf: preview, CommitSha: "c0ffee", Branch: "feature/x"})
	must(t, err)
	if len(started.Missing) != 0 {
		t.Errorf("%d files are missing", len(started.Missing))
	}
	live := started.Deployment.ID
	_, err = s.Finish(t.Context(), s.project, live)
	must(t, err)
	s.wantStatus(t, live, anchor.Deployed)
	s.wantLive(t, s.project, live)
	for id, want := range map[anchor.DeploymentID]map[string]string{
		preview: {"A": "preview", "ANCHOR_ENV": "preview", "ANCHOR_GIT_BRANCH": "feature/x", "ANCHOR_GIT_COMMIT_SHA": "c0ffee"},
		live:    {"A": "production", "ANCHOR_ENV": "production", "ANCHOR_GIT_BRANCH": "feature/x", "ANCHOR_GIT_COMMIT_SHA": "c0ffee"},
	} {
		want["ANCHOR_DEPLOYMENT_ID"], want["ANCHOR_PROJECT_ID"] = string(id), string(s.project)
		got, err := env.Locked(t.Context(), id)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s runs with (-want +got), %v:\n%s", id, err, diff)
		}
	}

	_, err = s.Start(t.Context(), s.newProject(t, "other"), deploy.Request{FilesOf: preview})
	wantKind(t, err, anchor.KindNotFound)
	failed, err := s.Start(t.Context(), s.project, deploy.Request{Manifest: artifact.Manifest{}, FilesOf: anchor.DeploymentID(anchor.NewID())})
	wantKind(t, err, anchor.KindNotFound)
	if failed.Deployment.ID != "" {
		t.Errorf("a deployment was recorded: %+v", failed)
	}
}
