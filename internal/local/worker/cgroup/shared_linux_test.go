package cgroup

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestGroup_RefusedJoinsShared(t *testing.T) {
	tree := open(t)
	if tree == nil {
		return
	}
	if err := writeFile(tree.Folder(), "cgroup.max.descendants", "1"); err != nil { // Shared is the one
		t.Fatal(err)
	}
	g := tree.Group("shop")
	if !errors.Is(g.Why(), unix.EAGAIN) || !errors.Is(tree.Refused("shop"), unix.EAGAIN) {
		t.Errorf("the reasons are %v and %v", g.Why(), tree.Refused("shop"))
	}
	if err := tree.Refused("other"); err != nil {
		t.Errorf("a project without a group is refused: %v", err)
	}
	l := Limits{Memory: 64 << 20, CPUMillis: 100, Processes: 64}
	if err := g.Set(l); err != nil {
		t.Error(err)
	}
	if g.Unheld() != l || g.Limits() != l {
		t.Errorf("of %+v it leaves %+v to each process", l, g.Unheld())
	}
	if text := runIn(t, g, "nothing"); !strings.Contains(text, tree.name+"/"+sharedName+"\n") {
		t.Errorf("a process of it is in %s", text)
	}
	// The others' processes stay.
	if err := tree.Remove("shop"); err != nil {
		t.Error(err)
	}
	if text := runIn(t, tree.Shared(), "nothing"); !strings.Contains(text, sharedName+"\n") {
		t.Errorf("after the removal a process is in %s", text)
	}
	if err := writeFile(tree.Folder(), "cgroup.max.descendants", "max"); err != nil {
		t.Fatal(err)
	}
	if err := tree.Group("shop").Why(); err != nil {
		t.Errorf("once the system permits it again: %v", err)
	}
}

// A folder with the file of one controller stands for a group in which the kernel refuses the others' limits.
func TestGroup_RefusedLimitIsLeftToProcesses(t *testing.T) {
	dir := t.TempDir()
	pids := filepath.Join(dir, "pids.max")
	if err := os.WriteFile(pids, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	folder, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	g := &Group{folder: folder, held: Controllers{Memory: true, CPU: true, Processes: true}}
	err = g.Set(Limits{Memory: 64 << 20, CPUMillis: 100, Processes: 64})
	if err == nil || !strings.Contains(err.Error(), "memory.max") || !strings.Contains(err.Error(), "cpu.max") {
		t.Errorf("the refusal is %v", err)
	}
	if want := (Limits{Memory: 64 << 20, CPUMillis: 100}); g.Unheld() != want {
		t.Errorf("it leaves %+v to each process, want %+v", g.Unheld(), want)
	}
	if text, err := os.ReadFile(pids); err != nil || string(text) != "64" {
		t.Errorf("pids.max is %q, %v", text, err)
	}
	for _, file := range []string{"memory.max", "cpu.max", "cpu.weight"} {
		if err := os.WriteFile(filepath.Join(dir, file), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := g.Set(Limits{Memory: 64 << 20, Processes: 64, CPUWeight: 10}); err != nil || g.Unheld() != (Limits{}) {
		t.Errorf("once the kernel takes them: %v, and %+v is left", err, g.Unheld())
	}
	if text, err := os.ReadFile(filepath.Join(dir, "cpu.weight")); err != nil || string(text) != "10" {
		t.Errorf("cpu.weight is %q, %v", text, err)
	}
}

func TestTree_ReasonsAreOneLine(t *testing.T) {
	var lacks []lack
	for _, one := range []struct {
		controller string
		why        error
	}{{"memory", unix.EBUSY}, {"cpu", unix.EACCES}, {"pids", unix.EBUSY}} {
		lacks = addLack(lacks, one.controller, one.why)
	}
	err := describeLacks(lacks)
	want := "the control group of Anchor cannot limit memory, pids: device or resource busy; " +
		"the control group of Anchor cannot limit cpu: permission denied"
	if err == nil || err.Error() != want || !errors.Is(err, unix.EBUSY) || !errors.Is(err, unix.EACCES) {
		t.Errorf("got %v", err)
	}
	if err := describeLacks(nil); err != nil {
		t.Errorf("of none: %v", err)
	}
}
