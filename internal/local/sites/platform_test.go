package sites_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact"
	"github.com/anchor-deploy/anchor/internal/artifact/opennext"
	"github.com/anchor-deploy/anchor/internal/deploy"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
	"github.com/anchor-deploy/anchor/internal/local/sites"
)

// publish deploys an app of a new project and returns its records.
func (in *installation) publish(t *testing.T, slug string) (anchor.Project, anchor.Deployment) {
	t.Helper()
	p := in.project(t, slug)
	return p, in.publishIn(t, p, "one")
}

// publishApp is publish for app, which it also probes. It also returns the notes of the upload.
func (in *installation) publishApp(t *testing.T, slug string, app platformtest.App) (anchor.Project, anchor.Deployment, []string) {
	t.Helper()
	p := in.project(t, slug)
	a, notes := in.prepare(t, p, app)
	must(t, in.platform.Probe(t.Context(), a, t.Logf))
	return p, a.Deployment, notes
}

// publishIn deploys a version of an app of the project.
func (in *installation) publishIn(t *testing.T, p anchor.Project, version string) anchor.Deployment {
	t.Helper()
	a, _ := in.prepare(t, p, platformtest.NewApp(version))
	return a.Deployment
}

func (in *installation) project(t *testing.T, slug string) anchor.Project {
	t.Helper()
	p := anchor.Project{ID: anchor.ProjectID(anchor.NewID()), Slug: slug}
	must(t, in.store.CreateProject(t.Context(), p))
	return p
}

func (in *installation) prepare(t *testing.T, p anchor.Project, app platformtest.App) (deploy.Artifact, []string) {
	t.Helper()
	a := in.unpack(t, p, app)
	return a, in.settle(t, a)
}

// unpack returns a deployment of the app of which nothing but its files is there.
func (in *installation) unpack(t *testing.T, p anchor.Project, app platformtest.App) deploy.Artifact {
	t.Helper()
	d := anchor.Deployment{ID: anchor.DeploymentID(anchor.NewID()), ProjectID: p.ID, Status: anchor.Deploying}
	must(t, in.store.CreateDeployment(t.Context(), d))
	source := app.Write(t)
	manifest, err := artifact.Scan(t.Context(), source, nil)
	must(t, err)
	must(t, in.bundles.SaveManifest(t.Context(), d.ID, manifest))
	for _, f := range manifest.Files {
		content, err := os.Open(filepath.Join(source, f.Path))
		must(t, err)
		must(t, in.bundles.Put(t.Context(), f.Digest, f.Size, content))
		must(t, content.Close())
	}
	dir, _, err := in.bundles.Unpack(t.Context(), d.ID)
	must(t, err)
	build, err := opennext.Parse(os.DirFS(dir))
	must(t, err)
	env, err := in.env.Lock(t.Context(), p.ID, d.ID, anchor.EnvScope{Environment: anchor.EnvProduction}, nil)
	must(t, err)
	return deploy.Artifact{Project: p, Deployment: d, Build: build, Manifest: manifest, Dir: dir, Env: env}
}

// settle does the steps between unpacking and the probe, and returns the notes of the upload.
func (in *installation) settle(t *testing.T, a deploy.Artifact) (notes []string) {
	t.Helper()
	must(t, in.platform.Upload(t.Context(), a, func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }))
	_, err := in.platform.Publish(t.Context(), a, t.Logf)
	must(t, err)
	must(t, in.platform.Seed(t.Context(), a, t.Logf))
	return notes
}

func (in *installation) status(t *testing.T, host, path string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+host+path, http.NoBody)
	must(t, err)
	res, err := in.client.Do(r)
	must(t, err)
	must(t, res.Body.Close())
	return res.StatusCode
}

// wantNothingOf asserts that nothing of d is left in the platform's folder and the artifacts.
func (in *installation) wantNothingOf(t *testing.T, d anchor.DeploymentID) {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(in.dir, "platform", "sites", string(d)+"*"))
	must(t, err)
	if len(left) != 0 {
		t.Errorf("left: %v", left)
	}
	if _, err := os.Stat(in.bundles.Tree(d)); !os.IsNotExist(err) {
		t.Errorf("its artifact is still there: %v", err)
	}
}

