package sites_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact"
	"github.com/anchor-deploy/anchor/internal/artifact/opennext"
	"github.com/anchor-deploy/anchor/internal/deploy"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
	"github.com/anchor-deploy/anchor/internal/local/sites"
)

// splitApp returns an app with count split functions, each for /split<n>/*.
func splitApp(t *testing.T, count int) platformtest.App {
	t.Helper()
	app := platformtest.NewApp("one")
	var out map[string]any
	must(t, json.Unmarshal([]byte(app["open-next.output.json"]), &out))
	origins := out["origins"].(map[string]any)
	var behaviors []any
	for n := range count {
		name := fmt.Sprintf("split%d", n)
		origin := map[string]any{}
		for key, value := range origins[anchor.ServerFunction].(map[string]any) {
			origin[key] = value
		}
		origin["bundle"] = ".open-next/server-functions/" + name
		origins[name] = origin
		behaviors = append(behaviors, map[string]any{"pattern": name + "/*", "origin": name})
		app["server-functions/"+name+"/index.mjs"] = app["server-functions/default/index.mjs"]
	}
	out["behaviors"] = append(behaviors, out["behaviors"].([]any)...)
	text, err := json.Marshal(out)
	must(t, err)
	app["open-next.output.json"] = string(text)
	return app
}

// processes returns the number of processes of split functions.
func (in *installation) processes() (split int) {
	for _, st := range in.platform.Stats() {
		if strings.HasPrefix(st.Function, "split") {
			split += st.Processes + st.Starting
		}
	}
	return split
}

// A probe starts every split function, and keeps a few of them.
func TestPlatform_SplitFunctionsShareProcesses(t *testing.T) {
	t.Parallel()
	in := newInstallation(t)
	must(t, in.platform.Close())
	in.limits = sites.Limits{Processes: 2}
	in.start(t)
	p, d, _ := in.publishApp(t, "shop", splitApp(t, 6))
	if running := in.processes(); running > 2 {
		t.Errorf("%d processes after the probe", running)
	}
	_, host := in.platform.Hosts(p, d.ID)
	for n := range 6 {
		if status := in.status(t, host, fmt.Sprintf("/split%d/", n)); status >= 500 {
			t.Errorf("function %d answers %d", n, status)
		}
		if running := in.processes(); running > 2 {
			t.Errorf("%d processes after %d functions", running, n+1)
		}
	}
}

func TestCheck_RefusesTooManyFunctions(t *testing.T) {
	t.Parallel()
	in := newInstallation(t)
	source := splitApp(t, 64).Write(t) // and the server
	m, err := artifact.Scan(t.Context(), source, nil)
	must(t, err)
	build, err := opennext.Parse(os.DirFS(source))
	must(t, err)
	check := in.platform.Check(t.Context(), deploy.Artifact{Build: build, Manifest: m, Dir: source})
	for when, err := range map[string]error{"before": in.platform.CheckManifest(anchor.Project{}, m, nil), "after": check} {
		if anchor.CodeOf(err) != "too_many_functions" || !strings.Contains(err.Error(), "too many functions: 65; the limit of this server is 64") ||
			!strings.Contains(anchor.HintOf(err), "--max-functions 65") {
			t.Errorf("%s: %v: %s", when, err, anchor.HintOf(err))
		}
	}
	must(t, os.RemoveAll(filepath.Join(source, "server-functions/split0")))
	m, err = artifact.Scan(t.Context(), source, nil)
	must(t, err)
	must(t, in.platform.CheckManifest(anchor.Project{}, m, nil))
}

// The cache of a project is shared by all its deployments.
func TestSiblings(t *testing.T) {
	t.Parallel()
	in := newInstallation(t)
	_, d := in.publish(t, "shop")
	_, other := in.publish(t, "other")
	if got := in.platform.Siblings(d.ID); len(got) != 1 || got[0] != string(d.ID) {
		t.Errorf("siblings of %s: %v, besides %s", d.ID, got, other.ID)
	}
	if got := in.platform.Siblings("unknown"); got != nil {
		t.Errorf("siblings of none: %v", got)
	}
}

// TestRemove_FailedDeploymentCountsAsUnowned: files that it left on the disk are bounded like uploads
// that did not end; those of a deployment that was live are not.
func TestRemove_FailedDeploymentCountsAsUnowned(t *testing.T) {
	t.Parallel()
	for status, code := range map[anchor.Status]string{anchor.Deployed: "", anchor.DeployFailed: "upload_quota", anchor.Canceled: "upload_quota"} {
		in := newInstallation(t)
		_, d := in.publish(t, "shop")
		in.bundles.MaxUnowned = 10
		d.Status = status
		must(t, in.platform.Remove(t.Context(), d))
		err := in.bundles.Put(t.Context(), artifact.DigestOf([]byte("x")), 1, strings.NewReader("x"))
		if anchor.CodeOf(err) != code {
			t.Errorf("after the removal of one that is %s an upload ends with %v", status, err)
		}
	}
}
