package worker

import (
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/local/worker/cgroup"
	"github.com/anchor-deploy/anchor/internal/local/worker/jail"
)

// inGroup returns a site whose processes are bound by limits, in a control group where the system
// has them.
func inGroup(t *testing.T, limits cgroup.Limits, spec Spec) (*site, *cgroup.Tree) {
	t.Helper()
	useWalls(t)
	tree := cgroup.Open()
	t.Cleanup(func() {
		if err := tree.Close(); err != nil {
			t.Error(err)
		}
	})
	group := tree.Group("shop")
	if err := group.Set(limits); err != nil {
		t.Fatal(err)
	}
	spec.Group = group
	return newSite(t, spec), tree
}

func TestLimits_MemoryHeldByGroupOrProcess(t *testing.T) {
	s, tree := inGroup(t, cgroup.Limits{Memory: 160 << 20}, Spec{Handler: "faults.handler", Min: 1})
	if a := s.do(t, "POST", "/buffers", nil); a.StatusCode != 502 && a.body != "refused" {
		t.Errorf("a request that takes 400 MiB got %d %q", a.StatusCode, a.body)
	}
	if a := s.get(t, "/pid"); a.StatusCode != 200 {
		t.Errorf("the next visitor got %d %q", a.StatusCode, a.body)
	}
	if tree.Held().Memory {
		s.logs.wait(t, "killed: the project reached its memory limit of 160 MiB")
	}
}

func TestLimits_BoundEachProcessWithoutGroup(t *testing.T) {
	t.Parallel()
	group := (&cgroup.Tree{}).Group("shop") // as on a system without control groups
	p := &Pool{spec: Spec{Walls: jail.Walls{Level: jail.Namespaced}, Group: group}}
	free := p.processLimits()
	for _, one := range []struct {
		set  cgroup.Limits
		want jail.Limits
	}{
		{cgroup.Limits{}, free},
		{cgroup.Limits{CPUMillis: 100}, free},
		{cgroup.Limits{Memory: 64 << 20}, jail.Limits{Processes: free.Processes, Files: free.Files, Data: 64 << 20, Tmp: free.Tmp}},
		{cgroup.Limits{Memory: 1 << 50, Processes: 1 << 20}, jail.Limits{
			Processes: free.Processes, Files: free.Files, Data: maxData + 3<<48, Tmp: free.Tmp,
		}},
		{cgroup.Limits{Processes: 100}, jail.Limits{Processes: 100, Files: free.Files, Data: free.Data, Tmp: free.Tmp}},
	} {
		if err := group.Set(one.set); err != nil {
			t.Fatal(err)
		}
		if got := p.processLimits(); got != one.want {
			t.Errorf("under %+v: %+v, want %+v", one.set, got, one.want)
		}
		if strings.Contains(strings.Join(p.nodeFlags(), " "), "max-old-space-size") != (one.set.Memory > 0) {
			t.Errorf("under %+v Node.js starts with %q", one.set, p.nodeFlags())
		}
	}
}
