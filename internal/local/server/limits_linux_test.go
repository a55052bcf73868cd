package server

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/local/sites"
	"github.com/anchor-deploy/anchor/internal/local/sqlite"
	"github.com/anchor-deploy/anchor/internal/local/worker/cgroup"
)

// limitedApp returns an app with a project that has limits and one that has none.
func limitedApp(t *testing.T, groups *cgroup.Tree) *app {
	t.Helper()
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "anchor.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	for _, p := range []anchor.Project{
		{ID: "limited", Slug: "shop", Limits: anchor.Limits{MemoryBytes: 512 << 20}}, {ID: "free", Slug: "blog"},
	} {
		if err := store.CreateProject(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	return &app{store: store, walls: sites.Isolation{Groups: groups}}
}

func TestApp_checkLimits_WithoutGroups(t *testing.T) {
	a := limitedApp(t, new(cgroup.Tree))
	warnings := a.limitsWarnings(t.Context())
	if len(warnings) != 1 || !strings.Contains(warnings[0], "limits of shop are not enforced") {
		t.Errorf("the warnings are %q", warnings)
	}
	if c := a.checkLimits(t.Context()); c.OK || !strings.Contains(c.Detail, "shop") || strings.Contains(c.Detail, "blog") || c.Hint == "" {
		t.Errorf("the check is %+v", c)
	}
}

// TestApp_checkLimits_RecordsCannotBeRead reports the error instead of enforced limits.
func TestApp_checkLimits_RecordsCannotBeRead(t *testing.T) {
	a := limitedApp(t, new(cgroup.Tree))
	if err := a.store.Close(); err != nil {
		t.Fatal(err)
	}
	warnings := a.limitsWarnings(t.Context())
	if len(warnings) != 1 || !strings.Contains(warnings[0], "read the limits of the projects") {
		t.Errorf("the warnings are %q", warnings)
	}
	if c := a.checkLimits(t.Context()); c.OK || !strings.Contains(c.Detail, "read the limits of the projects") {
		t.Errorf("the check is %+v", c)
	}
}

// TestApp_checkLimits_SharedGroup names the projects for which the system refused a control group.
func TestApp_checkLimits_SharedGroup(t *testing.T) {
	groups := cgroup.Open()
	t.Cleanup(func() {
		if err := groups.Close(); err != nil {
			t.Error(err)
		}
	})
	if groups.Folder() == nil {
		return // this system has no groups to refuse
	}
	most := fmt.Sprintf("/proc/self/fd/%d/cgroup.max.descendants", groups.Folder().Fd())
	if err := os.WriteFile(most, []byte("1"), 0); err != nil { // that of cgroup.Tree.Shared
		t.Fatal(err)
	}
	a := limitedApp(t, groups)
	groups.Group("limited")
	groups.Group("free")
	for _, p := range []anchor.ProjectID{"limited", "free"} {
		if e := a.enforcementOf(p); e.Memory == anchor.ReachProject || e.Why == "" || e.Hint == "" {
			t.Errorf("for %s it reports %+v", p, e)
		}
	}
	if c := a.checkLimits(t.Context()); c.OK || !strings.Contains(c.Detail, "shop") || !strings.Contains(c.Detail, "blog") {
		t.Errorf("the check is %+v", c)
	}
	if warnings := a.limitsWarnings(t.Context()); len(warnings) != 1 {
		t.Errorf("the warnings are %q", warnings)
	}
}
