package sites

import (
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/local/edge"
)

// skewSite is newSite of a build with an id.
func skewSite(id anchor.DeploymentID, skewID string) *site {
	s := newSite(id)
	s.Build.SkewID = skewID
	return s
}

// wantTab asserts which deployment answers a tab that loaded a page with an id.
func wantTab(t *testing.T, r *Registry, host, skewID, want string) {
	t.Helper()
	w, ask := httptest.NewRecorder(), httptest.NewRequest("GET", "https://"+host+"/", nil)
	ask.Header.Set(edge.HeaderSkew, skewID)
	r.edge.ServeHTTP(w, ask)
	if got := w.Body.String(); got != want {
		t.Errorf("a tab of %s at %s is answered by %q, want %q", skewID, host, got, want)
	}
}

func tabRegistry(t *testing.T) (r *Registry, release func(id anchor.DeploymentID, force bool)) {
	r = testRegistry()
	r.tabs = 24 * time.Hour
	for _, id := range []anchor.DeploymentID{"a", "b", "c", "preview"} {
		r.add(skewSite(id, "of-"+string(id)))
	}
	r.add(newSite("plain"))
	r.attach(anchor.Hostname{ID: "h", ProjectID: shop, Name: "shop.example"})
	t.Cleanup(func() { r.close() })
	revision := int64(0)
	return r, func(id anchor.DeploymentID, force bool) {
		t.Helper()
		revision++
		if err := r.route(anchor.Live{ProjectID: shop, Deployment: id, Revision: revision, ForceReload: force}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRegistry_Tabs_UseWhatWasLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, release := tabRegistry(t)
		release("a", false)
		wantTab(t, r, "shop.localhost", "of-b", "a") // it was never live
		release("b", false)
		for _, host := range []string{"shop.localhost", "b--shop.localhost"} {
			wantTab(t, r, host, "of-b", "b")
			wantTab(t, r, host, "of-preview", "b")
		}
		wantTab(t, r, "shop.localhost", "of-a", "a")
		wantTab(t, r, "shop.example", "of-a", "a")
		wantTab(t, r, "b--shop.localhost", "of-a", "b") // a preview's host shows the preview alone
		wantPage(t, r, "shop.localhost", "b")

		time.Sleep(20 * time.Hour) // of the test's clock
		release("c", false)
		wantTab(t, r, "shop.localhost", "of-a", "a")
		wantTab(t, r, "shop.localhost", "of-b", "b")
		time.Sleep(5 * time.Hour)
		wantTab(t, r, "shop.localhost", "of-a", "c")
		wantTab(t, r, "shop.localhost", "of-b", "b")
		r.remove(anchor.Deployment{ID: "b"})
		wantTab(t, r, "shop.localhost", "of-b", "c")
	})
}

func TestRegistry_Tabs_ReloadWhenForced(t *testing.T) {
	r, release := tabRegistry(t)
	release("a", false)
	release("b", true)
	wantTab(t, r, "shop.localhost", "of-a", "b")
	release("c", false)
	wantTab(t, r, "shop.localhost", "of-a", "c")
	wantTab(t, r, "shop.localhost", "of-b", "b")
	release("a", false)
	wantTab(t, r, "shop.localhost", "of-c", "c")
	wantTab(t, r, "shop.localhost", "of-a", "a")
	if err := r.route(anchor.Live{ProjectID: shop, Deployment: "b", Revision: 9}); err != nil {
		t.Fatal(err)
	}
	wantTab(t, r, "shop.localhost", "of-c", "b") // a release between may have forced it
	r.removeProject(shop)
	wantPage(t, r, "shop.localhost", "")
}

func TestRegistry_Tabs_OneIDOfTwoBuilds(t *testing.T) {
	r, release := tabRegistry(t)
	r.add(skewSite("d", "same"))
	r.add(skewSite("e", "same"))
	r.add(skewSite("f", "same"))
	for _, id := range []anchor.DeploymentID{"d", "e", "plain"} {
		release(id, false)
	}
	wantTab(t, r, "shop.localhost", "same", "e")
	wantTab(t, r, "shop.localhost", "", "plain")
	release("f", false)
	wantTab(t, r, "shop.localhost", "same", "f")
}

func TestRegistry_Tabs_TurnedOff(t *testing.T) {
	r, release := tabRegistry(t)
	r.tabs = -1
	release("a", false)
	release("b", false)
	wantTab(t, r, "shop.localhost", "of-a", "b")
}
