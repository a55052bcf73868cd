// Package platformtest is the suite that every platform passes: Run asserts the behavior that
// deploy and release rely on, over a tiny OpenNext tree and through requests. Memory is a
// platform for tests of the use-cases. It passes the suite too.
package platformtest

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact"
	"github.com/anchor-deploy/anchor/internal/artifact/opennext"
	"github.com/anchor-deploy/anchor/internal/deploy"
	"github.com/anchor-deploy/anchor/internal/release"
)

// Platform is what the suite tests.
type Platform interface {
	deploy.Platform
	release.Traffic
	release.Remover
	// RemoveProject implements project.Remover.
	RemoveProject(ctx context.Context, p anchor.ProjectID) error
	// Hosts returns the host names of a project and of one of its deployments.
	Hosts(p anchor.Project, d anchor.DeploymentID) (site, deployment string)
}

// Records keeps what the platform and the use-cases read.
type Records interface {
	deploy.Records
	release.Pointer
	release.Records
	CreateProject(ctx context.Context, p anchor.Project) error
	RetireProject(ctx context.Context, id anchor.ProjectID) error
	DeleteProject(ctx context.Context, id anchor.ProjectID) error
}

// Harness is an installation with a platform under test.
type Harness struct {
	Platform Platform
	Records  Records
	Bundles  deploy.Bundles
	Env      deploy.Env

	// Do sends a request to the installation's front, whatever its URL's host.
	Do func(r *http.Request) (*http.Response, error)
	// ReadCache and WriteCache are what the deployment's functions do to an entry of
	// the incremental cache, named as in the tree below its cache folder.
	ReadCache  func(ctx context.Context, d anchor.DeploymentID, key string) (string, error)
	WriteCache func(ctx context.Context, d anchor.DeploymentID, key, content string) error
	// Sizes returns the memory (MB) and the timeout (s) that a function of the live deployment has, by its
	// name in the build. nil on a platform that runs all functions of a site with the site's own.
	Sizes func(t *testing.T, function string) (memory, timeout int32)
	// Reopen ends the platform and starts another over the same data and records,
	// which Do then reaches.
	Reopen func(t *testing.T) Platform
}

// stand is one test's project on a harness.
type stand struct {
	Harness
	project  anchor.Project
	releases *release.Service
}

func newStand(t *testing.T, open func(*testing.T) Harness) *stand {
	t.Helper()
	s := &stand{Harness: open(t), project: anchor.Project{ID: anchor.ProjectID(anchor.NewID()), Slug: "shop"}}
	must(t, s.Records.CreateProject(t.Context(), s.project))
	s.usePlatform(s.Platform)
	return s
}

func (s *stand) usePlatform(p Platform) {
	s.Platform = p
	s.releases = release.New(release.Ports{Pointer: s.Records, Traffic: p, Records: s.Records}, release.Options{})
}

// Artifact makes a deployment of the project, uploads the app and returns the Artifact that a
// platform gets.
func (h Harness) Artifact(t *testing.T, p anchor.Project, app App) deploy.Artifact {
	t.Helper()
	d := anchor.Deployment{ID: anchor.DeploymentID(anchor.NewID()), ProjectID: p.ID, Status: anchor.Deploying, CreatedAt: 1}
	must(t, h.Records.CreateDeployment(t.Context(), d))
	d, err := h.Records.Deployment(t.Context(), d.ID) // with its Order
	must(t, err)
	h.uploadApp(t, d.ID, app)
	dir, manifest, err := h.Bundles.Unpack(t.Context(), d.ID)
	must(t, err)
	build, err := opennext.Parse(os.DirFS(dir))
	must(t, err)
	env, err := h.Env.Lock(t.Context(), p.ID, d.ID, anchor.EnvScope{Environment: anchor.EnvProduction}, nil)
	must(t, err)
	return deploy.Artifact{Project: p, Deployment: d, Build: build, Manifest: manifest, Dir: dir, Env: env}
}

func (h Harness) uploadApp(t *testing.T, id anchor.DeploymentID, app App) {
	t.Helper()
	source := app.Write(t)
	manifest, err := artifact.Scan(t.Context(), source, nil)
	must(t, err)
	must(t, h.Bundles.SaveManifest(t.Context(), id, manifest))
	missing, err := h.Bundles.Missing(t.Context(), id)
	must(t, err)
	paths := map[artifact.Digest]string{}
	for _, f := range manifest.Files {
		paths[f.Digest] = f.Path
	}
	for _, digest := range missing {
		content, err := os.ReadFile(filepath.Join(source, paths[digest]))
		must(t, err)
		must(t, h.Bundles.Put(t.Context(), digest, int64(len(content)), bytes.NewReader(content)))
	}
	must(t, h.Bundles.Sync(t.Context(), id))
}

