package aws_test

import (
	"io"
	"net/http"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws"
	"github.com/anchor-deploy/anchor/internal/deploy"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
	"github.com/anchor-deploy/anchor/internal/release"
)

// shop is a project on an installation, with a server function and an image function.
type shop struct {
	*installation
	project anchor.Project
}

func newShop(t *testing.T) *shop {
	t.Helper()
	s := &shop{newInstallation(t), anchor.Project{ID: anchor.ProjectID(anchor.NewID()), Slug: "shop"}}
	must(t, s.store.CreateProject(t.Context(), s.project))
	return s
}

func twoFunctions(version string) platformtest.App {
	return platformtest.NewApp(version).Images(version)
}

// artifact uploads an app for a platform to deploy.
func (s *shop) artifact(t *testing.T, app platformtest.App) deploy.Artifact {
	t.Helper()
	return s.harness().Artifact(t, s.project, app)
}

// releases returns the use-case in p's process.
func (s *shop) releases(p *aws.Platform) *release.Service {
	return release.New(release.Ports{Pointer: s.store, Traffic: p, Records: s.store}, release.Options{Purge: p.Purge})
}

// deploy makes an app live.
func (s *shop) deploy(t *testing.T, app platformtest.App) anchor.Deployment {
	t.Helper()
	d := platformtest.Prepare(t, s.platform, s.artifact(t, app))
	live, err := s.releases(s.platform).GoLive(t.Context(), d)
	must(t, err)
	must(t, s.platform.Purge(t.Context(), live))
	return d
}

// wantLive asserts that pointer, aliases and the site agree on d.
func (s *shop) wantLive(t *testing.T, d anchor.Deployment, version string) {
	t.Helper()
	live, err := s.store.Live(t.Context(), s.project.ID)
	must(t, err)
	if live.Deployment != d.ID {
		t.Errorf("the pointer is at %s, want %s", live.Deployment, d.ID)
	}
	s.wantAliases(t, d)
	site, _ := s.platform.Hosts(s.project, "")
	if got := s.page(t, site, "/"); got != version {
		t.Errorf("the site answers %q, want %q", got, version)
	}
	if got := s.page(t, site, "/public.txt"); got != "public of "+version {
		t.Errorf("the site has the file %q, want that of %s", got, version)
	}
}

// wantAliases asks Lambda by its own client.
func (s *shop) wantAliases(t *testing.T, d anchor.Deployment) {
	t.Helper()
	for name, want := range d.Functions {
		alias, err := s.lambda.GetAlias(t.Context(), &lambda.GetAliasInput{
			FunctionName: sdk.String(lambdaName(want)), Name: sdk.String(anchor.LiveAlias),
		})
		must(t, err)
		if got := sdk.ToString(alias.FunctionVersion); got != want.Version {
			t.Errorf("live of %s is version %s, want %s", name, got, want.Version)
		}
	}
}

// lambdaName cuts the version off an ARN. Lambda accepts the rest as a function's name.
func lambdaName(v anchor.FunctionVersion) string {
	return v.VersionARN[:len(v.VersionARN)-len(v.Version)-1]
}

func (s *shop) page(t *testing.T, host, path string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+host+path, http.NoBody)
	must(t, err)
	res, err := s.front.RoundTrip(r)
	must(t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	must(t, err)
	return string(text)
}
