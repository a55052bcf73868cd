package e2e

import "testing"

// TestReleasesOnAWS is TestReleases for a user who moved to AWS.
func TestReleasesOnAWS(t *testing.T) {
	a := onAWS(t)
	one := a.deploy(variant(t, 1), "shop")
	t.Logf("%+v", one)
	s := a.shop(one)
	p := s.get("/dynamic").want(t, 200)
	t.Log(p.find(t, versionMeta))
}
