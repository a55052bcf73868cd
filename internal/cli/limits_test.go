package cli

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api"
	"github.com/anchor-deploy/anchor/internal/api/apitest"
)

// limited returns what runs commands on a project with the rights of token.
func limited(t *testing.T, token string) func(args ...string) (out string, code int) {
	t.Helper()
	url := apitest.Serve(t, apitest.New(t, apitest.Options{}).Services(), api.Options{}, nil)
	t.Setenv("ANCHOR_URL", url)
	call := func(args ...string) (string, int) {
		var out bytes.Buffer
		streams := IOStreams{In: strings.NewReader(""), Out: &out, Err: &out, Width: 80}
		code := run(t.Context(), args, streams, Parts{})
		for line := range strings.Lines(out.String()) {
			if utf8.RuneCountInString(strings.TrimSuffix(line, "\n")) > 80 && !strings.Contains(line, `"`) {
				t.Errorf("more than 80 columns: %s", line)
			}
		}
		return out.String(), code
	}
	t.Setenv("ANCHOR_TOKEN", apitest.AdminToken)
	if out, code := call("projects", "create", "shop"); code != 0 {
		t.Fatal(out)
	}
	t.Setenv("ANCHOR_TOKEN", token)
	t.Setenv("ANCHOR_PROJECT", "")
	return func(args ...string) (string, int) { return call(append(args, "--project", "shop")...) }
}

func TestLimits_SetAndReset(t *testing.T) {
	call := limited(t, apitest.DeployToken)
	for _, step := range []struct {
		args string
		want []string
	}{
		{"limits", []string{"memory     none", "cpu        none", "nothing: not enforced", "the controller cpu is not\navailable. Delegate it."}},
		{"limits set --memory 512M --cpu 1.5 --processes 200", []string{"memory     512M", "cpu        1.5", "processes  200"}},
		{"limits set --memory 2GiB", []string{"memory     2G", "cpu        1.5", "processes  200"}},
		{"limits set --cpu none", []string{"memory     2G", "cpu        none", "processes  200"}},
		{"limits --json", []string{`"memoryBytes": 2147483648`, `"processes": 200`, `"memory": "project"`}},
		{"limits reset", []string{"shop has no limits any more."}},
		{"limits", []string{"memory     none", "processes  none"}},
	} {
		out, code := call(strings.Fields(step.args)...)
		for _, want := range step.want {
			if code != 0 || !strings.Contains(out, want) {
				t.Errorf("%s ends with %d and lacks %q: %s", step.args, code, want, out)
			}
		}
	}
}

func TestLimits_InvalidFlagsAreRefusedLocally(t *testing.T) {
	call := limited(t, apitest.DeployToken)
	if out, code := call("limits", "set", "--memory", "1G"); code != 0 {
		t.Fatal(out)
	}
	t.Setenv("ANCHOR_TOKEN", "") // the server would refuse this, and with other words
	for _, args := range []string{
		"", "--memory 63M", "--memory 0", "--memory -1", "--memory 1X", "--memory M", "--memory 9e99", "--memory NaN", "--memory 65T",
		"--cpu 0", "--cpu -1", "--cpu 0.01", "--cpu 1001", "--cpu two", "--processes 63", "--processes 1.5", "--processes 1000001",
	} {
		out, code := call(append([]string{"limits", "set"}, strings.Fields(args)...)...)
		if code == 0 || !strings.Contains(out, "it takes") && !strings.Contains(out, "out of range") && !strings.Contains(out, "nothing to set") {
			t.Errorf("limits set %s ends with %d: %s", args, code, out)
		}
	}
	t.Setenv("ANCHOR_TOKEN", apitest.DeployToken)
	if out, _ := call("limits"); !strings.Contains(out, "memory     1G") {
		t.Errorf("afterwards: %s", out)
	}
}

func TestLimits_ReadScope(t *testing.T) {
	call := limited(t, apitest.ReadToken)
	if out, code := call("limits"); code != 0 {
		t.Error(out)
	}
	for _, args := range [][]string{{"limits", "set", "--cpu", "1"}, {"limits", "reset"}} {
		if out, code := call(args...); code == 0 || !strings.Contains(out, "scope") {
			t.Errorf("%v ends with %d: %s", args, code, out)
		}
	}
}

func TestFormatSize_RoundTrip(t *testing.T) {
	for text, n := range map[string]int64{
		"64M": 64 << 20, "1.5G": 3 << 29, "512K": 512 << 10, "2T": 2 << 40, "100": 100, "1.5g": 3 << 29, "256MB": 256 << 20, "256MiB": 256 << 20,
	} {
		if got, ok := parseBytes(text); !ok || got != n {
			t.Errorf("%s is read as %d, %v", text, got, ok)
		}
		if got, ok := parseBytes(bytesText(n)); !ok || got != n {
			t.Errorf("%d is written as %s and read as %d", n, bytesText(n), got)
		}
	}
	if got := reachText(anchor.ReachProcess); got != "each process by itself" {
		t.Error(got)
	}
}
