package platformtest

import (
	"net/http"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/release"
)

// deployWithID deploys an app whose build has an id, so that its traffic can be divided by request.
func (s *stand) deployWithID(t *testing.T, version string, plan *anchor.SplitPlan) anchor.Deployment {
	t.Helper()
	a := s.newArtifact(t, NewApp(version))
	a.Build.SkewID, a.Deployment.SkewID = version, version
	d := Prepare(t, s.Platform, a)
	d.Split = plan
	live, err := s.releases.GoLive(t.Context(), d)
	must(t, err)
	must(t, s.Platform.Purge(t.Context(), live))
	return d
}

// wantShares asks for a page often enough that each of the versions answers, and no other.
func (s *stand) wantShares(t *testing.T, when string, versions ...string) {
	t.Helper()
	const asked = 60
	got := map[string]int{}
	for range asked {
		_, body := s.askPage(t, s.siteHost(), "/")
		got[body]++
	}
	sum := 0
	for _, v := range versions {
		sum += got[v]
		if got[v] == 0 { // by a half of the traffic, once in 10^18
			t.Errorf("%s, %s answers nothing of %d requests: %v", when, v, asked, got)
		}
	}
	if sum != asked {
		t.Errorf("%s, others than %v answer: %v", when, versions, got)
	}
}

func splitTraffic(t *testing.T, s *stand) {
	s.deployWithID(t, "one", nil)
	two := s.deployWithID(t, "two", &anchor.SplitPlan{Weight: 50, Then: []int{60, 100}, EverySeconds: 1})
	s.wantShares(t, "after the deploy of the second", "one", "two")
	s.usePlatform(s.Reopen(t))
	s.wantShares(t, "after a restart", "one", "two")
	_, err := s.releases.CancelSplit(t.Context(), s.project.ID)
	must(t, err)
	s.wantShares(t, "after the split was canceled", "one")
	_, err = s.releases.Promote(t.Context(), s.project.ID, two.ID, release.Splitting(*two.Split))
	must(t, err)
	for _, versions := range [][]string{{"one", "two"}, {"two"}} {
		live, err := s.releases.Split(t.Context(), s.project.ID)
		must(t, err)
		must(t, s.releases.Advance(t.Context(), live, nil))
		s.wantShares(t, "after another step", versions...)
	}
	for _, version := range []string{"one", "two"} { // of pages loaded at any time
		if status, _ := s.askPage(t, s.siteHost(), "/_next/static/chunks/"+version+".js"); status != http.StatusOK {
			t.Errorf("the chunk of %s answers %d", version, status)
		}
	}
}

func splitToNothing(t *testing.T, s *stand) {
	_, live := s.deployLive(t, "one")
	live.Revision++
	live.Split = &anchor.Split{SplitPlan: anchor.SplitPlan{Weight: 50}, Deployment: anchor.DeploymentID(anchor.NewID())}
	if err := s.Platform.Follow(t.Context(), live); err == nil {
		t.Error("it divides traffic with a deployment that is not there")
	}
	s.wantShares(t, "after a split that failed", "one")
}
