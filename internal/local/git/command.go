package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// settings is the configuration of every git process (git-config(1)). It bounds memory, and starts
// nothing that outlives the command.
var settings = []string{
	"gc.auto=0", "maintenance.auto=false", "receive.autogc=false",
	"core.bigFileThreshold=16m", "core.deltaBaseCacheLimit=32m", "core.packedGitLimit=256m",
	"pack.threads=1", "pack.windowMemory=64m", "pack.deltaCacheSize=64m",
	"core.fsmonitor=false", "core.alternateRefsCommand=true", "protocol.allow=never",
	"safe.directory=*", // a folder restored from a backup may have another owner
	"transfer.hideRefs=" + anchorRefs,
}

// command prepares git in a repository, "" for none. It gets nothing of the server's environment
// and reads no configuration but settings and the repository's own file, which no push changes.
// The end of ctx ends the command and what it started.
func command(ctx context.Context, repository string, args ...string) *exec.Cmd {
	var all []string
	for _, setting := range settings {
		all = append(all, "-c", setting)
	}
	cmd := exec.CommandContext(ctx, "git", append(all, args...)...)
	cmd.Dir = "/"
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent", "LC_ALL=C", "TZ=UTC",
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_ATTR_NOSYSTEM=1",
		"GIT_TERMINAL_PROMPT=0", "GIT_NO_LAZY_FETCH=1", "GIT_ADVICE=0",
	}
	if repository != "" {
		cmd.Env = append(cmd.Env, "GIT_DIR="+repository)
	}
	cmd.WaitDelay = 5 * time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	return cmd
}

// output runs git and returns what it prints.
func output(ctx context.Context, repository string, args ...string) ([]byte, error) {
	out, err := command(ctx, repository, args...).Output()
	return out, explain(err, args[0])
}

// explain adds the name of the command and its last words to an error.
func explain(err error, name string) error {
	if err == nil {
		return nil
	}
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && len(exit.Stderr) > 0 {
		return fmt.Errorf("git %s: %s: %w", name, firstLine(exit.Stderr), err)
	}
	return fmt.Errorf("git %s: %w", name, err)
}

func (r *Repository) output(ctx context.Context, args ...string) ([]byte, error) {
	return output(ctx, r.dir, args...)
}

// succeeds runs a git command that reports yes by exit code 0 and no by 1.
func (r *Repository) succeeds(ctx context.Context, args ...string) (bool, error) {
	err := command(ctx, r.dir, args...).Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() == 1 {
		return false, nil
	}
	return err == nil, explain(err, args[0])
}

func firstLine(text []byte) string {
	line, _, _ := bytes.Cut(bytes.TrimSpace(text), []byte("\n"))
	return strings.TrimSpace(string(line))
}
