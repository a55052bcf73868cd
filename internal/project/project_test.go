package project_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/project"
	"github.com/anchor-deploy/anchor/internal/records/memory"
)

// platform records what it was called to remove.
type platform struct {
	removed []anchor.ProjectID
	err     error
	store   *memory.Store
	t       *testing.T
}

func (p *platform) RemoveProject(ctx context.Context, id anchor.ProjectID) error {
	if _, err := p.store.Project(ctx, id); !errors.Is(err, anchor.ErrNotFound) {
		p.t.Errorf("asked to remove %s while its records are there: %v", id, err)
	}
	p.removed = append(p.removed, id)
	return p.err
}

func service(t *testing.T) (*project.Service, *memory.Store, *platform) {
	store := memory.New()
	remover := &platform{store: store, t: t}
	clock := func() time.Time { return time.UnixMilli(7) }
	return project.New(project.Ports{Records: store, Remover: remover}, project.Options{Now: clock}), store, remover
}

func create(t *testing.T, s *project.Service, slug string) anchor.Project {
	t.Helper()
	p, err := s.Create(t.Context(), slug, "")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func fails(t *testing.T, err error, kind anchor.Kind, code string) {
	t.Helper()
	e := (*anchor.Error)(nil)
	if !errors.As(err, &e) || e.Kind != kind || e.Code != code || e.Hint == "" {
		t.Errorf("error %v, want one of kind %s and code %s with a hint", err, kind, code)
	}
}

func TestAProjectIsFoundByIDAndSlug(t *testing.T) {
	s, _, _ := service(t)
	p, err := s.Create(t.Context(), "shop", "trunk")
	if err != nil {
		t.Fatal(err)
	}
	if want := (anchor.Project{ID: p.ID, Slug: "shop", ProductionBranch: "trunk", CreatedAt: 7}); p != want {
		t.Errorf("made %+v, want %+v", p, want)
	}
	for _, name := range []string{"shop", string(p.ID)} {
		if got, err := s.Get(t.Context(), name); err != nil || got != p {
			t.Errorf("get %q: %+v, %v", name, got, err)
		}
	}
	if other := create(t, s, "other"); other.ProductionBranch != "main" {
		t.Errorf("the branch of a project that names none is %q", other.ProductionBranch)
	}
	list, err := s.List(t.Context(), anchor.Page{Limit: 1})
	if err != nil || len(list.Items) != 1 || list.Items[0].Slug != "other" || list.Next == "" {
		t.Errorf("list: %+v, %v", list, err)
	}
}

func TestCreateRefuses(t *testing.T) {
	s, _, _ := service(t)
	create(t, s, "shop")
	for slug, code := range map[string]string{"": "bad_slug", "Shop": "bad_slug", "a--b": "bad_slug", anchor.NewID(): "bad_slug"} {
		_, err := s.Create(t.Context(), slug, "")
		fails(t, err, anchor.KindInvalid, code)
	}
	for _, branch := range []string{"a b", "a\x00", strings.Repeat("x", 256)} {
		_, err := s.Create(t.Context(), "other", branch)
		fails(t, err, anchor.KindInvalid, "bad_branch")
	}
	_, err := s.Create(t.Context(), "shop", "")
	fails(t, err, anchor.KindConflict, "slug_taken")
	for _, name := range []string{"unknown", "", anchor.NewID()} {
		_, err := s.Get(t.Context(), name)
		fails(t, err, anchor.KindNotFound, "unknown_project")
	}
}

func TestDelete(t *testing.T) {
	s, store, remover := service(t)
	p, stays := create(t, s, "shop"), create(t, s, "stays")
	if err := s.Delete(t.Context(), "shop"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]anchor.ProjectID{p.ID}, remover.removed); diff != "" {
		t.Errorf("removed (-want +got):\n%s", diff)
	}
	if _, err := store.Project(t.Context(), stays.ID); err != nil {
		t.Errorf("the other project: %v", err)
	}
	fails(t, s.Delete(t.Context(), "shop"), anchor.KindNotFound, "unknown_project")
}

func TestDeleteThatFailedHalfWay(t *testing.T) {
	s, store, remover := service(t)
	p := create(t, s, "shop")

	broken := errors.New("disk on fire")
	store.Fault = func(op string) (bool, error) { return false, broken }
	if err := s.Delete(t.Context(), "shop"); !errors.Is(err, broken) || len(remover.removed) != 0 {
		t.Errorf("with a broken store: %v, removed %v", err, remover.removed)
	}

	store.Fault, remover.err = nil, broken
	err := s.Delete(t.Context(), "shop")
	fails(t, err, anchor.KindFailed, "remove_failed")
	if !errors.Is(err, broken) || !strings.Contains(anchor.HintOf(err), string(p.ID)) {
		t.Errorf("error %v does not keep the cause or name the id", err)
	}

	remover.err = nil
	fails(t, s.Delete(t.Context(), string(p.ID)), anchor.KindNotFound, "unknown_project")
	if len(remover.removed) != 2 || remover.removed[1] != p.ID {
		t.Errorf("asked again by the id, it removed %v", remover.removed)
	}
}

func TestSoManyProjectsMayBe(t *testing.T) {
	s, _, _ := service(t)
	s.MaxProjects = 150 // more than a page
	for n := range 149 {
		create(t, s, fmt.Sprintf("shop-%d", n))
	}
	last := create(t, s, "last")
	_, err := s.Create(t.Context(), "more", "")
	fails(t, err, anchor.KindConflict, "too_many_projects")
	if !strings.Contains(err.Error(), "limit of projects: 150") || !strings.Contains(anchor.HintOf(err), "--max-projects 300") {
		t.Errorf("%v: %s", err, anchor.HintOf(err))
	}
	_, err = s.Create(t.Context(), "last", "")
	fails(t, err, anchor.KindConflict, "slug_taken")
	if err := s.Delete(t.Context(), string(last.ID)); err != nil {
		t.Fatal(err)
	}
	create(t, s, "more")
}
