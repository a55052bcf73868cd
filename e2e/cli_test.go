package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"
)

// columns is the width that output without a terminal is made for.
const columns = 80

// TestCommands checks what every command prints, for people and for scripts.
func TestCommands(t *testing.T) {
	t.Parallel()
	a := up(t)
	first := a.deploy(variant(t, 1), "shop", "--commit", "1f0c7be6f2bd", "--branch", "main", "--message", "first")
	second := a.deploy(variant(t, 2), "shop", "--commit", "2f0c7be6f2bd", "--branch", "main", "--message", "second")
	s := a.site(t, "shop")
	s.get("/api/log?msg=ahoy").want(t, 200)
	eventually(t, "the line is in the log", func() bool {
		out, _, _ := a.run("logs", "--project", "shop", "--json")
		return strings.Contains(out, "ahoy")
	})

	for _, c := range []struct {
		args string
		says []string // in the text for a person, both streams
	}{
		{"version", []string{`^anchor `}},
		{"status", []string{`Anchor`, `shop`, first.Version + `|` + second.Version, regexp.QuoteMeta(a.data)}},
		{"doctor", []string{`✓ Node.js `}},
		{"projects", []string{`PROJECT`, `shop`}},
		{"projects ls", []string{`shop`}},
		{"projects create spare", []string{`Created spare`}},
		{"projects rm spare --yes", []string{`Removed spare`}},
		{"deployments --project shop", []string{`●  ` + second.DeploymentID + `  v2 +live`, first.DeploymentID + `  v1 +deployed`, `2f0c7be second`}},
		{"deployments --project shop -n 1", []string{`For the next page, add --cursor `}},
		{"releases --project shop", []string{`KIND`, `deploy`, second.Version}},
		{"open --project shop", []string{`^http://shop\.localhost:`}},
		{"open --project shop " + first.DeploymentID, []string{`^http://` + first.DeploymentID + `--shop\.localhost:`}},
		{"rollback --project shop", []string{`✓ Rolled back to `, `previously: ` + second.Version}},
		{"promote --project shop " + second.DeploymentID, []string{`✓ .* is live`}},
		{"env set GREETING=ahoy --project shop", []string{`Set GREETING on shop. It takes effect with the next deployment`}},
		{"env ls --project shop", []string{`GREETING`, `••••••`}},
		{"env ls --project shop --reveal", []string{`GREETING .*ahoy`}},
		{"env rm GREETING --project shop", []string{`Removed GREETING`}},
		{"tokens create ci --scope read", []string{`\(read\) for ci`, `anchor_`}},
		{"tokens list", []string{`ci`, `valid`}},
		{"logs --project shop", []string{`ahoy`}},
		{"deploy --no-release --message third --project shop --prebuilt " + variant(t, 1), []string{`✓ Upload`, `0 files, 0 B sent`, `✓ Probe`, `anchor promote `}},
		{"completion bash", []string{`anchor`}},
	} {
		t.Run(c.args, func(t *testing.T) {
			args := strings.Fields(c.args)
			out, errs, code := a.run(args...)
			if code != 0 {
				t.Fatalf("ended with %d: %s", code, errs)
			}
			says(t, out+errs, c.says...)
			if args[0] != "logs" && args[0] != "completion" { // texts of others
				narrow(t, out+errs)
			}
			a.prints(t, args)
		})
	}
}

// narrow fails when a line, without URLs and paths, is wider than a terminal, or contains an
// escape sequence.
func narrow(t *testing.T, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		if strings.Contains(line, "\x1b") || strings.Contains(line, "\r") {
			t.Errorf("the line is for a terminal: %q", line)
		}
		if utf8.RuneCountInString(strings.TrimRight(line, "\n")) > columns && !strings.Contains(line, "http://") && !strings.Contains(line, "/") {
			t.Errorf("the line is wider than %d columns: %s", columns, line)
		}
	}
}

// prints asserts that with --json the command prints one JSON document and nothing else. What can
// be done only once fails the second time, also with a document.
func (a *anchor) prints(t *testing.T, args []string) {
	t.Helper()
	out, errs, code := a.run(append(args, "--json")...)
	if errs != "" {
		t.Errorf("with --json stderr is %q", errs)
	}
	d := json.NewDecoder(strings.NewReader(out))
	var document map[string]any
	if err := d.Decode(&document); err != nil {
		t.Fatalf("with --json it prints no document: %v\n%s", err, out)
	}
	if _, err := d.Token(); err != io.EOF {
		t.Errorf("with --json it prints more than one document: %s", out)
	}
	if _, failed := document["error"]; failed != (code != 0) {
		t.Errorf("with --json it ended with %d and printed %s", code, out)
	}
}

// TestHelp checks the help of every command, which fits a terminal and has an example where the
// arguments need one.
func TestHelp(t *testing.T) {
	t.Parallel()
	named := regexp.MustCompile(`(?m)^  ([a-z]+) +[A-Z]`)
	var look func(path ...string)
	look = func(path ...string) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		out, err := command(ctx, append(path, "--help")...).CombinedOutput()
		if err != nil {
			t.Fatalf("anchor %s --help: %v\n%s", strings.Join(path, " "), err, out)
		}
		for line := range strings.Lines(string(out)) {
			if utf8.RuneCountInString(strings.TrimRight(line, "\n")) > columns {
				t.Errorf("anchor %s --help is wider than %d columns: %s", strings.Join(path, " "), columns, line)
			}
		}
		_, commands, _ := strings.Cut(string(out), "\nUsage:\n") // before it, a table may describe arguments
		for _, m := range named.FindAllStringSubmatch(commands, -1) {
			if m[1] != "help" && m[1] != "anchor" {
				look(append(path[:len(path):len(path)], m[1])...)
			}
		}
	}
	look()
}

// TestInterrupt presses Ctrl-C while a deployment waits for its probe.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	a := up(t)
	live := a.deploy(variant(t, 1), "shop").DeploymentID
	dir := broken(t, serverModule(`export const handler = awslambda.streamifyResponse(() => {
  console.log("asked");
  return new Promise(() => {});
});`))
	for _, format := range [][]string{nil, {"--json"}} {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		cmd := command(ctx, append([]string{"deploy", "--prebuilt", dir, "--project", "shop"}, format...)...)
		cmd.Env = append(cmd.Env, "ANCHOR_URL="+a.api, "ANCHOR_TOKEN="+a.token)
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		before := len(a.records(t, "shop"))
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the new version is asked", func() bool {
			r := a.records(t, "shop")
			if len(r) == before {
				return false
			}
			log, _, _ := a.run("logs", "--project", "shop", "--deployment", r[0].DeploymentID, "--json")
			return strings.Contains(log, "asked")
		})
		if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 130 {
			t.Errorf("ended with %v, want exit code 130", err)
		}
		if r := a.records(t, "shop")[0]; r.Status != "canceled" || r.ErrorStep != "probe" {
			t.Errorf("the record is %+v", r)
		}
		if format == nil {
			says(t, errs.String(), `Canceled deployment [0-9a-z]{26}`, `(?m)^error: canceled`)
		} else {
			says(t, out.String(), `"code": "canceled"`)
		}
		a.unharmed(t, "shop", live)
	}
	t.Run("the next deploy need not wait", func(t *testing.T) {
		a.unharmed(t, "shop", a.deploy(variant(t, 1), "shop").DeploymentID)
	})
}
