package cgroup

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// The tests are their own second process: one that holds a Tree until it is killed, or joins a group and does as it is
// told.
func TestMain(m *testing.M) {
	switch os.Getenv("CGROUP_TEST") {
	case "":
		os.Exit(m.Run())
	case "hold":
		hold()
	case "join":
		join()
	}
}

func hold() {
	t := Open()
	if t.Folder() == nil {
		fmt.Println("none: " + t.Why().Error())
		return
	}
	fmt.Println(t.name)
	_, _ = io.Copy(io.Discard, os.Stdin) // until the test ends
	if err := t.Close(); err != nil {
		panic(err)
	}
}

// open returns a Tree, nil where the system has no groups, which Open must say.
func open(t *testing.T) *Tree {
	t.Helper()
	tree := Open()
	t.Cleanup(func() {
		if err := tree.Close(); err != nil {
			t.Error(err)
		}
	})
	if tree.Folder() != nil {
		return tree
	}
	reasons := []error{unix.EPERM, unix.EACCES, unix.ENOSYS, unix.EINVAL, unix.ENODEV, unix.EROFS, unix.ENOENT, errNone}
	if !slices.ContainsFunc(reasons, func(r error) bool { return errors.Is(tree.Why(), r) }) {
		t.Errorf("the reason is %v", tree.Why())
	}
	return nil
}

func TestTree_LeavesNothing(t *testing.T) {
	before, err := ownPathNow()
	if err != nil {
		t.Logf("without groups: %v", err)
	}
	tree := open(t)
	if tree == nil {
		return
	}
	if err := tree.Group("shop").Why(); err != nil {
		t.Fatal(err)
	}
	name := tree.name
	if err := tree.Close(); err != nil {
		t.Fatal(err)
	}
	if names := groupsHere(t); slices.Contains(names, name) {
		t.Errorf("%s is left of %v", name, names)
	}
	if after, err := ownPathNow(); err != nil || after != before {
		t.Errorf("this process is in %s, %v, and was in %s", after, err, before)
	}
}

func ownPathNow() (string, error) {
	list, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", err
	}
	return ownPath(string(list))
}

func TestTree_RemovesLeftovers(t *testing.T) {
	if tree := open(t); tree == nil || tree.held != (Controllers{}) {
		return // with controllers, no other process can be in the group of this one: see TestASecondAnchorIsKeptApart
	}
	killed, dead := second(t)
	_, alive := second(t)
	if err := killed.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = killed.Wait() // killed
	if !slices.Contains(groupsHere(t), dead) {
		t.Fatalf("the killed process has left nothing to remove")
	}
	tree := open(t)
	names := groupsHere(t)
	if slices.Contains(names, dead) {
		t.Errorf("%s of a killed process is left", dead)
	}
	if !slices.Contains(names, alive) || !slices.Contains(names, tree.name) {
		t.Errorf("%s and %s are in use, and there are %v", alive, tree.name, names)
	}
}

// second starts a process that holds a Tree and returns the name of its group.
func second(t *testing.T) (*exec.Cmd, string) {
	t.Helper()
	// Its end is that of its standard input: the test's context would kill it.
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "/proc/self/exe")
	cmd.Env = append(os.Environ(), "CGROUP_TEST=hold")
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

// groupsHere lists the control groups below that of this process.
func groupsHere(t *testing.T) []string {
	t.Helper()
	parent, err := openOwn()
	if err != nil {
		t.Fatal(err)
	}
	defer parent.Close()
	names, err := listSubfolders(parent)
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestTree_OrdinaryUserLearnsWhy(t *testing.T) {
	if os.Geteuid() != 0 {
		return // open tests it
	}
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
	cmd.Env = []string{"CGROUP_TEST=hold"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if out, err := cmd.CombinedOutput(); err != nil || !strings.HasPrefix(string(out), "none: ") {
		t.Errorf("%v: %s", err, out)
	}
}

func TestGroup_ReportsUnheldLimits(t *testing.T) {
	tree := open(t)
	if tree == nil {
		tree = &Tree{}
	}
	g := tree.Group("shop")
	all := Limits{Memory: 256 << 20, CPUMillis: 1500, Processes: 200}
	if err := g.Set(all); err != nil {
		t.Fatal(err)
	}
	if g.Limits() != all {
		t.Errorf("it has %+v", g.Limits())
	}
	held := tree.Held()
	if (tree.Why() == nil) != (held == Controllers{true, true, true}) && tree.Folder() != nil {
		t.Errorf("it holds %+v, and the reason is %v", held, tree.Why())
	}
	unheld := g.Unheld()
	for _, one := range []struct {
		name   string
		held   bool
		unheld int64
		file   string
		want   string
	}{
		{"memory", held.Memory, unheld.Memory, "memory.max", "268435456"},
		{"cpu", held.CPU, unheld.CPUMillis, "cpu.max", "150000 100000"},
		{"processes", held.Processes, unheld.Processes, "pids.max", "200"},
	} {
		if one.held == (one.unheld > 0) {
			t.Errorf("%s is held: %v, and left to others: %d", one.name, one.held, one.unheld)
		}
		if !one.held {
			continue
		}
		if got, err := readFile(g.folder, one.file); err != nil || got != one.want {
			t.Errorf("%s is %q, %v, want %q", one.file, got, err, one.want)
		}
	}
	if err := g.Set(Limits{}); err != nil {
		t.Fatal(err)
	}
	if g.Unheld() != (Limits{}) {
		t.Errorf("without limits it leaves %+v to others", g.Unheld())
	}
}