// TestSweep removes files that a crash kept from being removed.
func TestSweep(t *testing.T) {
	t.Parallel()
	in := newInstallation(t)
	ends := map[string]func(p anchor.Project, d anchor.Deployment){
		"failed": func(_ anchor.Project, d anchor.Deployment) {
			d.Status = anchor.DeployFailed
			must(t, in.store.UpdateDeployment(t.Context(), d, anchor.Deploying))
		},
		"pruned": func(_ anchor.Project, d anchor.Deployment) {
			d.Status, d.PrunedAt = anchor.Deployed, 1
			must(t, in.store.UpdateDeployment(t.Context(), d, anchor.Deploying))
		},
		"deleted": func(p anchor.Project, _ anchor.Deployment) {
			must(t, in.store.DeleteProject(t.Context(), p.ID))
		},
	}
	var gone []anchor.DeploymentID
	for slug, end := range ends {
		p, d := in.publish(t, slug)
		end(p, d)
		gone = append(gone, d.ID)
	}
	p, kept := in.publish(t, "kept")
	kept.Status = anchor.Deployed
	must(t, in.store.UpdateDeployment(t.Context(), kept, anchor.Deploying))
	_, host := in.platform.Hosts(p, kept.ID)

	in.reopen(t)
	must(t, in.platform.Sweep(t.Context()))
	for _, id := range gone {
		in.wantNothingOf(t, id)
	}
	if status := in.status(t, host, "/public.txt"); status != http.StatusOK {
		t.Errorf("what was deployed answers %d", status)
	}
}

// TestPlatform_RemoveProject removes a retired project: in the process that served it, and in one
// that was started in the middle of the removal.
func TestPlatform_RemoveProject(t *testing.T) {
	t.Parallel()
	for name, restarts := range map[string]bool{"at once": false, "after a restart": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := newInstallation(t)
			live, site, own := in.live(t, "shop")
			p, err := in.store.Project(t.Context(), live.ProjectID)
			must(t, err)
			pruned, failed := in.publishIn(t, p, "pruned"), in.publishIn(t, p, "failed")
			pruned.Status, pruned.PrunedAt, pruned.AssetsUntil = anchor.Deployed, 1, time.Now().Add(time.Hour).UnixMilli()
			must(t, in.store.UpdateDeployment(t.Context(), pruned, anchor.Deploying))
			must(t, in.platform.Remove(t.Context(), pruned))
			failed.Status = anchor.DeployFailed
			must(t, in.store.UpdateDeployment(t.Context(), failed, anchor.Deploying))
			other, kept := in.publish(t, "other")
			_, host := in.platform.Hosts(other, kept.ID)

			must(t, in.store.RetireProject(t.Context(), p.ID))
			if restarts {
				kept.Status = anchor.Deployed
				must(t, in.store.UpdateDeployment(t.Context(), kept, anchor.Deploying))
				in.reopen(t)
				in.want(t, site, "/public.txt", http.StatusNotFound)
				in.want(t, own, "/public.txt", http.StatusNotFound)
			}
			for range 2 {
				must(t, in.platform.RemoveProject(t.Context(), p.ID))
			}
			in.want(t, site, "/public.txt", http.StatusNotFound)
			in.want(t, own, "/public.txt", http.StatusNotFound)
			in.want(t, host, "/public.txt", http.StatusOK)
			for _, d := range []anchor.Deployment{live, pruned, failed} {
				in.wantNothingOf(t, d.ID)
			}
			if pointers, err := sites.Folder(filepath.Join(in.dir, "platform")).Pointers(); err != nil || len(pointers) != 0 {
				t.Errorf("pointers are left: %v, %v", pointers, err)
			}
			must(t, in.store.DeleteProject(t.Context(), p.ID))
			must(t, in.platform.RemoveProject(t.Context(), p.ID))
		})
	}
}
