package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestPages_AreFresh fails when a command or route changed and `make docs` was not run.
func TestPages_AreFresh(t *testing.T) {
	want, err := pages()
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range want {
		there, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			t.Errorf("%v; run make docs", err)
			continue
		}
		if !bytes.Equal(there, content) {
			t.Errorf("docs/%s is stale; run make docs\n%s", name, cmp.Diff(string(there), string(content)))
		}
	}
}

func TestPages_NameEveryCommandAndRoute(t *testing.T) {
	all, err := pages()
	if err != nil {
		t.Fatal(err)
	}
	for page, wants := range map[string][]string{
		"cli.md": {"## anchor up\n", "--base-domain", "## anchor env set\n", "anchor deploy --prebuilt ./my-next-app", "(#anchor-rollback)"},
		"api.md": {"## POST /projects/{projectId}/rollback\n", "takes [Rollback](#rollback)", "### Rollback\n", "`targetDeploymentId`", "Needs a token of scope `deploy`"},
	} {
		for _, want := range wants {
			if !bytes.Contains(all[page], []byte(want)) {
				t.Errorf("%s does not hold %q", page, want)
			}
		}
	}
}

func TestPages_DoNotDependOnMachine(t *testing.T) {
	first, err := pages()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOME", t.TempDir())
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	t.Setenv("ANCHOR_URL", "http://192.0.2.1")
	t.Setenv("COLUMNS", "40")
	second, err := pages()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, second); diff != "" {
		t.Error(diff)
	}
}

func TestWrite_ReplacesEveryPage(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "cli.md"), []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := write(dir); err != nil {
		t.Fatal(err)
	}
	want, _ := pages()
	for name, content := range want {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !bytes.Equal(got, content) {
			t.Errorf("%s: %v, %d bytes; want %d", name, err, len(got), len(content))
		}
	}
	if err := write(filepath.Join(dir, "missing")); err == nil || !strings.Contains(err.Error(), "missing") {
		t.Errorf("write to a folder that is not there: %v", err)
	}
}

func TestPages_DescribeDomainRoutes(t *testing.T) {
	all, err := pages()
	if err != nil {
		t.Fatal(err)
	}
	const route = "/projects/{projectId}/domains/{domainId}"
	for _, name := range []string{"api.md", "openapi.json"} {
		if !bytes.Contains(all[name], []byte(route)) {
			t.Errorf("%s leaves out %s, which anchor up serves", name, route)
		}
	}
}
