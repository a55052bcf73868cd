package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api"
	"github.com/anchor-deploy/anchor/internal/api/apitest"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
	"github.com/anchor-deploy/anchor/internal/domains"
	"github.com/anchor-deploy/anchor/internal/local/alerts"
	"github.com/anchor-deploy/anchor/internal/local/discovery"
	"github.com/anchor-deploy/anchor/internal/local/drains"
	"github.com/anchor-deploy/anchor/internal/local/errorgroup"
	"github.com/anchor-deploy/anchor/internal/local/sqlite"
	"github.com/anchor-deploy/anchor/internal/project/secret"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"anchor": mainOnAWS})
}

// TestScripts runs the command itself against the API.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup:               func(env *testscript.Env) error { return setup(t, env) },
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"code": code, "json": jsonDocument, "hangs": hangs, "applog": appLog, "announce": announceServer, "getid": getID,
			"lines80": narrow, "dns": setDNS, "issue": issue, "diagnosed": diagnosed, "nobuilds": func(ts *testscript.TestScript, _ bool, _ []string) { noBuilds(t, ts) },
		},
	})
}

const anchorKey = "anchor"

// setup prepares a server, a home folder and a built app for every script.
func setup(t *testing.T, env *testscript.Env) error {
	groups, channels, copies, err := openTroubles(t, env)
	if err != nil {
		return err
	}
	a := apitest.New(t, apitest.Options{OnLine: groups.Add})
	env.Values[anchorKey] = a
	services := a.Services()
	services.Errors, services.Alerts, services.Drains = groups, channels, copies
	env.Setenv("ANCHOR_URL", apitest.Serve(t, services, api.Options{Version: "test"}, nil))
	env.Setenv("ANCHOR_TOKEN", apitest.AdminToken)
	env.Setenv("READ_TOKEN", apitest.ReadToken)
	env.Setenv("DEPLOY_TOKEN", apitest.DeployToken)
	env.Setenv("NOWHERE", nobody)
	templates, err := filepath.Abs("../../deploy")
	if err != nil {
		return err
	}
	env.Setenv("TEMPLATES", templates)
	env.Setenv("HOME", filepath.Join(env.WorkDir, "home"))
	env.Setenv("XDG_DATA_HOME", filepath.Join(env.WorkDir, "home", "data"))
	env.Setenv("XDG_RUNTIME_DIR", "")
	env.Setenv("GIT_CONFIG_NOSYSTEM", "1")
	built := filepath.Join(env.WorkDir, "shop", ".open-next")
	if err := os.CopyFS(built, os.DirFS("testdata/build")); err != nil {
		return fmt.Errorf("copy the built app: %w", err)
	}
	server := filepath.Join(built, "server-functions", "default") // git would not keep a .next
	if err := os.Rename(filepath.Join(server, "dot-next"), filepath.Join(server, ".next")); err != nil {
		return err
	}
	module := filepath.Join("server-functions", "default", "index.mjs")
	code := platformtest.NewApp("b1")[filepath.ToSlash(module)] // the platform in memory runs this one
	if err := os.WriteFile(filepath.Join(built, module), []byte(code), 0o644); err != nil {
		return err
	}
	manifest := `{"name":"@acme/shop","scripts":{"build":"next build"},"dependencies":{"next":"15.5.0"}}`
	return os.WriteFile(filepath.Join(env.WorkDir, "shop", "package.json"), []byte(manifest), 0o644)
}

// openTroubles opens what a server on one machine has for the errors of apps, alerts and drains.
func openTroubles(t *testing.T, env *testscript.Env) (*errorgroup.Store, *alerts.Service, *drains.Service, error) {
	log := slog.New(slog.DiscardHandler)
	groups, err := errorgroup.Open(t.Context(), filepath.Join(env.WorkDir, "errors.db"), log)
	if err != nil {
		return nil, nil, nil, err
	}
	store, err := sqlite.Open(t.Context(), filepath.Join(env.WorkDir, "channels.db"))
	if err != nil {
		return nil, nil, nil, errors.Join(err, groups.Close())
	}
	box, err := secret.New(make([]byte, 32))
	if err != nil {
		return nil, nil, nil, errors.Join(err, store.Close(), groups.Close())
	}
	channels := alerts.New(alerts.Config{Records: store, Box: box, Log: log})
	copies, err := drains.Open(t.Context(), drains.Config{Records: store, Box: box, Log: log})
	env.Defer(func() {
		if err := errors.Join(copies.Close(), channels.Close(), store.Close(), groups.Close()); err != nil {
			t.Error(err)
		}
	})
	return groups, channels, copies, err
}

