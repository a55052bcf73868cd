package aws_test

import (
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
	"github.com/anchor-deploy/anchor/internal/release"
)

// deployTab makes an app live whose build has the version as its id.
func (s *shop) deployTab(t *testing.T, p *aws.Platform, version string) anchor.Deployment {
	t.Helper()
	app := twoFunctions(version)
	app["server-functions/default/.next/required-server-files.json"] = `{"config": {"deploymentId": "` + version + `"}}`
	a := s.artifact(t, app)
	d := platformtest.Prepare(t, p, a)
	d.SkewID = a.Build.SkewID
	live, err := s.releases(p).GoLive(t.Context(), d)
	must(t, err)
	must(t, p.Purge(t.Context(), live))
	return d
}

// wantTab asserts which version answers a tab that loaded another one.
func (s *shop) wantTab(t *testing.T, skewID, want string) {
	t.Helper()
	host, _ := s.platform.Hosts(s.project, "")
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+host+"/", http.NoBody)
	must(t, err)
	r.Header.Set("X-Deployment-Id", skewID)
	res, err := s.front.RoundTrip(r)
	must(t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	must(t, err)
	if string(text) != want {
		t.Errorf("a tab of %s is answered by %q, want %q", skewID, text, want)
	}
}

// TestTabs_UseTheirDeployment keeps tabs of three deployments open over releases, whose traffic
// passes through the real viewer function.
func TestTabs_UseTheirDeployment(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	p := s.with(t, func(c *aws.Config) { c.Tabs = 24 * time.Hour })
	one := s.deployTab(t, p, "one")
	s.wantTab(t, "one", "one")
	s.wantTab(t, "two", "one")
	two := s.deployTab(t, p, "two")
	s.wantTab(t, "one", "one")
	s.wantTab(t, "two", "two")
	s.wantLive(t, two, "two")

	_, err := s.releases(p).Rollback(t.Context(), s.project.ID, one.ID)
	must(t, err)
	s.wantTab(t, "two", "two") // before anything but the switch is written
	must(t, p.Settle(t.Context(), s.project.ID))
	s.wantTab(t, "two", "two")
	s.wantTab(t, "one", "one")

	_, err = s.releases(p).Promote(t.Context(), s.project.ID, two.ID, release.ForceReload)
	must(t, err)
	s.wantTab(t, "one", "two")
	must(t, p.Reconcile(t.Context()))
	s.wantTab(t, "one", "two")
	s.deployTab(t, p, "three")
	s.wantTab(t, "two", "two")
	s.wantTab(t, "one", "three")
}

func TestTabs_TurnedOff(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.deployTab(t, s.platform, "one")
	s.deployTab(t, s.platform, "two")
	s.wantTab(t, "one", "two")
	s.wantTab(t, "two", "two")
}
