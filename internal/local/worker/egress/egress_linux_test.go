package egress

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// The tests are their own second process: one that holds a fence until it is killed.
func TestMain(m *testing.M) {
	if os.Getenv("EGRESS_TEST_HOLD") == "" {
		os.Exit(m.Run())
	}
	fence, err := Open(nil)
	if err != nil {
		panic(err)
	}
	fmt.Println(fence.name)
	_, _ = io.Copy(io.Discard, os.Stdin) // until the test ends
	if err := fence.Close(); err != nil {
		panic(err)
	}
}

// open returns a fence, nil where the system has none, which Open must say.
func open(t *testing.T) *Fence {
	t.Helper()
	fence, err := Open(Rules(netip.MustParseAddrPort("127.0.0.1:3080"), nil))
	if err != nil {
		reasons := []error{unix.EPERM, unix.EACCES, unix.ENOSYS, unix.EINVAL, unix.ENODEV}
		if !slices.ContainsFunc(reasons, func(r error) bool { return errors.Is(err, r) }) {
			t.Errorf("the reason is %v", err)
		}
		return nil
	}
	return fence
}

func TestAFenceLeavesNothingBehind(t *testing.T) {
	fence := open(t)
	if fence == nil {
		return
	}
	if err := fence.Close(); err != nil {
		t.Fatal(err)
	}
	if names := groups(t); slices.Contains(names, fence.name) {
		t.Errorf("%s is left of %v", fence.name, names)
	}
}

func TestTheNextFenceRemovesWhatAKilledProcessLeft(t *testing.T) {
	if fence := open(t); fence == nil {
		return
	} else if err := fence.Close(); err != nil {
		t.Fatal(err)
	}
	killed, dead := hold(t)
	_, alive := hold(t)
	if err := killed.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = killed.Wait() // killed
	if !slices.Contains(groups(t), dead) {
		t.Fatalf("the killed process has left nothing to remove")
	}
	fence := open(t)
	names := groups(t)
	if slices.Contains(names, dead) {
		t.Errorf("%s of a killed process is left", dead)
	}
	if !slices.Contains(names, alive) || !slices.Contains(names, fence.name) {
		t.Errorf("%s and %s are in use, and there are %v", alive, fence.name, names)
	}
	if err := fence.Close(); err != nil {
		t.Error(err)
	}
}

// hold starts a process with a fence and returns the name of its group.
func hold(t *testing.T) (*exec.Cmd, string) {
	t.Helper()
	// Its end is that of its standard input: the test's context would kill it.
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "/proc/self/exe")
	cmd.Env = append(os.Environ(), "EGRESS_TEST_HOLD=yes")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	name, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return cmd, strings.TrimSpace(name)
}

// groups lists the control groups below that of this process.
func groups(t *testing.T) []string {
	t.Helper()
	parent, err := openOwn()
	if err != nil {
		t.Fatal(err)
	}
	defer parent.Close()
	names, err := parent.Readdirnames(-1)
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestAnOrdinaryUserHasNoFence(t *testing.T) {
	if os.Geteuid() != 0 {
		if fence, err := Open(nil); !errors.Is(err, unix.EPERM) {
			t.Errorf("got %v, %v", fence, err)
		}
		return
	}
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
	cmd.Env = []string{"EGRESS_TEST_HOLD=yes"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "operation not permitted") {
		t.Errorf("%v: %s", err, out)
	}
}
