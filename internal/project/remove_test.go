package project_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/project"
	"github.com/anchor-deploy/anchor/internal/records/memory"
)

// removal is the ports of a removal. It records the calls that took effect. A call of cut fails:
// before it takes effect, or after it. A call of busy is KindBusy.
type removal struct {
	*memory.Store
	calls     []string
	cut, busy string
	after     bool
	dispatch  func(context.Context, anchor.ProjectID) error
}

var errCut = errors.New("the process was killed")

func (r *removal) call(name string, do func() error) error {
	switch {
	case r.busy == name:
		return &anchor.Error{Kind: anchor.KindBusy, Code: "settling", Message: name + " waits"}
	case r.cut == name && !r.after:
		return errCut
	}
	if err := do(); err != nil {
		return err
	}
	r.calls = append(r.calls, name)
	if r.cut == name {
		return errCut
	}
	return nil
}

func (r *removal) RetireProject(ctx context.Context, id anchor.ProjectID) error {
	return r.call("retire", func() error { return r.Store.RetireProject(ctx, id) })
}

func (r *removal) RemoveAll(ctx context.Context, id anchor.ProjectID) error {
	return r.call("domains", func() error { return r.wantRetired(ctx, id) })
}

func (r *removal) CancelAll(ctx context.Context, id anchor.ProjectID) error {
	return r.call("cancel", func() error { return r.wantRetired(ctx, id) })
}

func (r *removal) Exclusive(ctx context.Context, _ anchor.ProjectID, work func(context.Context) error) error {
	return r.call("lock", func() error { return work(ctx) })
}

func (r *removal) RemoveProject(ctx context.Context, id anchor.ProjectID) error {
	return r.call("platform", func() error { return r.wantRetired(ctx, id) })
}

func (r *removal) DeleteProject(ctx context.Context, id anchor.ProjectID) error {
	return r.call("records", func() error { return r.Store.DeleteProject(ctx, id) })
}

// wantRetired returns an error unless the project still has a record and is being removed.
func (r *removal) wantRetired(ctx context.Context, id anchor.ProjectID) error {
	p, err := r.Project(ctx, id)
	if err == nil && !p.Removing {
		err = errors.New("the project is not retired")
	}
	return err
}

// service returns the use-case as another process opens it.
func (r *removal) service() *project.Service {
	return project.New(project.Ports{Records: r, Domains: r, Deployments: r, Remover: r, Dispatch: r.dispatch},
		project.Options{Log: slog.New(slog.DiscardHandler)})
}

func newRemoval(t *testing.T) (*removal, anchor.Project) {
	t.Helper()
	r := &removal{Store: memory.New()}
	return r, create(t, r.service(), "shop")
}

// wantGone asserts that the project is removed, by every step in its order, and its slug free.
func (r *removal) wantGone(t *testing.T, p anchor.Project) {
	t.Helper()
	if _, err := r.Project(t.Context(), p.ID); !errors.Is(err, anchor.ErrNotFound) {
		t.Errorf("the project: %v", err)
	}
	last := -1
	for _, step := range []string{"retire", "domains", "cancel", "platform", "records"} {
		first := slices.Index(r.calls, step)
		if first <= last {
			t.Errorf("%s comes at %d of %v", step, first, r.calls)
		}
		last = first
	}
	create(t, r.service(), p.Slug)
}

// TestService_Remove_Cut ends the process before and after each call, and removes the project with
// another process: by the same command, or by the server itself once the project is retired.
func TestService_Remove_Cut(t *testing.T) {
	for _, cut := range []string{"", "retire", "domains", "cancel", "lock", "platform", "records"} {
		for _, after := range []bool{false, true} {
			for _, again := range []string{"command", "server"} {
				t.Run(fmt.Sprintf("%s, after it %t, by the %s", cut, after, again), func(t *testing.T) {
					r, p := newRemoval(t)
					r.cut, r.after = cut, after
					if err := r.service().Remove(t.Context(), "shop"); cut != "" && !errors.Is(err, errCut) || cut == "" && err != nil {
						t.Fatalf("the first call: %v", err)
					}
					r.cut = ""
					if again == "command" || cut == "retire" && !after {
						err := r.service().Remove(t.Context(), "shop")
						if err != nil && !errors.Is(err, anchor.ErrNotFound) {
							t.Fatalf("the second call: %v", err)
						}
					} else if err := r.service().FinishRemovals(t.Context()); err != nil {
						t.Fatalf("the server: %v", err)
					}
					r.wantGone(t, p)
				})
			}
		}
	}
}

