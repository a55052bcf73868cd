package project_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/project"
	"github.com/anchor-deploy/anchor/internal/records/memory"
)

// removal is the ports of a removal. It records each step, and the step that fault names fails,
// before it takes effect or after.
type removal struct {
	*memory.Store
	steps []string
	fault string
	after bool
}

var errCut = errors.New("the process was killed")

func (r *removal) step(name string, do func() error) error {
	if r.fault == name && !r.after {
		return errCut
	}
	if err := do(); err != nil {
		return err
	}
	r.steps = append(r.steps, name)
	if r.fault == name {
		return errCut
	}
	return nil
}

func (r *removal) CancelAll(context.Context, anchor.ProjectID) error {
	return r.step("cancel", func() error { return nil })
}

func (r *removal) Between(ctx context.Context, _ anchor.ProjectID, work func(context.Context) error) error {
	return r.step("lock", func() error { return work(ctx) })
}

func (r *removal) RemoveProject(ctx context.Context, id anchor.ProjectID) error {
	return r.step("platform", func() error {
		_, err := r.Project(ctx, id) // the records find what is left after a crash
		return err
	})
}

func (r *removal) DeleteProject(ctx context.Context, id anchor.ProjectID) error {
	return r.step("records", func() error { return r.Store.DeleteProject(ctx, id) })
}

func (r *removal) service() *project.Service {
	return project.New(project.Ports{Records: r, Deployments: r, Remover: r}, project.Options{})
}

func TestService_FinishRemoval_ContinuesAfterACrash(t *testing.T) {
	for _, fault := range []string{"", "cancel", "lock", "platform", "records"} {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, after it %t", fault, after), func(t *testing.T) {
				r := &removal{Store: memory.New()}
				p := create(t, r.service(), "shop")
				if err := r.RetireProject(t.Context(), p.ID); err != nil {
					t.Fatal(err)
				}
				r.fault, r.after = fault, after
				if _, err := r.service().FinishRemoval(t.Context(), p.ID); fault != "" && !errors.Is(err, errCut) || fault == "" && err != nil {
					t.Fatalf("the first call: %v", err)
				}
				r.fault = ""
				if _, err := r.service().FinishRemoval(t.Context(), p.ID); err != nil {
					t.Fatalf("the second call: %v", err)
				}
				if _, err := r.Project(t.Context(), p.ID); !errors.Is(err, anchor.ErrNotFound) {
					t.Errorf("the project: %v", err)
				}
				order := []string{"cancel", "platform", "records"}
				if first := slices.IndexFunc(order, func(s string) bool { return !slices.Contains(r.steps, s) }); first >= 0 {
					t.Errorf("%s was never done: %v", order[first], r.steps)
				}
				if slices.Index(r.steps, "platform") < slices.Index(r.steps, "cancel") || slices.Index(r.steps, "records") < slices.Index(r.steps, "platform") {
					t.Errorf("the steps were %v", r.steps)
				}
			})
		}
	}
}

func TestService_FinishRemoval_LeavesProjectsThatAreNotRetired(t *testing.T) {
	r := &removal{Store: memory.New()}
	p := create(t, r.service(), "shop")
	for _, id := range []anchor.ProjectID{p.ID, anchor.ProjectID(anchor.NewID())} {
		if removed, err := r.service().FinishRemoval(t.Context(), id); err != nil || removed || len(r.steps) != 0 {
			t.Errorf("removed %t, %v, steps %v", removed, err, r.steps)
		}
	}
	if _, err := r.Project(t.Context(), p.ID); err != nil {
		t.Error(err)
	}
}
