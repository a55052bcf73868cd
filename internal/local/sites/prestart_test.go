package sites_test

import (
	"path/filepath"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
)

// pools returns how many functions have files for their processes.
func (in *installation) pools(t *testing.T) int {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(in.run, "w*"))
	must(t, err)
	return len(found)
}

func (in *installation) launched() (processes int) {
	for _, u := range in.platform.Usage() {
		processes += int(u.Launched)
	}
	return processes
}

// The probe asks the process that has started before, and no other.
func TestPrestart_IsTheProcessOfTheProbe(t *testing.T) {
	t.Parallel()
	in := newInstallation(t)
	a := in.unpack(t, in.project(t, "shop"), platformtest.NewApp("one"))
	in.platform.Prestart(t.Context(), a)
	pools := in.pools(t)
	in.platform.Prestart(t.Context(), a) // of a pass that is repeated
	if pools == 0 || in.pools(t) != pools {
		t.Errorf("%d pools, after the second call %d", pools, in.pools(t))
	}
	in.settle(t, a)
	must(t, in.platform.Probe(t.Context(), a, t.Logf))
	if n := in.launched(); n != 1 || in.pools(t) != pools {
		t.Errorf("%d processes were started, in %d pools; %d pools before the site was open", n, in.pools(t), pools)
	}
}

// A function that cannot start is started once, and the probe says why it fails.
func TestPrestart_FailureIsTheProbes(t *testing.T) {
	t.Parallel()
	in := newInstallation(t)
	app := platformtest.NewApp("one")
	app["server-functions/default/index.mjs"] = "throw new Error('broken');"
	a := in.unpack(t, in.project(t, "shop"), app)
	in.platform.Prestart(t.Context(), a)
	in.settle(t, a)
	if err := in.platform.Probe(t.Context(), a, t.Logf); anchor.CodeOf(err) != "start_crashed" {
		t.Errorf("the probe returned %v", err)
	}
	if n := in.launched(); n != 1 {
		t.Errorf("%d processes were started", n)
	}
}

// A deployment that fails before its functions are published leaves nothing.
func TestPrestart_IsRemovedWithTheDeployment(t *testing.T) {
	t.Parallel()
	in := newInstallation(t)
	a := in.unpack(t, in.project(t, "shop"), platformtest.NewApp("one"))
	in.platform.Prestart(t.Context(), a)
	a.Deployment.Status = anchor.DeployFailed
	must(t, in.store.UpdateDeployment(t.Context(), a.Deployment, anchor.Deploying))
	must(t, in.platform.Remove(t.Context(), a.Deployment))
	if n := in.pools(t); n != 0 {
		t.Errorf("%d pools are left", n)
	}
	in.wantNothingOf(t, a.Deployment.ID)
}
