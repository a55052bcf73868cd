package cgroup

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// join is a process that joins the group whose cgroup.procs is its descriptor 3 and tries what CGROUP_TRY says.
func join() {
	if _, err := os.NewFile(3, membersFile).WriteString("0"); err != nil {
		panic(err)
	}
	switch os.Getenv("CGROUP_TRY") {
	case "nothing":
		list, err := os.ReadFile("/proc/self/cgroup")
		if err != nil {
			panic(err)
		}
		fmt.Print(string(list))
	case "memory":
		var all [][]byte
		for {
			page := make([]byte, 1<<20)
			for i := range page {
				page[i] = 1
			}
			all = append(all, page)
			if len(all) == 1024 {
				fmt.Println("took 1 GiB")
				return
			}
		}
	case "processes":
		for n := range 200 {
			if err := exec.Command("/bin/sleep", "60").Start(); err != nil {
				fmt.Println("refused:", n < 100, err)
				return
			}
		}
		fmt.Println("started 200")
	case "processor":
		for spent := time.Duration(0); spent < 300*time.Millisecond; spent = processorTime() {
		}
	}
}

// try runs a process in a group with limits.
func try(t *testing.T, tree *Tree, what string, l Limits) (string, *Group) {
	t.Helper()
	g := tree.Group(what)
	if err := g.Set(l); err != nil {
		t.Fatal(err)
	}
	return runIn(t, g, what), g
}

// runIn runs a process in a group and returns what it prints and how it ends.
func runIn(t *testing.T, g *Group, what string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
	cmd.Env = []string{"CGROUP_TEST=join", "CGROUP_TRY=" + what, "GOMAXPROCS=1"}
	cmd.ExtraFiles = []*os.File{g.Members()}
	out, err := cmd.CombinedOutput()
	text := string(out)
	if err != nil {
		text += err.Error()
	}
	return text
}

func TestGroup_HoldsLimits(t *testing.T) {
	tree := open(t)
	if tree == nil {
		return
	}
	if tree.Held().Memory {
		text, g := try(t, tree, "memory", Limits{Memory: 64 << 20})
		if !strings.Contains(text, "signal: killed") || !g.TakeKill() || g.TakeKill() || g.Usage().Kills != 1 {
			t.Errorf("at 64 MiB: %s; %+v", text, g.Usage())
		}
	}
	if tree.Held().Processes {
		// The group's removal ends what runs in it.
		if text, _ := try(t, tree, "processes", Limits{Processes: 64}); !strings.Contains(text, "refused: true") {
			t.Errorf("at 64 processes: %s", text)
		}
	}
	if tree.Held().CPU {
		text, g := try(t, tree, "processor", Limits{CPUMillis: 100})
		// The kernel counts the periods in which the processes had to wait.
		if stat, err := readFile(g.folder, "cpu.stat"); err != nil || fieldNumber(stat, "nr_throttled") == 0 {
			t.Errorf("a process took 0.3 s at a tenth of a core without waiting: %s%s, %v", text, stat, err)
		}
	}
	for _, name := range []string{"memory", "processes", "processor"} {
		if err := tree.Remove(name); err != nil {
			t.Error(err)
		}
	}
}

func processorTime() time.Duration {
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &used); err != nil {
		panic(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
