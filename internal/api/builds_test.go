package api_test

import (
	"net/http"
	"testing"

	"github.com/anchor-deploy/anchor/internal/api"
	"github.com/anchor-deploy/anchor/internal/api/apitest"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

const build = `{"repository":"https://git.example/shop","commitSha":"c0ffee","branch":"main"}`

func TestABuildIsStartedOnceForItsKey(t *testing.T) {
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

func TestWithoutABuilderTheRouteSaysWhereBuildsRun(t *testing.T) {
	services := apitest.New(t, apitest.Options{}).Services()
	services.Builds = nil
	base := apitest.Serve(t, services, api.Options{}, nil)
	got := call(t, base, "POST", "/projects/shop/builds", apitest.DeployToken, build, nil)
	got.isProblem(t, http.StatusNotImplemented, "no_builds")
	if got.problem.Hint == "" {
		t.Error("it does not say what to do instead")
	}
}
