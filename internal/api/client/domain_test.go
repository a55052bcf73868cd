package client_test

import (
	"errors"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

// Names contain characters that are special in a path.
func TestDomain_EscapesName(t *testing.T) {
	c := newClient(t, nil)
	for _, slug := range []string{"shop", "blog"} {
		if _, err := c.CreateProject(t.Context(), slug, "main"); err != nil {
			t.Fatal(err)
		}
	}
	added, err := c.AddDomain(t.Context(), "shop", wire.AddDomain{Domain: "*.bücher.example"})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{string(added.ID), "*.bücher.example", "*.XN--BCHER-KVA.example.", "https://*.bücher.example/a?b#c"} {
		if d, err := c.Domain(t.Context(), "shop", name); err != nil || d.ID != added.ID {
			t.Errorf("Domain(%q) = %s, %v", name, d.ID, err)
		}
	}
	if d, err := c.CheckDomain(t.Context(), "shop", added.Name); err != nil || d.Diagnosis == nil {
		t.Errorf("CheckDomain = %+v, %v", d, err)
	}
	if _, err := c.MoveDomain(t.Context(), "shop", added.Name, "blog"); err != nil {
		t.Error(err)
	}
	if _, err := c.Domain(t.Context(), "shop", added.Name); !errors.Is(err, anchor.ErrNotFound) {
		t.Errorf("the project it was moved from returns %v", err)
	}
	list, err := c.Domains(t.Context(), "blog", anchor.Page{})
	if err != nil || len(list.Items) != 1 {
		t.Errorf("Domains = %+v, %v", list, err)
	}
	if err := c.RemoveDomain(t.Context(), "blog", added.Name); err != nil {
		t.Error(err)
	}
	if err := c.RemoveDomain(t.Context(), "blog", added.Name); !errors.Is(err, anchor.ErrNotFound) {
		t.Errorf("removing it again returns %v", err)
	}
}
