package cgroup

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Group holds the workers of one project.
type Group struct {
	name    string
	folder  *os.File // nil: the project has no group of its own, and limits are only remembered
	members *os.File
	held    Controllers
	why     error // why the system refused a group of its own; nil when it did not

	mu      sync.Mutex
	limits  Limits
	refused Controllers // limits that the kernel did not take
	known   int64       // kills that TakeKill has reported
}

// cpuPeriod is the time over which processor time is counted, in microseconds: the kernel's default.
const cpuPeriod = 100_000

func (g *Group) openGroup(workers *os.File, name string) (err error) {
	if err := unix.Mkdirat(int(workers.Fd()), name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	g.name = name
	if g.folder, err = openFolder(int(workers.Fd()), name); err != nil {
		return err
	}
	fd, err := unix.Openat(int(g.folder.Fd()), membersFile, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return errors.Join(err, g.folder.Close(), unix.Unlinkat(int(workers.Fd()), name, unix.AT_REMOVEDIR))
	}
	g.members = os.NewFile(uintptr(fd), membersFile)
	return nil
}

// Members is the group's cgroup.procs: a process that writes "0" to it joins the group, and what it starts is in the
// group from then on. Nil when the system has no groups.
func (g *Group) Members() *os.File { return g.members }

// Why returns why the project has no group of its own and shares one that holds no limits; nil when it has one, or
// when the system has no groups at all.
func (g *Group) Why() error { return g.why }

// Set puts limits in force, for the processes that run as well. The kernel kills some when they take more memory than
// a new limit. Limits that the kernel refuses are in the error, and are unheld until the next Set; the others hold.
func (g *Group) Set(l Limits) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.limits, g.refused = l, Controllers{}
	var errs []error
	for _, setting := range g.settingsFor(l) {
		err := writeFile(g.folder, setting.file, setting.value)
		if err == nil || setting.optional && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		*setting.refused = true
		errs = append(errs, fmt.Errorf("set %s to %q: %w", setting.file, setting.value, err))
	}
	return errors.Join(errs...)
}

type setting struct {
	refused     *bool // set when the kernel does not take the value
	file, value string
	optional    bool // some kernels have no such file
}

// settingsFor are the files of the group that hold the limits (Documentation/admin-guide/cgroup-v2.rst).
func (g *Group) settingsFor(l Limits) (all []setting) {
	if g.held.Memory {
		swap := "max"
		if l.Memory > 0 {
			swap = "0" // or a process at its limit would not end, but swap
		}
		all = append(all, setting{&g.refused.Memory, "memory.swap.max", swap, true}, setting{&g.refused.Memory, "memory.max", orMax(l.Memory), false})
	}
	if g.held.CPU {
		quota := orMax(l.CPUMillis * cpuPeriod / 1000)
		all = append(all, setting{&g.refused.CPU, "cpu.max", fmt.Sprintf("%s %d", quota, cpuPeriod), false})
		if l.CPUWeight > 0 {
			all = append(all, setting{new(bool), "cpu.weight", strconv.FormatInt(l.CPUWeight, 10), true})
		}
	}
	if g.held.Processes {
		all = append(all, setting{&g.refused.Processes, "pids.max", orMax(l.Processes), false})
	}
	return all
}

func orMax(n int64) string {
	if n <= 0 {
		return "max"
	}
	return strconv.FormatInt(n, 10)
}

// Limits returns the limits of the last Set.
func (g *Group) Limits() Limits {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.limits
}

// Unheld returns the limits of the last Set that the group does not hold.
func (g *Group) Unheld() Limits {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.held.without(g.refused).unheldLimits(g.limits)
}

// Usage returns what the group takes.
func (g *Group) Usage() Usage {
	if g.folder == nil {
		return Usage{}
	}
	return Usage{Memory: g.readNumber("memory.current"), Processes: g.readNumber("pids.current"), Kills: g.countKills()}
}

