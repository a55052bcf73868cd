package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/api"
	"github.com/anchor-deploy/anchor/internal/api/apitest"
	"github.com/anchor-deploy/anchor/internal/artifact/build"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
)

// writeApp writes a build that the platform in memory runs.
func writeApp(t *testing.T, app string) {
	t.Helper()
	const module = "server-functions/default/index.mjs"
	name := filepath.Join(writeBuild(t, app), module)
	if err := os.WriteFile(name, []byte(platformtest.NewApp("b1")[module]), 0o644); err != nil {
		t.Fatal(err)
	}
}

// On a terminal a folder that is not tied asks for its project.
func TestDeploy_AsksForProject(t *testing.T) {
	for name, test := range map[string]struct {
		typed   string
		project string // that the folder is tied to, "" for none
		says    string
	}{
		"Enter":              {typed: "\n", says: "already a project shop"},
		"the end of input":   {typed: "", says: "nothing was deployed"},
		"an existing slug":   {typed: "shop\n", project: "shop"},
		"a new slug":         {typed: " other \n", project: "other"},
		"what is not a slug": {typed: "Not A Slug\n", says: "cannot be a project's slug"},
		"a slug of spaces":   {typed: "   \n", says: "nothing was deployed"},
		"no line at all":     {typed: "third", project: "third"},
		"a name with a dot":  {typed: "a.b\n", says: "cannot be a project's slug"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("ANCHOR_URL", apitest.Serve(t, apitest.New(t, apitest.Options{}).Services(), api.Options{}, nil))
			t.Setenv("ANCHOR_TOKEN", apitest.AdminToken)
			app := filepath.Join(t.TempDir(), "shop")
			writeApp(t, app)
			var out bytes.Buffer
			call := func(typed string, args ...string) {
				run(t.Context(), args, IOStreams{In: strings.NewReader(typed), Out: &out, Err: &out, Width: 80, IsTerminal: true}, Parts{})
			}
			call("", "projects", "create", "shop")
			call(test.typed, "deploy", "--prebuilt", "--yes", app)
			if !strings.Contains(out.String(), "is not tied to a project") || !strings.Contains(out.String(), test.says) {
				t.Errorf("it says %s", &out)
			}
			settings, err := build.ReadSettings(app)
			if settings.Project != test.project || (err == nil) != (test.project != "") {
				t.Errorf("the folder is tied to %q, %v; want %q", settings.Project, err, test.project)
			}
		})
	}
}

// Folders that an earlier version deployed from keep their project.
func TestDeploy_TakesProjectOfEarlierVersion(t *testing.T) {
	t.Setenv("ANCHOR_URL", apitest.Serve(t, apitest.New(t, apitest.Options{}).Services(), api.Options{}, nil))
	t.Setenv("ANCHOR_TOKEN", apitest.AdminToken)
	app := t.TempDir()
	writeApp(t, app)
	err := build.InState(app, func(state *os.Root) error {
		return state.WriteFile("project.json", []byte(`{"project":"shop"}`), 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	call := func(args ...string) {
		if code := run(t.Context(), args, IOStreams{In: strings.NewReader(""), Out: &out, Err: &out, Width: 80}, Parts{}); code != 0 {
			t.Errorf("%q ended with %d: %s", args, code, &out)
		}
	}
	call("projects", "create", "shop")
	call("deploy", "--prebuilt", app)
	if settings, err := build.ReadSettings(app); err != nil || settings.Project != "shop" {
		t.Errorf("the folder is tied to %+v, %v", settings, err)
	}
}

func TestSameServer_ComparesWhatURLsMean(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{"https://a.example", "https://a.example/", true},
		{"https://a.example", "https://A.example:443", true},
		{"http://127.0.0.1:3080", "http://localhost:3081", true},
		{"http://[::1]:3080", "http://127.0.0.1:1", true},
		{"https://a.example", "http://a.example", false},
		{"https://a.example", "https://b.example", false},
		{"https://a.example", "https://a.example:8443", false},
		{"https://a.example/prod", "https://a.example/test", false},
		{"https://a.example", "http://127.0.0.1:3080", false},
	} {
		if got := sameServer(test.a, test.b); got != test.want || sameServer(test.b, test.a) != got {
			t.Errorf("%s and %s are one server: %t", test.a, test.b, got)
		}
	}
}
