package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
)

// TestBisect finds the deployment that broke a page among seven, by a path and by a command.
func TestBisect(t *testing.T) {
	t.Parallel()
	a := up(t)
	var ids []string
	for n := range 7 {
		app := failing(t, 1_000_000)
		if n >= 4 {
			app = failing(t, 1)
		}
		ids = append(ids, a.deploy(app, "shop", "--commit", fmt.Sprintf("c0ffee%034d", n), "--message", fmt.Sprintf("Change %d", n)).DeploymentID)
	}
	type found struct {
		FirstBad, LastGood struct{ DeploymentID, CommitSha string }
		Skipped            []string
		Checks             int
	}
	bisect := func(args ...string) (f found) {
		t.Helper()
		out, errs, code := a.run(append([]string{"bisect", "--project", "shop", "--json"}, args...)...)
		if code != 0 || json.Unmarshal([]byte(out), &f) != nil {
			t.Fatalf("bisect %v ended with %d: %s%s", args, code, out, errs)
		}
		return f
	}
	if f := bisect("--url-check", "/page"); f.FirstBad.DeploymentID != ids[4] || f.LastGood.DeploymentID != ids[3] || f.Checks > 5 ||
		f.FirstBad.CommitSha != "c0ffee"+fmt.Sprintf("%034d", 4) {
		t.Errorf("%+v, want %s", f, ids[4])
	}
	if f := bisect("--from", ids[3], "--to", ids[4], "--url-check", "/page"); f.FirstBad.DeploymentID != ids[4] || f.Checks != 2 {
		t.Errorf("%+v, want %s", f, ids[4])
	}
	// It skips the last good one and the first bad one.
	script := `test "$ANCHOR_DEPLOYMENT_ID" = "$0" -o "$ANCHOR_DEPLOYMENT_ID" = "$1" && exit 125
curl --silent --fail --output /dev/null "$ANCHOR_URL/page"`
	if f := bisect("--", "sh", "-c", script, ids[3], ids[4]); f.FirstBad.DeploymentID != ids[5] || f.LastGood.DeploymentID != ids[2] || !slices.Equal(f.Skipped, ids[3:5]) {
		t.Errorf("%+v, want %s after the skipped %v", f, ids[5], ids[3:5])
	}
	out, errs, code := a.run("bisect", "--project", "shop", "--url-check", "/page")
	if code != 0 {
		t.Fatal(errs)
	}
	says(t, out, "The first bad deployment is "+ids[4], `Commit +c0ffee`, `Message +Change 4`, `Last good +`+ids[3], "anchor rollback "+ids[3])
	says(t, errs, `(?m)^good +`+ids[3]+`  v4  c0ffee0  Change 3$`, `(?m)^bad +`+ids[4])
	for _, c := range []struct {
		code int
		says string
		args []string
	}{
		{1, "is good, not bad", []string{"--url-check", "/"}},
		{1, "is bad, not good", []string{"--from", ids[5], "--url-check", "/page"}},
		{1, "no kept deployment before", []string{"--from", ids[6], "--url-check", "/page"}},
		{3, "not a kept deployment of this project", []string{"--from", "01jd0000000000000000000000", "--url-check", "/page"}},
		{1, "exit status 127", []string{"--", "sh", "-c", "no-such-program"}},
		{2, "cannot be run", []string{"--", "no-such-program"}},
		{2, "not both", []string{"--url-check", "/page", "--", "true"}},
		{2, "not both", nil},
		{2, "begins with /", []string{"--url-check", "page"}},
	} {
		out, errs, code := a.run(append([]string{"bisect", "--project", "shop"}, c.args...)...)
		if code != c.code {
			t.Errorf("%v ended with %d, want %d: %s%s", c.args, code, c.code, out, errs)
		}
		says(t, errs, c.says)
	}
}
