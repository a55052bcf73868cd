package sites_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/local/isr"
)

const chunk = "/_next/static/chunks/one.js"

// live deploys an app of a new project, makes it live and returns its two hosts.
func (in *installation) live(t *testing.T, slug string) (d anchor.Deployment, site, own string) {
	t.Helper()
	p, d := in.publish(t, slug)
	d.Status, d.Version = anchor.Deployed, "v1"
	live, err := in.store.Move(t.Context(), anchor.Live{}, anchor.Release{
		ID: anchor.ReleaseID(anchor.NewID()), ProjectID: p.ID, Kind: anchor.ReleaseDeploy, Deployment: d.ID, Record: d.ID,
	}, &d)
	must(t, err)
	must(t, in.platform.Follow(t.Context(), live))
	site, own = in.platform.Hosts(p, d.ID)
	return d, site, own
}

func (in *installation) want(t *testing.T, host, path string, status int) {
	t.Helper()
	if got := in.status(t, host, path); got != status {
		t.Errorf("%s%s answers %d, want %d", host, path, got, status)
	}
}

func TestSweep_KeepsUnknown(t *testing.T) {
	t.Parallel()
	in := newInstallation(t)
	_, d := in.publish(t, "shop")
	tree := in.bundles.Tree(d.ID)
	stranger := anchor.DeploymentID("01arz3ndektsv4rrffq69g5fav") // of 2016
	must(t, os.Rename(tree, in.bundles.Tree(stranger)))
	for _, name := range []string{"artifacts/manifests/%.json", "platform/sites/%.json"} {
		from, to := filepath.Join(in.dir, replace(name, d.ID)), filepath.Join(in.dir, replace(name, stranger))
		must(t, os.Rename(from, to))
	}
	must(t, in.platform.Sweep(t.Context()))
	for _, path := range []string{in.bundles.Tree(stranger), filepath.Join(in.dir, "platform", "sites", string(stranger)+".json")} {
		if _, err := os.Stat(path); err != nil {
			t.Errorf("unknown to the records, it is gone: %v", err)
		}
	}
}

func replace(name string, id anchor.DeploymentID) string {
	dir, base := filepath.Split(name)
	return dir + string(id) + base[len("%"):]
}

// TestRestore_RebuildsMissing of a live site, as long as its contents exist.
func TestRestore_RebuildsMissing(t *testing.T) {
	t.Parallel()
	for name, folders := range map[string][]string{
		"the trees":                  {"artifacts/trees"},
		"the platform's files":       {"platform"},
		"the cache":                  {"cache"},
		"trees and platform's files": {"artifacts/trees", "platform"},
		"the contents":               {"artifacts/blobs"},
	} {
		t.Run(name, func(t *testing.T) {
			in := newInstallation(t)
			d, site, own := in.live(t, "shop")
			must(t, errors.Join(in.platform.Close(), in.cache.Close()))
			for _, folder := range folders {
				must(t, os.RemoveAll(filepath.Join(in.dir, folder)))
			}
			var err error
			in.cache, err = isr.Open(filepath.Join(in.dir, "cache"))
			must(t, err)
			in.start(t)
			if _, err := in.readCache(t.Context(), d.ID, "one/index.cache"); err != nil {
				t.Errorf("an entry of the build's cache: %v", err)
			}
			for _, host := range []string{site, own} {
				in.want(t, host, "/public.txt", http.StatusOK)
				in.want(t, host, "/", http.StatusOK)
			}
		})
	}
}

// TestRestore_TakesBackFromTrash: older records say that the removed deployment is kept.
func TestRestore_TakesBackFromTrash(t *testing.T) {
	t.Parallel()
	in := newInstallation(t)
	d, site, _ := in.live(t, "shop")
	must(t, in.platform.Remove(t.Context(), d))
	in.wantNothingOf(t, d.ID)
	in.reopen(t)
	in.want(t, site, "/public.txt", http.StatusOK)
}

func TestExamine_FindsAndHeals(t *testing.T) {
	t.Parallel()
	in := newInstallation(t)
	d, site, _ := in.live(t, "shop")
	in.wantHealth(t, true, 0)

	must(t, os.Remove(filepath.Join(in.bundles.Tree(d.ID), "assets", "public.txt")))
	in.want(t, site, "/public.txt", http.StatusServiceUnavailable)
	in.wantHealth(t, false, 0)
	in.want(t, site, "/public.txt", http.StatusOK)
	in.wantHealth(t, true, 0)

	must(t, os.RemoveAll(in.bundles.Tree(d.ID)))
	must(t, os.RemoveAll(filepath.Join(in.dir, "artifacts", "blobs")))
	must(t, os.Mkdir(filepath.Join(in.dir, "artifacts", "blobs"), 0o700))
	in.wantHealth(t, false, 1)
}

