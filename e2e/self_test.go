package e2e

import (
	"strings"
	"testing"
)

// TestSelf runs an app that sends requests to itself by the name that its visitors use, which the
// system's resolver need not know.
func TestSelf(t *testing.T) {
	t.Parallel()
	a := up(t)
	if code, err := a.call("POST", "/projects", map[string]string{"slug": "shop"}, nil); code != 201 || err != nil {
		t.Fatal(code, err)
	}
	if _, errs, code := a.run("env", "set", "DATA_URL=http://"+a.host("shop")+"/api/data", "--project", "shop"); code != 0 {
		t.Fatal(errs)
	}
	a.deploy(variant(t, 1), "shop")
	p := a.site(t, "shop").get("/tags").want(t, 200)
	if _, why, failed := strings.Cut(p.Body, `data-stock-error="`); failed {
		t.Errorf("the shop cannot ask for its own stock: %.200s", why)
	}
}