// TakeKill reports whether the kernel has killed a process of the group at the memory limit since TakeKill last
// returned true for one.
func (g *Group) TakeKill() bool {
	if g.folder == nil {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.countKills() <= g.known {
		return false
	}
	g.known++
	return true
}

func (g *Group) countKills() int64 {
	text, err := readFile(g.folder, "memory.events")
	if err != nil {
		return 0 // no such controller
	}
	return fieldNumber(text, "oom_kill")
}

// fieldNumber returns the number of a line "name number", 0 when there is none.
func fieldNumber(text, name string) int64 {
	for line := range strings.Lines(text) {
		if value, found := strings.CutPrefix(line, name+" "); found {
			n, _ := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
			return n
		}
	}
	return 0
}

func (g *Group) readNumber(file string) int64 {
	text, err := readFile(g.folder, file)
	if err != nil {
		return 0 // no such controller
	}
	n, _ := strconv.ParseInt(text, 10, 64)
	return n
}

// removeWithin is how long the kernel may take to end the processes of a group.
const removeWithin = 5 * time.Second

// removeGroup ends what runs in the group and removes it. What runs in a shared group ends with its pool alone.
func (g *Group) removeGroup(workers *os.File) error {
	if g.folder == nil {
		return nil
	}
	_ = writeFile(g.folder, "cgroup.kill", "1") // Linux 5.14; before it, the ends of the init processes have to do
	err := unix.EBUSY
	for limit := time.Now().Add(removeWithin); errors.Is(err, unix.EBUSY) && time.Now().Before(limit); {
		e := unix.Unlinkat(int(workers.Fd()), g.name, unix.AT_REMOVEDIR)
		if e == nil || errors.Is(e, fs.ErrNotExist) {
			return errors.Join(g.members.Close(), g.folder.Close())
		}
		if !errors.Is(e, unix.EBUSY) {
			return e
		}
		time.Sleep(10 * time.Millisecond) // the kernel reports no end of this state to a caller without a poll loop
	}
	return fmt.Errorf("its processes did not end within %s: %w", removeWithin, err)
}

// sweepGroups removes the groups of Anchors that no longer run. One that cannot be removed, because its processes are still
// ending for example, does no harm and stays until the next time.
func sweepGroups(parent *os.File) {
	names, err := listSubfolders(parent)
	if err != nil {
		return
	}
	for _, name := range names {
		if strings.HasPrefix(name, prefix) {
			_ = removeUnlocked(parent, name)
		}
	}
}

func removeUnlocked(parent *os.File, name string) error {
	group, err := openFolder(int(parent.Fd()), name)
	if err != nil {
		return err
	}
	defer group.Close()
	if err := unix.Flock(int(group.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil // in use
	}
	return removeTree(parent, name)
}

// removeTree removes a group and those below it.
func removeTree(parent *os.File, name string) error {
	group, err := openFolder(int(parent.Fd()), name)
	if err != nil {
		return err
	}
	defer group.Close()
	below, err := listSubfolders(group)
	if err != nil {
		return err
	}
	for _, child := range below {
		if err := removeTree(group, child); err != nil {
			return err
		}
	}
	return unix.Unlinkat(int(parent.Fd()), name, unix.AT_REMOVEDIR)
}

func listSubfolders(group *os.File) (names []string, err error) {
	if _, err := group.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	entries, err := group.ReadDir(-1)
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, err
}

func writeFile(group *os.File, file, value string) error {
	fd, err := unix.Openat(int(group.Fd()), file, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	_, err = unix.Write(fd, []byte(value))
	return err
}

func readFile(group *os.File, file string) (string, error) {
	fd, err := unix.Openat(int(group.Fd()), file, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	buffer := make([]byte, 4096) // more than any of these files holds
	n, err := unix.Read(fd, buffer)
	if err != nil {
		return "", err
	}
	return string(bytes.TrimSpace(buffer[:n])), nil
}
