package sites

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"

	"github.com/anchor-deploy/anchor/internal/local/edge"
)

const shop = anchor.ProjectID("shop")

func testRegistry() *Registry {
	return newRegistry("localhost", edge.New(edge.Config{}), time.Hour)
}

// newSite returns a site without functions whose pages are the deployment's id.
func newSite(id anchor.DeploymentID) *site {
	return &site{
		Description: Description{Deployment: id, Project: shop, Slug: "shop", Record: anchor.Deployment{ID: id}},
		edge: &edge.Site{ID: string(id), Project: string(shop), Default: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, id)
		})},
	}
}

// wantPage asserts what the page of a host is: a deployment, or "" for a host that is unknown or
// answers with an error.
func wantPage(t *testing.T, r *Registry, host, want string) {
	t.Helper()
	w := httptest.NewRecorder()
	r.edge.ServeHTTP(w, httptest.NewRequest("GET", "http://"+host+"/", nil))
	got := w.Body.String()
	if w.Code != http.StatusOK {
		got = ""
	}
	if got != want {
		t.Errorf("%s is %q (%d), want %q", host, got, w.Code, want)
	}
}

func TestRegistry_FollowsOnlyNewerPointers(t *testing.T) {
	r := testRegistry()
	r.add(newSite("a"))
	r.add(newSite("b"))
	wantPage(t, r, "shop.localhost", "")
	for _, live := range []anchor.Live{
		{ProjectID: shop, Deployment: "a", Revision: 1},
		{ProjectID: shop, Deployment: "b", Revision: 3},
		{ProjectID: shop, Deployment: "a", Revision: 2}, // arrives late
	} {
		if err := r.route(live); err != nil {
			t.Fatal(err)
		}
	}
	wantPage(t, r, "shop.localhost", "b")
	wantPage(t, r, "a--shop.localhost", "a")
	if err := r.route(anchor.Live{ProjectID: shop, Deployment: "c", Revision: 4}); anchor.CodeOf(err) != "files_gone" {
		t.Errorf("a pointer to a deployment without a site: %v", err)
	}
	wantPage(t, r, "shop.localhost", "b")
}

func TestRegistry_Add_KeepsTheFirstSite(t *testing.T) {
	r := testRegistry()
	r.markDamaged(anchor.Project{ID: shop, Slug: "shop"}, "a", fs.ErrNotExist)
	wantPage(t, r, "a--shop.localhost", "")
	first := newSite("a")
	if !r.add(first) || r.add(newSite("a")) || r.site("a") != first {
		t.Error("the second site of a deployment replaced the first one")
	}
	r.markDamaged(anchor.Project{ID: shop, Slug: "shop"}, "a", fs.ErrNotExist)
	wantPage(t, r, "a--shop.localhost", "a")
}

// Search engines are to find the site, not its previews: also not when a preview was made live.
func TestRegistry_KeepsPreviewsOutOfSearchEngines(t *testing.T) {
	r := testRegistry()
	owner := anchor.Project{ID: shop, Slug: "shop", ProductionBranch: "main"}
	for id, record := range map[anchor.DeploymentID]anchor.Deployment{
		"a": {ID: "a", Branch: "main"}, "b": {ID: "b", Branch: "feature", NoRelease: true}, "c": {ID: "c", Branch: "main", NoRelease: true},
	} {
		s := newSite(id)
		s.Owner, s.Record = owner, record
		r.add(s)
	}
	robots := func(host string) string {
		w := httptest.NewRecorder()
		r.edge.ServeHTTP(w, httptest.NewRequest("GET", "http://"+host+"/", nil))
		return w.Header().Get("X-Robots-Tag")
	}
	for _, live := range []anchor.DeploymentID{"a", "b"} {
		if err := r.route(anchor.Live{ProjectID: shop, Deployment: live, Revision: int64(live[0])}); err != nil {
			t.Fatal(err)
		}
		for host, want := range map[string]string{
			"shop.localhost": "", "a--shop.localhost": "", "b--shop.localhost": "noindex", "c--shop.localhost": "",
		} {
			if got := robots(host); got != want {
				t.Errorf("%s is live: %s has %q", live, host, got)
			}
		}
	}
}

