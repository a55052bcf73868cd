package builder

import (
	"slices"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// queueFixture records which jobs start.
type queueFixture struct {
	*testing.T
	*queue
	started []string
}

func newQueueFixture(t *testing.T, limit int) *queueFixture {
	f := &queueFixture{T: t}
	f.queue = newQueue(limit, func(j *job) { f.started = append(f.started, j.deployment.CommitSha) })
	return f
}

func (f *queueFixture) job(project, branch, commit string) *job {
	return &job{
		project:    anchor.Project{ID: anchor.ProjectID(project)},
		deployment: anchor.Deployment{Branch: branch, CommitSha: commit},
	}
}

func (f *queueFixture) mustAdd(j *job, skips ...string) *job {
	f.Helper()
	skipped, _, ok := f.add(j)
	var names []string
	for _, s := range skipped {
		names = append(names, s.deployment.CommitSha)
	}
	if !ok || !slices.Equal(names, skips) {
		f.Errorf("adding %s skips %q, want %q", j.deployment.CommitSha, names, skips)
	}
	return j
}

func (f *queueFixture) wantStarted(commits ...string) {
	f.Helper()
	if !slices.Equal(f.started, commits) {
		f.Fatalf("started %q, want %q", f.started, commits)
	}
}

func TestQueue_OneBuildOfAProjectAtATime(t *testing.T) {
	f := newQueueFixture(t, 3)
	first := f.mustAdd(f.job("a", "main", "a1"))
	f.mustAdd(f.job("a", "x", "a2"))
	f.mustAdd(f.job("b", "main", "b1"))
	f.wantStarted("a1", "b1")
	f.done(first)
	f.wantStarted("a1", "b1", "a2")
}

func TestQueue_LimitOfAllProjects(t *testing.T) {
	f := newQueueFixture(t, 2)
	first := f.mustAdd(f.job("a", "main", "a1"))
	f.mustAdd(f.job("b", "main", "b1"))
	third := f.job("c", "main", "c1")
	if _, ahead, _ := f.add(third); ahead != 2 {
		t.Errorf("%d builds are ahead of the third, want 2", ahead)
	}
	f.mustAdd(f.job("d", "main", "d1"))
	f.wantStarted("a1", "b1")
	f.done(first)
	f.wantStarted("a1", "b1", "c1")
}

func TestQueue_OnlyTheNewestOfABranchWaits(t *testing.T) {
	f := newQueueFixture(t, 1)
	first := f.mustAdd(f.job("a", "main", "a1")) // runs, and is not replaced
	f.mustAdd(f.job("a", "main", "a2"))
	f.mustAdd(f.job("a", "x", "x1"))
	f.mustAdd(f.job("b", "main", "b1"))
	f.mustAdd(f.job("a", "main", "a3"), "a2")
	f.done(first)
	f.wantStarted("a1", "x1")
}

func TestQueue_RemoveAndClose(t *testing.T) {
	f := newQueueFixture(t, 1)
	first := f.mustAdd(f.job("a", "main", "a1"))
	second, third := f.mustAdd(f.job("b", "main", "b1")), f.mustAdd(f.job("c", "main", "c1"))
	if !f.remove(second) || f.remove(second) || f.remove(first) {
		t.Error("remove does not report whether a build waited")
	}
	if left := f.close(); !slices.Equal(left, []*job{third}) {
		t.Errorf("close returns %d builds that waited, want 1", len(left))
	}
	if _, _, ok := f.add(f.job("d", "main", "d1")); ok {
		t.Error("a closed queue takes a build")
	}
	f.done(first)
	f.wantStarted("a1")
}
