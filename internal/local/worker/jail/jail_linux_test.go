package jail_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/local/worker/jail"
)

const shell = "/bin/sh"

// walls returns the highest level that this user can have.
func walls(t *testing.T) (jail.Walls, *jail.User) {
	t.Helper()
	level, user := jail.Namespaced, (*jail.User)(nil)
	if os.Geteuid() == 0 {
		level, user = jail.Separated, &jail.User{UID: 1_000_002, GID: 1_000_003}
	}
	w, err := jail.Try(t.Context(), level, "/bin/cat", user)
	if err != nil {
		t.Fatal(err)
	}
	return w, user
}

// run runs a script within walls and returns what it prints.
func run(t *testing.T, script string, change func(*jail.Spec)) (out string, exitCode int) {
	t.Helper()
	out, state, _ := runState(t, script, change)
	return out, state.ExitCode()
}

func runState(t *testing.T, script string, change func(*jail.Spec)) (string, *os.ProcessState, jail.Walls) {
	t.Helper()
	w, user := walls(t)
	s := jail.Spec{
		User: user, Path: shell, Args: []string{"-c", script}, Env: []string{"PATH=/usr/bin:/bin", "SECRET=mine"},
		Dir: "/", Root: t.TempDir(), Limits: jail.Limits{Tmp: 1 << 20},
	}
	if change != nil {
		change(&s)
	}
	var printed bytes.Buffer
	cmd, err := w.Start(s, func(cmd *exec.Cmd) { cmd.Stdout, cmd.Stderr = &printed, &printed }, (*exec.Cmd).Start)
	if err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // the exit code says it
	return printed.String(), cmd.ProcessState, w
}

func TestStart_ExitCodeIsTheProgramOnes(t *testing.T) {
	for script, want := range map[string]int{"exit 0": 0, "exit 7": 7, "kill -9 $$": 128 + 9, "kill -SEGV $$": 128 + 11} {
		if _, got := run(t, script, nil); got != want {
			t.Errorf("%s: exit code %d, want %d", script, got, want)
		}
	}
}

func TestStart_FailureSaysWhy(t *testing.T) {
	for what, change := range map[string]func(*jail.Spec){
		"/no/such/program": func(s *jail.Spec) { s.Path = "/no/such/program" },
		"/no/such/folder":  func(s *jail.Spec) { s.ReadOnly = []string{"/no/such/folder"} },
		"/no/such/dir":     func(s *jail.Spec) { s.Dir = "/no/such/dir" },
	} {
		if out, code := run(t, "exit 0", change); code != 125 || !strings.Contains(out, what) {
			t.Errorf("%s: exit code %d and %q", what, code, out)
		}
	}
}

func TestStart_ProgramHasOwnUser(t *testing.T) {
	out, _ := run(t, "id -un; id -gn; id -G | wc -w", nil)
	if out != "app\napp\n1\n" {
		t.Errorf("user, group and number of groups: %q", out)
	}
}

// TestStart_EnvironmentReachesProgramOnly: variables such as LD_PRELOAD must not reach code that
// still has rights.
func TestStart_EnvironmentReachesProgramOnly(t *testing.T) {
	out, _ := run(t, "echo $SECRET; tr '\\0' '\\n' </proc/1/environ 2>&1", func(s *jail.Spec) { s.Env = append(s.Env, "GODEBUG=inittrace=1") })
	if !strings.HasPrefix(out, "mine\n") || strings.Contains(out, "SECRET") || strings.Contains(out, "init internal") {
		t.Errorf("got %q", out)
	}
}

// TestStart_ClosesInheritedDescriptors: a folder among them would be a way out of the
// root.
func TestStart_ClosesInheritedDescriptors(t *testing.T) {
	folder, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	inherited, err := syscall.Dup(int(folder.Fd())) // without close-on-exec, unlike what os.Open returns
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(inherited)
	out, _ := run(t, "for fd in /proc/self/fd/*; do test -d $fd && readlink $fd; done; echo end", nil)
	if out != "end\n" {
		t.Errorf("the program has the folders %q", out)
	}
}

func TestStart_LargeEnvironment(t *testing.T) {
	out, _ := run(t, "echo ${#LARGE}", func(s *jail.Spec) { s.Env = append(s.Env, "LARGE="+strings.Repeat("x", 100_000)) })
	if out != "100000\n" {
		t.Errorf("got %q", out)
	}
}

func TestRoot_HoldsNothingElse(t *testing.T) {
	outside := t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "file"), []byte("text"), 0o644); err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf("cat %s/file || echo hidden; for f in /etc/shadow /home /root /var /sys /run; do test -e $f && echo $f; done; ls /proc | grep -c '^[0-9]'", outside)
	out, _ := run(t, script, nil)
	if lines := strings.Fields(out); !slices.Contains(lines, "hidden") || strings.Contains(out, "\n/") {
		t.Errorf("got %q", out)
	}
	out, _ = run(t, "cat "+outside+"/file; echo more >>"+outside+"/file || echo refused", func(s *jail.Spec) { s.ReadOnly = []string{outside} })
	if !strings.HasPrefix(out, "text") || !strings.Contains(out, "refused") {
		t.Errorf("a folder to read: %q", out)
	}
}

