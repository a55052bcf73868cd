package cli

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api"
	"github.com/anchor-deploy/anchor/internal/api/apitest"
	"github.com/anchor-deploy/anchor/internal/project"
	"github.com/anchor-deploy/anchor/internal/records/memory"
)

// slowProjects removes projects as on AWS: they are retired at once, and gone later.
type slowProjects struct {
	*project.Service
	records *memory.Store

	mu    sync.Mutex
	looks int // how often a retired project is still found
}

func (s *slowProjects) Remove(ctx context.Context, idOrSlug string) error {
	p, err := s.Service.Get(ctx, idOrSlug)
	if err != nil {
		return err
	}
	return s.records.RetireProject(ctx, p.ID)
}

func (s *slowProjects) Get(ctx context.Context, idOrSlug string) (anchor.Project, error) {
	p, err := s.Service.Get(ctx, idOrSlug)
	if err != nil || !p.Removing {
		return p, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.looks--; s.looks > 0 {
		return p, nil
	}
	return p, s.records.DeleteProject(ctx, p.ID)
}

// removeShop runs anchor projects rm and returns its output. A retired project is found looks
// times; with looks 0 it is removed at once.
func removeShop(t *testing.T, terminal bool, looks int, args ...string) string {
	t.Helper()
	a := apitest.New(t, apitest.Options{})
	services := a.Services()
	if looks > 0 {
		services.Projects = &slowProjects{Service: a.Projects, records: a.Records, looks: looks}
	}
	t.Setenv("ANCHOR_TOKEN", apitest.AdminToken)
	t.Setenv("ANCHOR_URL", apitest.Serve(t, services, api.Options{}, nil))
	var out bytes.Buffer
	streams := IOStreams{In: strings.NewReader(""), Out: &out, Err: &out, Width: 80, IsTerminal: terminal}
	if code := run(t.Context(), []string{"projects", "create", "shop"}, streams, Parts{}); code != 0 {
		t.Fatalf("projects create ended with %d: %s", code, &out)
	}
	out.Reset()
	if code := run(t.Context(), append([]string{"projects", "rm", "shop", "--yes"}, args...), streams, Parts{}); code != 0 {
		t.Fatalf("projects rm ended with %d: %s", code, &out)
	}
	return out.String()
}

func TestRemoveProject_ContinuesInBackground(t *testing.T) {
	if out := removeShop(t, true, 3); !strings.Contains(out, "Ctrl-C stops waiting; the removal continues") || !strings.HasSuffix(out, "Removed shop.\n") {
		t.Errorf("on a terminal it says %s", out)
	}
	out := removeShop(t, false, 100)
	if !strings.Contains(out, "shop is being removed, which takes some minutes on AWS") || strings.Contains(out, "Removed") {
		t.Errorf("in a script it says %s", out)
	}
	if out := removeShop(t, true, 100, "--json"); !strings.Contains(out, `"removing": true`) {
		t.Errorf("as JSON it says %s", out)
	}
	if out := removeShop(t, true, 0); out != "Removed shop.\n" {
		t.Errorf("at once it says %s", out)
	}
}

func TestProjects_ListsRemovalUnderWay(t *testing.T) {
	removeShop(t, false, 100)
	var out bytes.Buffer
	if code := run(t.Context(), []string{"projects"}, IOStreams{Out: &out, Err: &out, Width: 80}, Parts{}); code != 0 || !strings.Contains(out.String(), "being removed") {
		t.Errorf("the list ends with %d: %s", code, &out)
	}
}
