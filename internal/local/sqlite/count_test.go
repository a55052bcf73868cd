package sqlite_test

import (
	"path/filepath"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

func TestCount_WhatTheRecordsHold(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "records.db"))
	for _, slug := range []string{"shop", "blog"} {
		if err := s.CreateProject(t.Context(), anchor.Project{ID: anchor.ProjectID(slug), Slug: slug}); err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range []anchor.Deployment{
		{ID: "a", ProjectID: "shop", Status: anchor.Queued}, {ID: "b", ProjectID: "shop", Status: anchor.Queued},
		{ID: "c", ProjectID: "blog", Status: anchor.Queued},
	} {
		if err := s.CreateDeployment(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	c, err := s.Count(t.Context())
	if err != nil || c.Projects != 2 || c.Deployments[string(anchor.Queued)] != 3 || len(c.Deployments) != 1 || c.Bytes < 4096 {
		t.Errorf("%+v %v", c, err)
	}
}
