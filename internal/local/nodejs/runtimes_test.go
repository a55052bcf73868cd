package nodejs_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact/opennext"
	"github.com/anchor-deploy/anchor/internal/local/nodejs"
	"github.com/anchor-deploy/anchor/internal/local/worker"
)

// withNodeInPath puts a program that prints a version into PATH, alone; "" for none.
func withNodeInPath(t *testing.T, version string) {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	if version == "" {
		return
	}
	if err := os.WriteFile(filepath.Join(dir, "node"), []byte("#!/bin/sh\necho v"+version+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, choice string, r *registry) *nodejs.Runtimes {
	t.Helper()
	runtimes, err := nodejs.Open(t.Context(), choice, &nodejs.Store{Dir: t.TempDir(), Registry: r.Registry})
	if err != nil {
		t.Fatal(err)
	}
	return runtimes
}

func (r *registry) fails() {
	r.Registry = &nodejs.Registry{URL: "http://127.0.0.1:1", Client: r.Client}
}

var quiet = slog.New(slog.DiscardHandler)

func TestOpen_AutoServesAtOnceAndInstallsMeanwhile(t *testing.T) {
	withNodeInPath(t, "20.5.0")
	r := newRegistry(t, "24.1.0")
	runtimes := open(t, nodejs.Auto, r)
	if got := runtimes.Default().Version; got != "20.5.0" || r.downloads.Load() != 0 {
		t.Fatalf("it begins with %s after %d downloads", got, r.downloads.Load())
	}
	chosen := make(chan string)
	go func() {
		node, note, err := runtimes.Choose(t.Context(), opennext.Runtime{Engines: ">=20"})
		if err != nil || note != "" {
			t.Errorf("%q, %v", note, err)
		}
		chosen <- node.Version
	}()
	runtimes.Run(t.Context(), quiet)
	if got := <-chosen; got != "24.1.0" {
		t.Errorf("a deployment that waited runs on %s", got)
	}
	if got := runtimes.Default().Version; got != "24.1.0" || runtimes.Problem() != "" {
		t.Errorf("Default is %s, problem %q", got, runtimes.Problem())
	}
}

func TestOpen_AutoContinuesWithTheMachinesNode(t *testing.T) {
	t.Run("without a network", func(t *testing.T) {
		withNodeInPath(t, "20.5.0")
		r := newRegistry(t)
		r.fails()
		runtimes := open(t, nodejs.Auto, r)
		runtimes.Run(t.Context(), quiet)
		wantMachine(t, runtimes, "24 could not be installed")
	})
	t.Run("when workers cannot run the other", func(t *testing.T) {
		withNodeInPath(t, "20.5.0")
		runtimes := open(t, nodejs.Auto, newRegistry(t, "24.1.0"))
		runtimes.Check = func(context.Context, worker.Node) error { return errors.New("no access") }
		runtimes.Run(t.Context(), quiet)
		wantMachine(t, runtimes, "no access")
	})
	t.Run("when it is new enough", func(t *testing.T) {
		withNodeInPath(t, "24.0.0")
		r := newRegistry(t, "24.1.0")
		runtimes := open(t, nodejs.Auto, r)
		runtimes.Run(t.Context(), quiet)
		if got := runtimes.Default().Version; got != "24.0.0" || r.downloads.Load() != 0 {
			t.Errorf("%s after %d downloads", got, r.downloads.Load())
		}
	})
}

func wantMachine(t *testing.T, runtimes *nodejs.Runtimes, problem string) {
	t.Helper()
	node, _, err := runtimes.Choose(t.Context(), opennext.Runtime{})
	if err != nil || node.Version != "20.5.0" || !strings.Contains(runtimes.Problem(), problem) {
		t.Errorf("%s, %v, problem %q", node.Version, err, runtimes.Problem())
	}
}

func TestOpen_InstallsBeforeItServesWhereThereIsNoNode(t *testing.T) {
	withNodeInPath(t, "")
	for _, choice := range []string{nodejs.Auto, "24", ">=22"} {
		if got := open(t, choice, newRegistry(t, "24.1.0")).Default().Version; got != "24.1.0" {
			t.Errorf("%s: %s", choice, got)
		}
	}
	r := newRegistry(t)
	r.fails()
	_, err := nodejs.Open(t.Context(), nodejs.Auto, &nodejs.Store{Dir: t.TempDir(), Registry: r.Registry})
	if anchor.HintOf(err) == "" {
		t.Errorf("%v has no hint", err)
	}
}

func TestOpen_ProgramOfTheOperatorRunsEverything(t *testing.T) {
	withNodeInPath(t, "20.5.0")
	r := newRegistry(t, "22.1.0", "24.1.0")
	runtimes := open(t, "node", r)
	for _, wanted := range []opennext.Runtime{{}, {Engines: "22"}, {ABI: 137}} {
		if node, _, err := runtimes.Choose(t.Context(), wanted); err != nil || node.Version != "20.5.0" {
			t.Errorf("%+v: %s, %v", wanted, node.Version, err)
		}
	}
}

func TestRuntimes_Choose_ByWhatABuildAsksFor(t *testing.T) {
	withNodeInPath(t, "20.5.0")
	runtimes := open(t, "24", newRegistry(t, "20.9.0", "22.1.0", "24.1.0"))
	for _, c := range []struct {
		wanted  opennext.Runtime
		version string
		note    string
	}{
		{opennext.Runtime{}, "24.1.0", ""},
		{opennext.Runtime{Engines: ">=18"}, "24.1.0", ""},
		{opennext.Runtime{Engines: "20.x || 22.x"}, "20.5.0", ""}, // the machine's, before a download
		{opennext.Runtime{Engines: "22.x"}, "22.1.0", ""},
		{opennext.Runtime{Engines: ">=20", ABI: 127}, "22.1.0", ""}, // modules do not load elsewhere
		{opennext.Runtime{Bound: true}, "20.5.0", ""},
		{opennext.Runtime{Engines: "16"}, "24.1.0", `engines.node is "16", but the app runs on Node.js 24.1.0`},
		{opennext.Runtime{Engines: "latest"}, "24.1.0", "is not a range of versions"},
	} {
		node, note, err := runtimes.Choose(t.Context(), c.wanted)
		if err != nil || node.Version != c.version || !strings.Contains(note, c.note) || c.note == "" && note != "" {
			t.Errorf("%+v: %s, %q, %v", c.wanted, node.Version, note, err)
		}
		if again := runtimes.Find(c.wanted); again != node {
			t.Errorf("%+v after a restart: %v, before %v", c.wanted, again, node)
		}
	}
	if _, _, err := runtimes.Choose(t.Context(), opennext.Runtime{ABI: 131}); anchor.HintOf(err) == "" || !strings.Contains(err.Error(), "Node.js 23") {
		t.Errorf("modules for a version that cannot be had: %v", err)
	}
}
