package apitest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact"
	"github.com/anchor-deploy/anchor/internal/deploy"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
	"github.com/anchor-deploy/anchor/internal/records/memory"
)

// The commit messages that decide how the platform takes a deployment's probe.
const (
	FailProbe = "fail probe" // it fails: the page answers 500
	HangProbe = "hang probe" // it lasts until the deployment is canceled
	Overtake  = "overtake"   // meanwhile what is live is promoted, by a later request
)

// fault implements platformtest.Memory.Fault.
func (a *Anchor) fault(ctx context.Context, op string, id anchor.DeploymentID) (apply bool, err error) {
	if op != "Probe" {
		return false, nil
	}
	d, err := a.Records.Deployment(ctx, id)
	if err != nil {
		return false, err
	}
	switch d.CommitMessage {
	case FailProbe:
		return false, errors.New("the page / answered 500")
	case HangProbe:
		a.hanging <- id
		<-ctx.Done()
		return false, context.Cause(ctx)
	case Overtake:
		live, err := a.Releases.Live(ctx, d.ProjectID)
		if err == nil {
			_, err = a.Releases.Promote(ctx, d.ProjectID, live.Deployment)
		}
		return false, err
	}
	return false, nil
}

// AwaitHang returns once the probe of a deployment hangs, or with an error when ctx ends
// first. Each deployment that hangs is reported once.
func (a *Anchor) AwaitHang(ctx context.Context) error {
	select {
	case <-a.hanging:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for a deployment that hangs: %w", ctx.Err())
	}
}

// remover removes deployments from the platform and, where they are stored here, their
// artifacts.
type remover struct {
	*platformtest.Memory
	records   *memory.Store
	artifacts *artifact.Store // nil: the test keeps them
}

// Remove implements release.Remover.
func (r remover) Remove(ctx context.Context, d anchor.Deployment) error {
	if err := r.Memory.Remove(ctx, d); err != nil || r.artifacts == nil {
		return err
	}
	return r.artifacts.Remove(context.WithoutCancel(ctx), d.ID)
}

// RemoveProject implements project.Remover.
func (r remover) RemoveProject(ctx context.Context, p anchor.ProjectID) error {
	for page := (anchor.Page{}); r.artifacts != nil; {
		list, err := r.records.Deployments(ctx, p, page)
		if err != nil {
			return err
		}
		for _, d := range list.Items {
			if err := r.artifacts.Remove(ctx, d.ID); err != nil {
				return err
			}
		}
		if page.Cursor = list.Next; page.Cursor == "" {
			break
		}
	}
	return r.Memory.RemoveProject(ctx, p)
}

// builder builds the same app of every commit.
type builder struct {
	*Anchor
	app string // the folder of its OpenNext tree
}

func buildApp(t testing.TB) string {
	t.Helper()
	return platformtest.NewApp("built").Write(t)
}

// Build implements deploy.Builder.
func (b builder) Build(ctx context.Context, _ anchor.Project, d anchor.Deployment, _ deploy.Source) error {
	ctx = context.WithoutCancel(ctx) // of the request
	b.builds.Go(func() {
		if err := b.deliver(ctx, d); err != nil {
			_ = b.Deploys.BuildFailed(ctx, d.ID, "build", err.Error())
		}
	})
	return nil
}

// Check implements deploy.Builder.
func (builder) Check(deploy.Source) error { return nil }

// Cancel implements deploy.Builder.
func (builder) Cancel(context.Context, anchor.DeploymentID) error { return nil }

// AccessHint implements deploy.Builder.
func (builder) AccessHint() string { return "Give the builder access to the repository." }

// deliver hands the artifact over once the deployment waits for it.
func (b builder) deliver(ctx context.Context, d anchor.Deployment) error {
	events, err := b.Deploys.Watch(ctx, d.ProjectID, d.ID, 0)
	if err != nil {
		return err
	}
	for e, err := range events {
		if err != nil {
			return err
		}
		if e.Status == anchor.Building {
			break
		}
	}
	built, err := b.Deploys.Adopt(ctx, d.ProjectID, d.ID, "c0ffee", b.store)
	if err != nil || built.Status.Ended() {
		return err
	}
	_, err = b.Deploys.Finish(ctx, d.ProjectID, d.ID)
	return err
}

// store stores the app's files and returns their manifest.
func (b builder) store(ctx context.Context) (artifact.Manifest, error) {
	m, err := artifact.Scan(ctx, b.app, nil)
	if err != nil {
		return m, err
	}
	for _, f := range m.Files {
		content, err := os.Open(filepath.Join(b.app, filepath.FromSlash(f.Path)))
		if err != nil {
			return m, err
		}
		err = b.Deploys.PutFile(ctx, "", f.Digest, f.Size, content)
		content.Close()
		if err != nil {
			return m, err
		}
	}
	return m, nil
}
