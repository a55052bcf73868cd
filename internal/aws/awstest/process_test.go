package awstest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestProcessesEndWithTheTests kills a process of tests that runs a command, as a run
// that is cut off does, and waits for the command and for what that started.
func TestProcessesEndWithTheTests(t *testing.T) {
	if os.Getenv("AWSTEST_RUN") != "" {
		var log bytes.Buffer
		run(t, &log, []string{"sh", "-c", `sleep 3600 & echo $$ $! > pids.new; mv pids.new "$PIDS"; wait`}, nil)
		select {}
	}
	pids := filepath.Join(t.TempDir(), "pids")
	cmd := exec.Command(os.Args[0], "-test.run=^TestProcessesEndWithTheTests$")
	tmp := t.TempDir()
	cmd.Env = append(os.Environ(), "AWSTEST_RUN=1", "PIDS="+pids, "TMPDIR="+tmp)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var started []byte
	eventually(t, "the command has started", func() bool {
		var err error
		started, err = os.ReadFile(pids)
		return err == nil
	})
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	for _, field := range strings.Fields(string(started)) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "process "+field+" has ended", func() bool { return ended(pid) })
	}
}

// A command that ends by itself is seen to have ended, and its folder goes with it.
func TestACommandThatEndsIsSeen(t *testing.T) {
	var log bytes.Buffer
	p := run(t, &log, []string{"sh", "-c", "echo last words; touch \"$TMPDIR/file\"; exit 3"}, nil)
	select {
	case <-p.ended:
	case <-time.After(time.Minute):
		t.Error("the end is not seen")
	}
	p.end(t)
	if p.cmd.ProcessState.ExitCode() != 3 || log.String() != "last words\n" {
		t.Errorf("%v, %q", p.cmd.ProcessState, log.String())
	}
	if _, err := os.Stat(p.dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its folder: %v", err)
	}
}

// ended reports whether a process has ended, also when its parent has yet to notice.
func ended(pid int) bool {
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return true
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	return errors.Is(err, os.ErrNotExist) || strings.Contains(string(status), "State:\tZ")
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it never came true that %s", what)
		}
	}
}
