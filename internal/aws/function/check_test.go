package function_test

import (
	"encoding/binary"
	"path/filepath"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact"
	"github.com/anchor-deploy/anchor/internal/aws/function"
	"github.com/anchor-deploy/anchor/internal/deploy"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
)

func TestCheck(t *testing.T) {
	f := function.New(function.Config{Installation: "anchor"})
	for name, test := range map[string]struct {
		change func(*deploy.Artifact)
		code   string
		says   []string
	}{
		"a good one":        {func(*deploy.Artifact) {}, "", nil},
		"a name of 64":      {func(a *deploy.Artifact) { split(a, strings.Repeat("x", 64-len("anchor-shop-"))) }, "", nil},
		"a name of 65":      {func(a *deploy.Artifact) { split(a, strings.Repeat("x", 65-len("anchor-shop-"))) }, "function_name_too_long", []string{"xxx", "64"}},
		"two of one name":   {func(a *deploy.Artifact) { split(a, "server") }, "function_name_taken", []string{"default", "server"}},
		"just small enough": {grow("server-functions/default/large.bin", 250<<20-40_000), "", nil},
		"too large":         {grow("server-functions/default/large.bin", 250<<20), "function_too_large", []string{"default", "251 MB", "250"}},
		"external middleware": {func(a *deploy.Artifact) {
			a.Build.Functions = append(a.Build.Functions, anchor.Function{Name: anchor.MiddlewareFunction, Dir: "middleware", Handler: "handler.handler", Edge: true})
		}, "", nil},
		"a large environment": {func(a *deploy.Artifact) {
			a.Env = map[string]string{"SMALL": "x", "HUGE": strings.Repeat("x", 3000), "LARGE": strings.Repeat("x", 1000)}
		}, "env_too_large", []string{"HUGE (3010 bytes), LARGE (1011 bytes), SMALL"}},
		// Two thousand bytes, which Lambda counts as four thousand.
		"an environment of quotes": {func(a *deploy.Artifact) {
			a.Env = map[string]string{"FIRST": strings.Repeat(`"`, 1000), "SECOND": strings.Repeat("\n", 1000)}
		}, "env_too_large", []string{"4025 bytes", "FIRST", "SECOND"}},
		"a name Lambda refuses":  {func(a *deploy.Artifact) { a.Env = map[string]string{"_PRIVATE": "x"} }, "bad_env", []string{"_PRIVATE"}},
		"a name Lambda sets":     {func(a *deploy.Artifact) { a.Env = map[string]string{"AWS_REGION": "x"} }, "reserved_env", []string{"AWS_REGION"}},
		"what misleads a client": {func(a *deploy.Artifact) { a.Env = map[string]string{"AWS_ENDPOINT_URL_S3": "x"} }, "reserved_env", []string{"AWS_ENDPOINT_URL_S3"}},
		"a link out of a bundle": {func(a *deploy.Artifact) { link(a, "node_modules/x", "../../../assets") }, "link_leaves_bundle", []string{"node_modules/x", "../../../assets"}},
		"a link in a bundle":     {func(a *deploy.Artifact) { link(a, "node_modules/x", ".store/x") }, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			a := artifactOf(t, anchor.Project{ID: "p", Slug: "shop"}, platformtest.NewApp("one"))
			test.change(&a)
			err := f.Check(a, anchor.Settings{}, anchor.Settings{})
			if test.code == "" {
				must(t, err)
				return
			}
			wantCode(t, err, test.code)
			for _, word := range test.says {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("%q does not say %q", err, word)
				}
			}
		})
	}
}

// What the manifest shows is refused before the files are sent, with Check's own error.
func TestCheckManifest(t *testing.T) {
	f := function.New(function.Config{Installation: "anchor"})
	shop := platformtest.NewApp("one").Images("one").With("revalidation-function/index.mjs", "")
	long := strings.Repeat("x", 65-len("anchor-shop-"))
	for name, test := range map[string]struct {
		app    platformtest.App
		change func(*deploy.Artifact)
		code   string
	}{
		"a good one":            {app: shop},
		"a large asset":         {app: shop, change: grow("assets/film.mp4", 300<<20)},
		"a name of 64":          {app: shop.Split(long[1:], "split", "one")},
		"a name of 65":          {app: shop.Split(long, "split", "one"), code: "function_name_too_long"},
		"two of one name":       {app: shop.Split("server", "split", "one"), code: "function_name_taken"},
		"a name of our own":     {app: shop.Split("revalidate", "split", "one"), code: "function_name_taken"},
		"external middleware":   {app: shop.Middleware()},
		"a large one":           {app: shop.Middleware(), change: grow("middleware/large.wasm", 251<<20), code: "function_too_large"},
		"a large split one":     {app: shop.Split("checkout", "split", "one"), change: grow("server-functions/checkout/large.bin", 251<<20), code: "function_too_large"},
		"a large image one":     {app: shop, change: grow("image-optimization-function/large.bin", 251<<20), code: "function_too_large"},
		"a large revalidation":  {app: shop, change: grow("revalidation-function/large.bin", 251<<20), code: "function_too_large"},
		"a link out of one":     {app: shop, change: func(a *deploy.Artifact) { link(a, "node_modules/x", "../../../assets") }, code: "link_leaves_bundle"},
		"a large environment":   {app: shop, change: setEnv("HUGE", strings.Repeat("x", 4000)), code: "env_too_large"},
		"a name Lambda refuses": {app: shop, change: setEnv("_PRIVATE", "x"), code: "bad_env"},
		"a name Lambda sets":    {app: shop, change: setEnv("AWS_PROFILE", "x"), code: "reserved_env"},
	} {
		t.Run(name, func(t *testing.T) {
			a := artifactOf(t, anchor.Project{ID: "p", Slug: "shop"}, test.app)
			if test.change != nil {
				test.change(&a)
			}
			early, late := f.CheckManifest(a.Project, a.Manifest, a.Env), f.Check(a, anchor.Settings{}, anchor.Settings{})
			if test.code == "" {
				must(t, early)
				must(t, late)
				return
			}
			wantCode(t, early, test.code)
			wantCode(t, late, test.code)
			if early.Error() != late.Error() || anchor.HintOf(early) != anchor.HintOf(late) || anchor.HintOf(early) == "" {
				t.Errorf("early it says %q (%s), later %q (%s)", early, anchor.HintOf(early), late, anchor.HintOf(late))
			}
		})
	}
}