// Publish runs the steps that make a deployment reachable.
func Publish(t *testing.T, p Platform, a deploy.Artifact) map[string]anchor.FunctionVersion {
	t.Helper()
	must(t, p.CheckManifest(a.Project, a.Manifest, a.Env))
	must(t, p.Check(t.Context(), a))
	must(t, p.Upload(t.Context(), a, noteTo(t)))
	versions, err := p.Publish(t.Context(), a, noteTo(t))
	must(t, err)
	must(t, p.Seed(t.Context(), a, noteTo(t)))
	return versions
}

// Prepare runs the steps before a release and returns the record that the deployment would
// have.
func Prepare(t *testing.T, p Platform, a deploy.Artifact) anchor.Deployment {
	t.Helper()
	versions := Publish(t, p, a)
	must(t, p.Probe(t.Context(), a, noteTo(t)))
	d := a.Deployment
	d.Status, d.Functions, d.Version = anchor.Deployed, versions, "v"+versions[anchor.ServerFunction].Version
	return d
}

func (s *stand) newArtifact(t *testing.T, app App) deploy.Artifact {
	t.Helper()
	return s.Artifact(t, s.project, app)
}

func (s *stand) publishArtifact(t *testing.T, a deploy.Artifact) map[string]anchor.FunctionVersion {
	t.Helper()
	return Publish(t, s.Platform, a)
}

func (s *stand) prepareArtifact(t *testing.T, app App) (deploy.Artifact, anchor.Deployment) {
	t.Helper()
	a := s.newArtifact(t, app)
	return a, Prepare(t, s.Platform, a)
}

// deployLive deploys the app of a version and makes it live.
func (s *stand) deployLive(t *testing.T, version string) (deploy.Artifact, anchor.Live) {
	t.Helper()
	return s.liveApp(t, NewApp(version))
}

// liveApp deploys an app and makes it live.
func (s *stand) liveApp(t *testing.T, app App) (deploy.Artifact, anchor.Live) {
	t.Helper()
	a, d := s.prepareArtifact(t, app)
	live, err := s.releases.GoLive(t.Context(), d)
	must(t, err)
	must(t, s.Platform.Purge(t.Context(), live))
	return a, live
}

func (s *stand) siteHost() string {
	site, _ := s.Platform.Hosts(s.project, "")
	return site
}

func (s *stand) hostOf(a deploy.Artifact) string {
	_, host := s.Platform.Hosts(s.project, a.Deployment.ID)
	return host
}

// answer is what came back from the front.
type answer struct {
	status int
	header http.Header
	body   string
}

// openResponse sends a request and leaves the answer's body, the caller's to close, to be read.
func (s *stand) openResponse(t *testing.T, method, host, path string, header ...string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+host+path, http.NoBody)
	must(t, err)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := s.Do(r)
	must(t, err)
	return res
}

// sendRequest sends a request with the headers, names and values in turn.
func (s *stand) sendRequest(t *testing.T, method, host, path string, header ...string) answer {
	t.Helper()
	res := s.openResponse(t, method, host, path, header...)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	must(t, err)
	return answer{res.StatusCode, res.Header, string(text)}
}

// askPage returns the status and body of a page.
func (s *stand) askPage(t *testing.T, host, path string) (status int, body string) {
	t.Helper()
	a := s.sendRequest(t, http.MethodGet, host, path)
	return a.status, a.body
}

func (s *stand) wantPage(t *testing.T, host, path, body string) {
	t.Helper()
	if status, got := s.askPage(t, host, path); status != http.StatusOK || got != body {
		t.Errorf("%s%s answers %d %q, want %q", host, path, status, got, body)
	}
}

// wantGone asserts that a host leads to no deployment.
func (s *stand) wantGone(t *testing.T, host, path string) {
	t.Helper()
	if status, body := s.askPage(t, host, path); status < http.StatusBadRequest {
		t.Errorf("%s%s still answers %d %q", host, path, status, body)
	}
}

func noteTo(t *testing.T) deploy.Note { return func(f string, args ...any) { t.Logf(f, args...) } }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
