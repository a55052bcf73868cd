package cli

import (
	"bytes"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/api"
	"github.com/anchor-deploy/anchor/internal/api/apitest"
)

// removeShop runs anchor projects rm where a removal takes a while.
func removeShop(t *testing.T, terminal bool, looks int, args ...string) (*apitest.Anchor, string) {
	t.Helper()
	a := apitest.New()
	a.RemovalLooks = looks
	t.Setenv("ANCHOR_TOKEN", apitest.AdminToken)
	t.Setenv("ANCHOR_URL", apitest.Serve(t, a, api.Options{}, nil))
	var out bytes.Buffer
	streams := IOStreams{In: strings.NewReader(""), Out: &out, Err: &out, Width: 80, IsTerminal: terminal}
	if code := run(t.Context(), []string{"projects", "create", "shop"}, streams, Parts{}); code != 0 {
		t.Fatalf("projects create ended with %d: %s", code, &out)
	}
	out.Reset()
	if code := run(t.Context(), append([]string{"projects", "rm", "shop", "--yes"}, args...), streams, Parts{}); code != 0 {
		t.Fatalf("projects rm ended with %d: %s", code, &out)
	}
	return a, out.String()
}

func TestARemovalThatTakesAWhile(t *testing.T) {
	if _, out := removeShop(t, true, 3); !strings.Contains(out, "Ctrl-C stops the waiting only") || !strings.HasSuffix(out, "Removed shop.\n") {
		t.Errorf("on a terminal it says %s", out)
	}
	_, out := removeShop(t, false, 100)
	if !strings.Contains(out, "shop is being removed; AWS takes some minutes") || strings.Contains(out, "Removed") {
		t.Errorf("in a script it says %s", out)
	}
	if _, out := removeShop(t, true, 100, "--json"); !strings.Contains(out, `"removing": true`) {
		t.Errorf("as JSON it says %s", out)
	}
	if _, out := removeShop(t, true, 0); out != "Removed shop.\n" {
		t.Errorf("at once it says %s", out)
	}
}

func TestAProjectThatIsBeingRemovedIsListedAsSuch(t *testing.T) {
	_, _ = removeShop(t, false, 100)
	var out bytes.Buffer
	if code := run(t.Context(), []string{"projects"}, IOStreams{Out: &out, Err: &out, Width: 80}, Parts{}); code != 0 || !strings.Contains(out.String(), "being removed") {
		t.Errorf("the list ends with %d: %s", code, &out)
	}
}