func TestLimits(t *testing.T) {
	tests := map[string]struct {
		script string
		limits jail.Limits
		want   string
	}{
		"processes":   {"for i in $(seq 60); do sleep 100 & done; echo all", jail.Limits{Processes: 40, Tmp: 1 << 20}, "fork"},
		"descriptors": {"ulimit -Sn; ulimit -Hn", jail.Limits{Files: 40, Tmp: 1 << 20}, "40\n40\n"},
		"tmp":         {"head -c 3000000 /dev/zero >/tmp/large || echo full", jail.Limits{Tmp: 1 << 20}, "full"},
		"memory":      {"until test $(ulimit -Hd) = 204800; do :; done; head -c 400000000 /dev/zero | tail -c 390000000 | wc -c", jail.Limits{Data: 200 << 20, Tmp: 1 << 20}, "memory"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			out, code := run(t, tt.script, func(s *jail.Spec) { s.Limits = tt.limits })
			if !strings.Contains(out, tt.want) || strings.Contains(out, "all\n") {
				t.Errorf("exit code %d, printed %q", code, out)
			}
		})
	}
}

// TestInit_ReapsOrphans: no other process waits for them.
func TestInit_ReapsOrphans(t *testing.T) {
	// A process that has ended and was not waited for keeps its place in /proc.
	script := "for i in 1 2 3 4 5; do (sleep 0.01 &); done; " +
		"for i in $(seq 5000); do cat /proc/[0-9]*/stat 2>/dev/null | grep -q '(sleep)' || break; done; echo $i"
	if out, _ := run(t, script, nil); strings.TrimSpace(out) == "5000" {
		t.Error("orphans that ended are still there")
	}
}

func TestInstallation_OutsideSystem(t *testing.T) {
	base := t.TempDir()
	for _, dir := range []string{"node/bin", "node/include/node", "home/bin"} {
		if err := os.MkdirAll(filepath.Join(base, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"node/bin/node", "home/bin/node"} {
		if err := os.WriteFile(filepath.Join(base, file), nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/usr/bin/env", filepath.Join(base, "link")); err != nil {
		t.Fatal(err)
	}
	for program, want := range map[string][]string{
		"node/bin/node": {filepath.Join(base, "node")},
		"home/bin/node": {filepath.Join(base, "home/bin/node")}, // not all of a home
		"link":          nil,
	} {
		got, err := jail.Installation(filepath.Join(base, program))
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s needs %v, %v; want %v", program, got, err, want)
		}
	}
}

func TestTry_Fails(t *testing.T) {
	_, user := walls(t)
	level := jail.Namespaced
	if user != nil {
		level = jail.Separated
	}
	if _, err := jail.Try(t.Context(), level, "/bin/false", user); err == nil {
		t.Error("a program that fails is good enough")
	}
}

// TestProgram_IsNoOrphan: processes that the program leaves behind become children of its init
// process, too.
func TestProgram_IsNoOrphan(t *testing.T) {
	w, user := walls(t)
	stdin, feed, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	s := jail.Spec{
		User: user, Path: shell, Args: []string{"-c", "(sleep 300 &); exec cat"}, Env: []string{"PATH=/usr/bin:/bin"},
		Dir: "/", Root: t.TempDir(),
	}
	cmd, err := w.Start(s, func(cmd *exec.Cmd) { cmd.Stdin = stdin }, (*exec.Cmd).Start)
	if err != nil {
		t.Fatal(err)
	}
	for len(jail.Descendants(cmd.Process.Pid)) < 2 || name(w.Program(cmd.Process.Pid)) != "cat" {
		if t.Context().Err() != nil || name(cmd.Process.Pid) == "" {
			t.Fatalf("the program is taken for %q", name(w.Program(cmd.Process.Pid)))
		}
		time.Sleep(time.Millisecond)
	}
	feed.Close()
	_ = cmd.Wait() // cat ends with its input
}

// name returns the name in a process list; it is empty when the process has ended.
func name(pid int) string {
	comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(comm))
}

// The log says which signal ended a program, as it does without an init process.
func TestOutcome_NamesSignal(t *testing.T) {
	for script, want := range map[string]jail.Outcome{
		"exit 7":        {Code: 7, Text: "exit status 7"},
		"kill -9 $$":    {Code: -1, Text: "signal: killed"},
		"kill -SEGV $$": {Code: -1, Text: "signal: segmentation fault"},
		"exit 128":      {Code: 128, Text: "exit status 128"},
		"exit 255":      {Code: 255, Text: "exit status 255"},
	} {
		_, state, w := runState(t, script, nil)
		if got := w.Outcome(state); got != want {
			t.Errorf("%s: %+v, want %+v", script, got, want)
		}
	}
}

// Service managers and operators signal every process of a service. The program decides what that
// means.
func TestInit_ForwardsSignals(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM} {
		w, user := walls(t)
		said, says, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		s := jail.Spec{
			User: user, Path: shell, Args: []string{"-c", "trap 'exit 3' HUP INT TERM; echo ready; while :; do sleep 0.01; done"},
			Env: []string{"PATH=/usr/bin:/bin"}, Dir: "/", Root: t.TempDir(),
		}
		cmd, err := w.Start(s, func(cmd *exec.Cmd) { cmd.Stdout = says }, (*exec.Cmd).Start)
		if err != nil {
			t.Fatal(err)
		}
		says.Close()
		if _, err := said.Read(make([]byte, 16)); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // the outcome says it
		if got := w.Outcome(cmd.ProcessState); got.Code != 3 {
			t.Errorf("%s: the program ended with %s, not by its own handler", sig, got)
		}
		said.Close()
	}
}
