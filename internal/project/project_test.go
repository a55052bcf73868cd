package project_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/project"
	"github.com/anchor-deploy/anchor/internal/records/memory"
)

// platform records what it was called to remove. The records of a project must still exist then.
type platform struct {
	removed []anchor.ProjectID
	err     error
	store   *memory.Store
	t       *testing.T
}

func (p *platform) RemoveProject(ctx context.Context, id anchor.ProjectID) error {
	if stored, err := p.store.Project(ctx, id); err != nil || !stored.Removing {
		p.t.Errorf("called to remove %s, whose record is %+v, %v", id, stored, err)
	}
	p.removed = append(p.removed, id)
	return p.err
}

// noDeployments is project.Deployments without any deployment.
type noDeployments struct{}

func (noDeployments) CancelAll(context.Context, anchor.ProjectID) error { return nil }

func (noDeployments) Exclusive(ctx context.Context, _ anchor.ProjectID, work func(context.Context) error) error {
	return work(ctx)
}

func service(t *testing.T) (*project.Service, *memory.Store, *platform) {
	store := memory.New()
	remover := &platform{store: store, t: t}
	ports := project.Ports{Records: store, Deployments: noDeployments{}, Remover: remover}
	options := project.Options{Now: func() time.Time { return time.UnixMilli(7) }, Log: slog.New(slog.DiscardHandler)}
	return project.New(ports, options), store, remover
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

func TestService_Get_ByIDAndSlug(t *testing.T) {
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

func TestService_Create_Refuses(t *testing.T) {
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

func TestService_Create_MaxProjects(t *testing.T) {
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
	if err := s.Remove(t.Context(), string(last.ID)); err != nil {
		t.Fatal(err)
	}
	create(t, s, "more")
}