// TestService_Remove_Busy removes a project whose domains, deployments or platform take a while.
func TestService_Remove_Busy(t *testing.T) {
	for _, busy := range []string{"domains", "lock", "platform"} {
		t.Run(busy, func(t *testing.T) {
			r, p := newRemoval(t)
			r.busy = busy
			if err := r.service().Remove(t.Context(), string(p.ID)); err != nil {
				t.Fatalf("a removal that takes a while is an error: %v", err)
			}
			if stored, err := r.Project(t.Context(), p.ID); err != nil || !stored.Removing {
				t.Errorf("meanwhile: %+v, %v", stored, err)
			}
			if err := r.service().FinishRemovals(t.Context()); err != nil {
				t.Errorf("waiting is an error: %v", err)
			}
			r.busy = ""
			if err := r.service().FinishRemovals(t.Context()); err != nil {
				t.Fatal(err)
			}
			r.wantGone(t, p)
		})
	}
}

func TestService_Remove_Fails(t *testing.T) {
	r, p := newRemoval(t)
	r.cut = "platform"
	err := r.service().Remove(t.Context(), "shop")
	fails(t, err, anchor.KindFailed, "remove_failed")
	if !strings.Contains(anchor.HintOf(err), "anchor projects rm shop") {
		t.Errorf("the hint %q does not name the command", anchor.HintOf(err))
	}
	other := create(t, r.service(), "other")
	if err := r.RetireProject(t.Context(), other.ID); err != nil {
		t.Fatal(err)
	}
	r.cut, r.after = "records", true
	if err := r.service().FinishRemovals(t.Context()); !errors.Is(err, errCut) {
		t.Errorf("it returns %v", err)
	}
	for _, id := range []anchor.ProjectID{p.ID, other.ID} { // one error does not stop the others
		if _, err := r.Project(t.Context(), id); !errors.Is(err, anchor.ErrNotFound) {
			t.Errorf("project %s: %v", id, err)
		}
	}
}

func TestService_Remove_CallerLeaves(t *testing.T) {
	r, p := newRemoval(t)
	ctx, leave := context.WithCancel(t.Context())
	s := r.service()
	s.BeforeStep = func(step string) {
		if step == "remove domains" {
			leave()
		}
	}
	if err := s.Remove(ctx, "shop"); err != nil {
		t.Fatal(err)
	}
	r.wantGone(t, p)
}

// TestService_Remove_Dispatches retires the project and leaves the rest to another process, even
// if that cannot be started now.
func TestService_Remove_Dispatches(t *testing.T) {
	r, p := newRemoval(t)
	var dispatched []anchor.ProjectID
	r.dispatch = func(_ context.Context, id anchor.ProjectID) error {
		dispatched = append(dispatched, id)
		return errCut
	}
	for range 2 {
		if err := r.service().Remove(t.Context(), "shop"); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(dispatched, []anchor.ProjectID{p.ID, p.ID}) || !slices.Equal(r.calls, []string{"retire", "retire"}) {
		t.Errorf("dispatched %v, called %v", dispatched, r.calls)
	}
	if removed, err := r.service().FinishRemoval(t.Context(), p.ID); err != nil || !removed {
		t.Errorf("removed %t, %v", removed, err)
	}
	r.wantGone(t, p)
}

func TestService_Remove_UnknownProject(t *testing.T) {
	r, _ := newRemoval(t)
	for _, name := range []string{"unknown", anchor.NewID()} {
		fails(t, r.service().Remove(t.Context(), name), anchor.KindNotFound, "unknown_project")
	}
	if len(r.calls) != 0 {
		t.Errorf("called %v", r.calls)
	}
}

func TestService_FinishRemoval_LeavesProjectsThatAreNotRetired(t *testing.T) {
	r, p := newRemoval(t)
	for _, id := range []anchor.ProjectID{p.ID, anchor.ProjectID(anchor.NewID())} {
		if removed, err := r.service().FinishRemoval(t.Context(), id); err != nil || removed || len(r.calls) != 0 {
			t.Errorf("removed %t, %v, called %v", removed, err, r.calls)
		}
	}
	if err := r.service().FinishRemovals(t.Context()); err != nil || len(r.calls) != 0 {
		t.Errorf("%v, called %v", err, r.calls)
	}
	if _, err := r.Project(t.Context(), p.ID); err != nil {
		t.Error(err)
	}
}
