package worker

import (
	"bytes"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

func TestSpawn_YieldsToAnchor(t *testing.T) {
	own := niceOf(t, func(cmd *exec.Cmd) error { return cmd.Start() })
	if got := niceOf(t, Spawn); got != min(19, own+Niceness) {
		t.Errorf("a process has the nice value %d, Anchor %d", got, own)
	}
}

func niceOf(t *testing.T, start func(*exec.Cmd) error) int {
	t.Helper()
	var out bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "nice")
	cmd.Stdout, cmd.SysProcAttr = &out, &syscall.SysProcAttr{}
	if err := start(cmd); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(out.String()))
	if err != nil {
		t.Fatal(err)
	}
	return n
}
