package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// refusedUp runs an `anchor up` that must not start.
func refusedUp(t *testing.T, env []string, args ...string) (text string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := command(ctx, append([]string{"up"}, args...)...)
	cmd.Env = append(cmd.Env, env...)
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) {
		t.Fatalf("anchor up came up or did not run: %v\n%s", err, out)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// TestRefusedUp runs on a machine on which Anchor cannot start. It reports why and leaves nothing
// behind.
func TestRefusedUp(t *testing.T) {
	t.Parallel()
	running := up(t)
	live := running.deploy(variant(t, 1), "shop").DeploymentID
	old := filepath.Join(t.TempDir(), "node")
	if err := os.WriteFile(old, []byte("#!/bin/sh\necho v18.20.4\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	notNode := filepath.Join(t.TempDir(), "node")
	if err := os.WriteFile(notNode, []byte("#!/bin/sh\necho hello\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		env  []string
		args []string
		says []string
	}{
		"Node.js too old":     {args: []string{"--node", old}, says: []string{`Anchor needs Node.js 20`, `is version 18\.20\.4`, `nodejs\.org`, `--node PATH`}},
		"not Node.js":         {args: []string{"--node", notNode}, says: []string{`is not Node.js`, `nodejs\.org`}},
		"no such Node.js":     {args: []string{"--node", "/nowhere/node"}, says: []string{`Anchor needs Node.js 20`, `/nowhere/node`}},
		"no Node.js in PATH":  {env: []string{"PATH=" + t.TempDir()}, args: []string{"--node", "node"}, says: []string{`Anchor needs Node.js 20`, `nodejs\.org`}},
		"none to be had":      {env: []string{"PATH=" + t.TempDir(), "npm_config_registry=http://127.0.0.1:1"}, says: []string{`Node.js 24 could not be installed`, `npm registry`, `--node PATH`}},
		"port of sites taken": {args: []string{"--listen", running.sites}, says: []string{`is in use by another program`, `--listen HOST:PORT`}},
		"port of API taken":   {args: []string{"--api", strings.TrimPrefix(running.api, "http://")}, says: []string{`is in use by another program`, `--api HOST:PORT`}},
		"data folder in use":  {args: []string{"--data", running.data}, says: []string{`in use by another server \(process \d+\)`, `--data`}},
		"data folder a file":  {args: []string{"--data", old}, says: []string{`data folder`, `--data`}},
		"bad address":         {args: []string{"--listen", "here"}, says: []string{`--listen is "here"`}},
		"nothing kept":        {args: []string{"--keep", "0"}, says: []string{`--keep is 0`}},
	} {
		t.Run(name, func(t *testing.T) {
			data := filepath.Join(t.TempDir(), "data")
			args := append([]string{"--data", data, "--listen", "127.0.0.1:0", "--api", "127.0.0.1:0"}, c.args...)
			text, code := refusedUp(t, c.env, args...)
			if code != 2 {
				t.Errorf("ended with %d", code)
			}
			says(t, text, append(c.says, `(?m)^error: `)...)
			if _, err := os.Stat(filepath.Join(data, "anchor.db")); err == nil {
				t.Error("it made a database all the same")
			}
			text, code = refusedUp(t, c.env, append(args, "--json")...)
			var told struct {
				Error struct{ Code, Message string }
			}
			if err := json.Unmarshal([]byte(text), &told); err != nil || code != 2 || told.Error.Code == "" {
				t.Errorf("with --json it ended with %d and said %s", code, text)
			}
		})
	}
	running.unharmed(t, "shop", live)
}

// TestDoctor asserts that it says what to install.
func TestDoctor(t *testing.T) {
	t.Parallel()
	a := up(t)
	t.Run("all well", func(t *testing.T) {
		out, errs, _ := a.run("doctor")
		says(t, out, `✓ node \(here\)`, `✓ Node.js `, `✓ Data folder`, `Disk space`)
		if errs != "" {
			t.Errorf("stderr: %s", errs)
		}
	})
	t.Run("no Node.js here", func(t *testing.T) {
		out, _, code := a.runIn([]string{"PATH=" + t.TempDir()}, "doctor")
		if code != 1 {
			t.Errorf("ended with %d", code)
		}
		says(t, out, `✗ node \(here\)`, `Install Node.js 20 or newer`)
	})
	t.Run("no server", func(t *testing.T) {
		good := a.api
		defer func() { a.api = good }()
		a.api = "http://127.0.0.1:1"
		out, _, code := a.run("doctor")
		if code != 4 {
			t.Errorf("ended with %d", code)
		}
		says(t, out, `✗ server`, `anchor up`)
	})
}

// diskSize has room for two versions of the shop, but not for the file that fills the disk.
const diskSize = 160 << 20

// TestDiskFull runs Anchor on a small disk: a tmpfs in its own mount namespace, which is removed
// with it. That requires root or user namespaces.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	a := upOnSmallDisk(t)
	live := a.deploy(variant(t, 1), "shop").DeploymentID
	big := broken(t, func(t *testing.T, tree string) {
		// No two parts are equal, because the server would store equal ones once.
		noise := rand.NewChaCha8([32]byte{7})
		for n := range 30 {
			part := make([]byte, 8<<20)
			noise.Read(part)
			if err := os.WriteFile(filepath.Join(tree, "assets", fmt.Sprintf("part-%d.bin", n)), part, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	})
	_, text, code := a.run("deploy", "--prebuilt", big, "--project", "shop")
	if code != 1 {
		t.Errorf("ended with %d", code)
	}
	says(t, text, `not enough disk space`, `(?i)free (some )?space`)
	if r := a.records(t, "shop"); len(r) != 2 || r[0].Status != "canceled" && r[0].Status != "deploy_failed" {
		t.Errorf("the records are %+v", r)
	}
	a.unharmed(t, "shop", live)
	t.Run("what failed gave its disk back", func(t *testing.T) {
		next := a.deploy(variant(t, 2), "shop")
		if got := a.site(t, "shop").get("/dynamic").want(t, 200).find(t, versionMeta); got != LabelOf(2) {
			t.Errorf("live is %s", got)
		}
		if next.Status != "deployed" {
			t.Errorf("%+v", next)
		}
	})
}

// upOnSmallDisk is like up, except for its data folder, which only its own processes see. The
// test reads it through /proc.
func upOnSmallDisk(t *testing.T) *anchor {
	t.Helper()
	data := t.TempDir()
	flags := "-m"
	if os.Geteuid() != 0 {
		flags = "-Urm"
	}
	self := command(context.Background())
	mount := fmt.Sprintf(`mount -t tmpfs -o size=%d,mode=711 tmpfs "$0" && exec "$@"`, diskSize)
	cmd := exec.Command("unshare", flags, "sh", "-c", mount, data,
		os.Args[0], "up", "--data", data, "--listen", "127.0.0.1:0", "--api", "127.0.0.1:0", "--node", "node", "--json")
	cmd.Env = self.Env
	a := &anchor{t: t, cmd: cmd, log: &bytes.Buffer{}, ended: make(chan error, 1)}
	cmd.Stderr = a.log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var ready upAnswer
	if err := json.NewDecoder(out).Decode(&ready); err != nil {
		cmd.Wait()
		t.Fatalf("no Anchor on a small disk: %v\n%s", err, a.log)
	}
	go func() {
		io.Copy(io.Discard, out)
		a.ended <- cmd.Wait()
	}()
	t.Cleanup(func() {
		a.stop()
		if t.Failed() {
			t.Logf("the server's log:\n%s", a.log)
		}
	})
	_, port, err := net.SplitHostPort(strings.TrimPrefix(ready.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	a.sites, a.api = "127.0.0.1:"+port, ready.API
	a.data = fmt.Sprintf("/proc/%d/root%s", cmd.Process.Pid, data)
	secret, err := os.ReadFile(filepath.Join(a.data, "token"))
	if err != nil {
		t.Fatal(err)
	}
	a.token = strings.TrimSpace(string(secret))
	return a
}
