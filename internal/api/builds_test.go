package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/api"
	"github.com/anchor-deploy/anchor/internal/api/apitest"
	"github.com/anchor-deploy/anchor/internal/api/wire"
	"github.com/anchor-deploy/anchor/internal/artifact"
)

const build = `{"repository":"https://git.example/shop","commitSha":"c0ffee","branch":"main"}`

func TestStartBuild_OncePerKey(t *testing.T) {
	base := withShop(t, api.Options{})
	ask := func(key string) (d wire.Deployment) {
		header := http.Header{}
		if key != "" {
			header.Set("Idempotency-Key", key)
		}
		got := call(t, base, "POST", "/projects/shop/builds", apitest.DeployToken, build, header)
		got.is(t, http.StatusAccepted)
		got.decode(t, &d)
		return d
	}
	first, again, other, keyless := ask("one"), ask("one"), ask("two"), ask("")
	if first.ID != again.ID {
		t.Errorf("the same key gave %s and %s", first.ID, again.ID)
	}
	if other.ID == first.ID || keyless.ID == first.ID || keyless.ID == other.ID {
		t.Errorf("other keys gave %s, %s and %s", first.ID, other.ID, keyless.ID)
	}
	if first.Status != "building" || first.CommitSha != "c0ffee" || first.Branch != "main" {
		t.Errorf("the deployment is %+v", first)
	}
}

func TestStartBuild_WithoutBuilderSaysWhereBuildsRun(t *testing.T) {
	services := apitest.New(t, apitest.Options{}).Services()
	services.Builds = nil
	base := apitest.Serve(t, services, api.Options{}, nil)
	got := call(t, base, "POST", "/projects/shop/builds", apitest.DeployToken, build, nil)
	got.isProblem(t, http.StatusNotImplemented, "no_builds")
	if got.problem.Hint == "" {
		t.Error("it does not say what to do instead")
	}
}

// TestBuilds_OfARepositoryElsewhere covers what the routes of builds answer where builds run on AWS.
func TestBuilds_OfARepositoryElsewhere(t *testing.T) {
	base := withShop(t, api.Options{})
	var list struct{ Items []wire.Deployment }
	call(t, base, "GET", "/projects/shop/builds", apitest.ReadToken, "", nil).decode(t, &list)
	if list.Items == nil || len(list.Items) != 0 {
		t.Errorf("without a build the list is %+v", list.Items)
	}
	uploaded := start(t, base, "", artifact.File{Path: "a", Size: 1, Digest: artifact.DigestOf([]byte("a"))})
	var built wire.Deployment
	call(t, base, "POST", "/projects/shop/builds", apitest.DeployToken, build, nil).decode(t, &built)
	call(t, base, "GET", "/projects/shop/builds", apitest.ReadToken, "", nil).decode(t, &list)
	if len(list.Items) != 1 || list.Items[0].ID != built.ID || list.Items[0].Source != "repository" {
		t.Errorf("the builds are %+v", list.Items)
	}
	one := "/projects/shop/builds/" + string(built.ID)
	call(t, base, "GET", one+"/logs", apitest.ReadToken, "", nil).isProblem(t, http.StatusNotImplemented, "no_build_log") // nobody has it here
	call(t, base, "POST", one+"/retry", apitest.DeployToken, "", nil).isProblem(t, http.StatusNotImplemented, "no_retry")
	for _, route := range []string{"GET logs", "POST cancel", "POST retry"} {
		method, action, _ := strings.Cut(route, " ")
		got := call(t, base, method, "/projects/shop/builds/"+string(uploaded.Deployment.ID)+"/"+action, apitest.DeployToken, "", nil)
		got.isProblem(t, http.StatusNotFound, "not_a_build")
	}
}

func TestGit_WithoutRepositoriesThereIsNoRoute(t *testing.T) {
	base := withShop(t, api.Options{})
	got := call(t, base, "GET", "/git/shop.git/info/refs?service=git-receive-pack", apitest.DeployToken, "", nil)
	got.isProblem(t, http.StatusNotFound, "no_such_route")
}
