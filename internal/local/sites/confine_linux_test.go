package sites_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
	"github.com/anchor-deploy/anchor/internal/local/worker/cgroup"
)

func TestRestore_ServesWithoutControlGroup(t *testing.T) {
	in := newInstallation(t)
	in.groups = cgroup.Open()
	t.Cleanup(func() { must(t, in.groups.Close()) })
	if in.groups.Folder() == nil {
		return // this system has no groups: every other test is this one
	}
	most := fmt.Sprintf("/proc/self/fd/%d/cgroup.max.descendants", in.groups.Folder().Fd())
	must(t, os.WriteFile(most, []byte("1"), 0)) // that of cgroup.Tree.Shared
	must(t, in.platform.Close())
	in.start(t)

	p, _, _ := in.publishApp(t, "shop", platformtest.NewApp("one")) // starts its functions
	must(t, in.store.SetLimits(t.Context(), p.ID, anchor.Limits{MemoryBytes: 512 << 20}))
	if err := in.platform.Limit(t.Context(), p.ID); err == nil || !strings.Contains(err.Error(), "make the control group of") {
		t.Errorf("that its limits do not hold for the project is said as %v", err)
	}
	must(t, in.store.SetLimits(t.Context(), p.ID, anchor.Limits{}))
	must(t, in.platform.Limit(t.Context(), p.ID))
}