func split(a *deploy.Artifact, name string) {
	server, _ := a.Build.Function(anchor.ServerFunction)
	server.Name = name
	a.Build.Functions = append(a.Build.Functions, server)
}

// grow adds a file of size bytes.
func grow(path string, size int64) func(*deploy.Artifact) {
	return func(a *deploy.Artifact) {
		a.Manifest.Files = append(a.Manifest.Files, artifact.File{Path: path, Size: size})
	}
}

func setEnv(name, value string) func(*deploy.Artifact) {
	return func(a *deploy.Artifact) { a.Env = map[string]string{name: value} }
}

func link(a *deploy.Artifact, from, to string) {
	a.Manifest.Files = append(a.Manifest.Files, artifact.File{Path: "server-functions/default/" + from, Link: to})
}

// elf is the beginning of a module for a machine (e_machine of the ELF header).
func elf(machine uint16) string {
	header := make([]byte, 64)
	copy(header, "\x7fELF\x02\x01\x01")
	binary.LittleEndian.PutUint16(header[18:], machine)
	return string(header)
}

func TestArchitecture(t *testing.T) {
	const x64, arm64 = 62, 183
	s := newStand(t)
	for name, test := range map[string]struct {
		modules map[string]uint16
		want    string
	}{
		"none":  {nil, "arm64"},
		"arm64": {map[string]uint16{"a": arm64}, "arm64"},
		"x64":   {map[string]uint16{"a": x64}, "x86_64"},
		"mixed": {map[string]uint16{"a": x64, "b": arm64}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			app, p := platformtest.NewApp("one"), newProject()
			for module, machine := range test.modules {
				app = app.With("server-functions/default/node_modules/"+module+"/build/"+module+".node", elf(machine))
			}
			a := artifactOf(t, p, app)
			err := s.Check(a, anchor.Settings{}, anchor.Settings{})
			if test.want == "" {
				wantCode(t, err, "native_mismatch")
				for _, word := range []string{"a in server-functions/default", "b in server-functions/default", "linux-x64", "linux-arm64"} {
					if !strings.Contains(err.Error(), word) {
						t.Errorf("%q does not say %q", err, word)
					}
				}
				return
			}
			must(t, err)
			s.publish(t, a)
			got := s.cloud.CLI(t, "lambda", "get-function-configuration", "--function-name", "anchor-"+p.Slug+"-server", "--query", "Architectures", "--output", "text")
			if strings.TrimSpace(got) != test.want {
				t.Errorf("the function is made for %s, want %s", got, test.want)
			}
		})
	}
}

func TestZip(t *testing.T) {
	f := function.New(function.Config{Installation: "anchor"})
	p := anchor.Project{ID: "p", Slug: "shop"}
	tree := func() deploy.Artifact {
		dir := platformtest.NewApp("one").Write(t)
		home := filepath.Join(dir, "server-functions/default")
		write(t, filepath.Join(home, "bin/tool"), "#!/bin/sh\n", 0o755)
		symlink(t, "bin/tool", filepath.Join(home, "tool"))
		return artifactIn(t, p, dir)
	}
	packed := f.Zip(t, tree(), anchor.ServerFunction)
	if again := f.Zip(t, tree(), anchor.ServerFunction); string(again) != string(packed) {
		t.Error("equal trees make two zips")
	}
	for name, want := range map[string]string{
		"bin/tool": "-rwxr-xr-x", "tool": "Lrwxrwxrwx", "index.mjs": "-rw-r--r--", ".next/required-server-files.json": "-rw-r--r--",
		"anchor-entry.mjs": "-rw-r--r--", "anchor-modules/guard.mjs": "-rw-r--r--",
	} {
		if mode, _ := entry(t, packed, name); mode != want {
			t.Errorf("%s has the mode %s, want %s", name, mode, want)
		}
	}
	if _, target := entry(t, packed, "tool"); target != "bin/tool" {
		t.Errorf("the link leads to %q", target)
	}
	if _, code := entry(t, packed, "anchor-entry.mjs"); !strings.Contains(code, `from "./index.mjs"`) {
		t.Errorf("the entry is %s", code)
	}
}