// nobody is an address where nothing listens. A port that was free a moment ago may be in use by
// another test.
const nobody = "http://127.0.0.1:1"

// code N COMMAND… runs a command that must end with exit code N.
func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N command [args…]")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := "0"
	if err != nil {
		got = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if got != args[0] {
		ts.Fatalf("%s ended with %s, want %s", strings.Join(args[1:], " "), got, args[0])
	}
}

// json KEY… checks that stdout is one JSON document, with exactly these keys when
// any are given, and stderr empty.
func jsonDocument(ts *testscript.TestScript, neg bool, want []string) {
	decoder := json.NewDecoder(strings.NewReader(ts.ReadFile("stdout")))
	var doc map[string]any
	ts.Check(decoder.Decode(&doc))
	if err := decoder.Decode(new(any)); err != io.EOF {
		ts.Fatalf("there is more than one document on stdout: %v", err)
	}
	if stderr := ts.ReadFile("stderr"); stderr != "" {
		ts.Fatalf("stderr is not empty: %s", stderr)
	}
	var got []string
	for key := range doc {
		got = append(got, key)
	}
	slices.Sort(got)
	slices.Sort(want)
	if len(want) > 0 && slices.Equal(got, want) == neg {
		ts.Fatalf("the document's keys are %v, want %v", got, want)
	}
}

// getid VAR KEY sets VAR to the value of KEY in stdout's document, or in the first of its items.
func getID(ts *testscript.TestScript, neg bool, args []string) {
	var doc map[string]any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &doc))
	if items, ok := doc["items"].([]any); ok && len(items) > 0 {
		doc, _ = items[0].(map[string]any)
	}
	id, ok := doc[args[1]].(string)
	if !ok || neg {
		ts.Fatalf("no %s in %v", args[1], doc)
	}
	ts.Setenv(args[0], id)
}

// hangs waits until the probe of another deployment hangs.
func hangs(ts *testscript.TestScript, _ bool, _ []string) {
	ctx, stop := context.WithTimeout(context.Background(), time.Minute) // only a broken test waits this long
	defer stop()
	ts.Check(ts.Value(anchorKey).(*apitest.Anchor).AwaitHang(ctx))
}

// applog ID LEVEL TEXT lets an app write a line.
func appLog(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(ts.Value(anchorKey).(*apitest.Anchor).Log(anchor.DeploymentID(args[0]), args[1], args[2]))
}

// dns NAME STATE [FOUND…] sets the state of a domain's record.
func setDNS(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(ts.Value(anchorKey).(*apitest.Anchor).DNS(args[0], domains.FindingState(args[1]), args[2:]...))
}

// issue NAME issues a domain's certificate.
func issue(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(ts.Value(anchorKey).(*apitest.Anchor).Issue(args[0]))
}

// diagnosed NAME waits until the DNS of a domain was queried after it was added.
func diagnosed(ts *testscript.TestScript, _ bool, args []string) {
	ctx, stop := context.WithTimeout(context.Background(), time.Minute) // only a broken test waits this long
	defer stop()
	ts.Check(ts.Value(anchorKey).(*apitest.Anchor).AwaitDiagnosis(ctx, args[0]))
}

// announce lets the CLI find the server without ANCHOR_URL.
func announceServer(ts *testscript.TestScript, _ bool, _ []string) {
	data := ts.MkAbs("home/data/anchor")
	ts.Check(os.MkdirAll(data, 0o700))
	s := discovery.Server{URL: ts.Getenv("ANCHOR_URL"), Token: apitest.AdminToken, PID: os.Getpid(), Data: data}
	content, err := json.Marshal(s)
	ts.Check(err)
	ts.Check(os.WriteFile(discovery.FileIn(data), content, 0o600))
}

// lines80 checks that no line of stdout or stderr is longer than a terminal's.
func narrow(ts *testscript.TestScript, _ bool, _ []string) {
	for _, name := range []string{"stdout", "stderr"} {
		for line := range strings.Lines(ts.ReadFile(name)) {
			if n := len([]rune(strings.TrimRight(line, "\n"))); n > 80 {
				ts.Fatalf("%s has a line of %d columns: %s", name, n, line)
			}
		}
	}
}

// nobuilds makes the server refuse builds.
func noBuilds(t *testing.T, ts *testscript.TestScript) {
	services := ts.Value(anchorKey).(*apitest.Anchor).Services()
	services.Builds = nil
	ts.Setenv("ANCHOR_URL", apitest.Serve(t, services, api.Options{}, nil))
}