// A request that has entered the site and not reached a function yet is waited for.
func TestSite_Drain_WaitsForTheRequestsOfTheEdge(t *testing.T) {
	r := testRegistry()
	s := newSite("a")
	entered, letGo := make(chan struct{}), make(chan struct{})
	s.edge.Default = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { close(entered); <-letGo })
	r.add(s)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.edge.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "http://a--shop.localhost/", nil))
	}()
	<-entered
	r.remove(anchor.Deployment{ID: "a"})
	cut := errors.New("the time is over")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cut)
	if err := s.drainSite(ctx); !errors.Is(err, cut) {
		t.Errorf("with a request in flight, drain returns %v", err)
	}
	close(letGo)
	<-ended
	if err := s.drainSite(t.Context()); err != nil {
		t.Errorf("with nothing in flight, drain returns %v", err)
	}
}

func TestRegistry_RemoveProject(t *testing.T) {
	r := testRegistry()
	r.add(newSite("a"))
	r.markDamaged(anchor.Project{ID: shop, Slug: "shop"}, "b", fs.ErrNotExist)
	r.shelve(shelved{project: shop, record: anchor.Deployment{ID: "c"}, reduced: true})
	if err := r.route(anchor.Live{ProjectID: shop, Deployment: "a", Revision: 1}); err != nil {
		t.Fatal(err)
	}
	left := r.removeProject(shop)
	slices.Sort(left)
	if want := []anchor.DeploymentID{"a", "b", "c"}; !slices.Equal(left, want) {
		t.Errorf("left are %v, want %v", left, want)
	}
	wantPage(t, r, "shop.localhost", "")
	for _, id := range left {
		r.remove(anchor.Deployment{ID: id})
	}
	if n := len(r.all()) + r.Shelved() + len(r.removeProject(shop)) + len(r.history); n != 0 {
		t.Errorf("%d are left after the removal", n)
	}
}

func TestRegistry_Detach_KeepsTheNameOfAnother(t *testing.T) {
	r := testRegistry()
	r.add(newSite("a"))
	r.setPointers([]anchor.Live{{ProjectID: shop, Deployment: "a", Revision: 1}})
	old, next := anchor.Hostname{ID: "1", Name: "www.example.com", ProjectID: shop}, anchor.Hostname{ID: "2", Name: "www.example.com", ProjectID: shop}
	r.attach(old)
	r.attach(next)
	r.detach(old)
	if len(r.domains) != 1 {
		t.Error("detaching a name removed that of another hostname")
	}
	r.detach(next)
	if len(r.domains) != 0 {
		t.Error("the name is still there")
	}
}

// TestRegistry_PublishesEachChange changes the registry from many goroutines: the table shows the
// last state, whoever published it.
func TestRegistry_PublishesEachChange(t *testing.T) {
	r := testRegistry()
	var all sync.WaitGroup
	for i := range 20 {
		id := anchor.DeploymentID(fmt.Sprintf("d%d", i))
		all.Go(func() {
			r.add(newSite(id))
			if err := r.route(anchor.Live{ProjectID: shop, Deployment: id, Revision: int64(i + 1)}); err != nil {
				t.Error(err)
			}
			if i%2 == 0 && i < 18 {
				r.remove(anchor.Deployment{ID: id})
			}
		})
	}
	all.Wait()
	wantPage(t, r, "shop.localhost", "d19")
	for i := range 20 {
		want := fmt.Sprintf("d%d", i)
		host := want + "--shop.localhost"
		if i%2 == 0 && i < 18 {
			want = ""
		}
		wantPage(t, r, host, want)
	}
	if got := len(r.Siblings("d19")); got != 11 {
		t.Errorf("d19 has %d siblings and itself, want 11", got)
	}
}