// TestRestore_DamagedSiteAnswers503 from the start until its files are there again: 404 would make
// crawlers and caches drop its pages.
func TestRestore_DamagedSiteAnswers503(t *testing.T) {
	t.Parallel()
	in := newInstallation(t)
	d, site, own := in.live(t, "shop")
	must(t, in.platform.Attach(t.Context(), anchor.Hostname{ID: "h", ProjectID: d.ProjectID, Name: "shop.example"}))
	must(t, in.platform.Close())
	for _, folder := range []string{"trees", "blobs"} {
		from := filepath.Join(in.dir, "artifacts", folder)
		must(t, os.Rename(from, from+".away"))
	}
	in.start(t)
	must(t, in.platform.Attach(t.Context(), anchor.Hostname{ID: "h", ProjectID: d.ProjectID, Name: "shop.example"}))
	hosts := []string{site, own}
	in.wantSecure(t, "shop.example", http.StatusServiceUnavailable)
	for _, host := range hosts {
		in.want(t, host, "/public.txt", http.StatusServiceUnavailable)
		in.want(t, host, "/", http.StatusServiceUnavailable)
	}
	in.want(t, "other."+site, "/", http.StatusNotFound)
	in.wantHealth(t, false, 1)
	for _, host := range hosts {
		in.want(t, host, "/", http.StatusServiceUnavailable)
	}

	must(t, os.RemoveAll(filepath.Join(in.dir, "artifacts", "blobs")))
	must(t, os.Rename(filepath.Join(in.dir, "artifacts", "blobs.away"), filepath.Join(in.dir, "artifacts", "blobs")))
	in.wantHealth(t, false, 0)
	in.wantHealth(t, true, 0)
	in.wantSecure(t, "shop.example", http.StatusOK)
	for _, host := range hosts {
		in.want(t, host, "/public.txt", http.StatusOK)
		in.want(t, host, "/", http.StatusOK)
	}
}

// wantSecure requests the front page of a custom domain, as over TLS.
func (in *installation) wantSecure(t *testing.T, host string, status int) {
	t.Helper()
	answer := httptest.NewRecorder()
	in.platform.Edge.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "https://"+host+"/", nil))
	if answer.Code != status {
		t.Errorf("https://%s/ answers %d, want %d", host, answer.Code, status)
	}
}

// TestRemove_DamagedSite with its project, or when it is pruned.
func TestRemove_DamagedSite(t *testing.T) {
	t.Parallel()
	in := newInstallation(t)
	d, site, own := in.live(t, "shop")
	must(t, in.platform.Close())
	for _, folder := range []string{"trees", "blobs"} {
		must(t, os.RemoveAll(filepath.Join(in.dir, "artifacts", folder)))
	}
	in.start(t)
	in.want(t, own, "/", http.StatusServiceUnavailable)
	must(t, in.platform.RemoveProject(t.Context(), d.ProjectID))
	in.want(t, own, "/", http.StatusNotFound)
	in.want(t, site, "/", http.StatusNotFound)
}

// wantHealth examines the one live site: left says whether files are beyond repair.
func (in *installation) wantHealth(t *testing.T, well bool, left int) {
	t.Helper()
	all, err := in.platform.Examine(t.Context())
	must(t, err)
	if len(all) != 1 || all[0].Well() != well || min(all[0].Left, 1) != left {
		t.Errorf("examined: %+v; want well %v, beyond repair %d", all, well, left)
	}
}

// TestRemove_KeepsHashedFiles prunes a deployment that production served before.
func TestRemove_KeepsHashedFiles(t *testing.T) {
	t.Parallel()
	in := newInstallation(t)
	old, site, own := in.live(t, "shop")
	project, err := in.store.Project(t.Context(), old.ProjectID)
	must(t, err)
	next := in.publishIn(t, project, "two")
	next.Status = anchor.Deployed
	from, err := in.store.Live(t.Context(), project.ID)
	must(t, err)
	live, err := in.store.Move(t.Context(), from, anchor.Release{
		ID: anchor.ReleaseID(anchor.NewID()), ProjectID: project.ID, Kind: anchor.ReleaseDeploy, Deployment: next.ID, Record: next.ID,
	}, &next)
	must(t, err)
	must(t, in.platform.Follow(t.Context(), live))

	old.PrunedAt, old.AssetsUntil = 1, time.Now().Add(time.Hour).UnixMilli()
	must(t, in.store.UpdateDeployment(t.Context(), old, anchor.Deployed))
	removed := make(chan error)
	go func() { removed <- in.platform.Remove(t.Context(), old) }()
	for removing := true; removing; {
		in.want(t, site, chunk, http.StatusOK) // it is never missing
		select {
		case err := <-removed:
			must(t, err)
			removing = false
		default:
		}
	}
	reachable := func() {
		t.Helper()
		in.want(t, site, chunk, http.StatusOK)
		in.want(t, own, "/public.txt", http.StatusNotFound)
		if left, err := os.ReadDir(filepath.Join(in.bundles.Tree(old.ID), "assets")); err != nil || len(left) != 1 {
			t.Errorf("left of its files: %v, %v", left, err)
		}
	}
	reachable()
	must(t, in.platform.Sweep(t.Context()))
	reachable()
	in.reopen(t)
	reachable()

	old.AssetsUntil = 1
	must(t, in.store.UpdateDeployment(t.Context(), old, anchor.Deployed))
	must(t, in.platform.Sweep(t.Context()))
	in.want(t, site, chunk, http.StatusNotFound)
	in.wantNothingOf(t, old.ID)
}
