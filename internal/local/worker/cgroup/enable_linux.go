package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// serverGroup is the group that Anchor moves to: a group with controllers for those below it has no processes itself.
const serverGroup = "anchor-server"

const (
	controllersFile = "cgroup.controllers"
	subtreeFile     = "cgroup.subtree_control"
	membersFile     = "cgroup.procs"
)

// ErrNotDelegated is the Why of a Tree whose part of the hierarchy belongs to somebody else, systemd for one.
var ErrNotDelegated = errors.New("the service manager has not delegated Anchor's control group to it")

// enableControllers lets groups hold limits, as many as the system permits. The error says what is missing.
func (t *Tree) enableControllers() error {
	if err := t.checkDelegated(); err != nil {
		return err
	}
	available, err := readWords(t.parent, controllersFile)
	if err != nil {
		return err
	}
	if groupExists(t.parent, "cgroup.type") { // the root of the whole hierarchy has none, and may have processes
		if err := t.moveAway(); err != nil {
			return err
		}
	}
	var lacks []lack
	for _, c := range []struct {
		name string
		held *bool
	}{{"memory", &t.held.Memory}, {"cpu", &t.held.CPU}, {"pids", &t.held.Processes}} {
		if err := t.enableOne(c.name, available); err != nil {
			lacks = addLack(lacks, c.name, err)
			continue
		}
		*c.held = true
	}
	err = describeLacks(lacks)
	if t.moved && t.held == (Controllers{}) {
		if back := t.moveBack(); back != nil {
			err = fmt.Errorf("%w; %w", err, back)
		}
	}
	return err
}

// lack is a reason for which controllers are missing.
type lack struct {
	controllers []string
	why         error
}

func addLack(lacks []lack, controller string, why error) []lack {
	for i := range lacks {
		if lacks[i].why.Error() == why.Error() {
			lacks[i].controllers = append(lacks[i].controllers, controller)
			return lacks
		}
	}
	return append(lacks, lack{[]string{controller}, why})
}

// describeLacks returns an error of one line, nil when nothing is missing.
func describeLacks(lacks []lack) (err error) {
	for _, l := range lacks {
		one := fmt.Errorf("the control group of Anchor cannot limit %s: %w", strings.Join(l.controllers, ", "), l.why)
		if err == nil {
			err = one
			continue
		}
		err = fmt.Errorf("%w; %w", err, one)
	}
	return err
}

func (t *Tree) enableOne(name string, available []string) error {
	if !slices.Contains(available, name) {
		return errors.New("the group has no such controller")
	}
	for _, group := range []*os.File{t.parent, t.workers} {
		err := writeFile(group, subtreeFile, "+"+name)
		if errors.Is(err, unix.EBUSY) {
			return fmt.Errorf("other processes run in it: %w", err)
		}
		if err != nil {
			return fmt.Errorf("enable the controller: %w", err)
		}
	}
	return nil
}

// checkDelegated reports whether this process may arrange its own group. Root could everywhere, but must not where
// systemd manages the group; systemd marks what it delegates (https://systemd.io/CGROUP_DELEGATION).
func (t *Tree) checkDelegated() error {
	parent := int(t.parent.Fd())
	if os.Geteuid() != 0 {
		for _, file := range []string{subtreeFile, membersFile} {
			if err := unix.Faccessat(parent, file, unix.W_OK, unix.AT_EACCESS); err != nil {
				return fmt.Errorf("%w (%s: %w)", ErrNotDelegated, file, err)
			}
		}
		return nil
	}
	path, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return err
	}
	if own, err := ownPath(string(path)); err == nil && own == "/" { // a container's own, or a machine without a manager
		return nil
	}
	for _, mark := range []string{"trusted.delegate", "user.delegate"} {
		value := make([]byte, 8)
		if n, err := unix.Fgetxattr(parent, mark, value); err == nil && string(value[:n]) == "1" {
			return nil
		}
	}
	return ErrNotDelegated
}

// moveAway moves this process into a group of its own.
func (t *Tree) moveAway() error {
	if err := unix.Mkdirat(int(t.parent.Fd()), serverGroup, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make a control group for Anchor itself: %w", err)
	}
	if err := writeFile(t.parent, serverGroup+"/"+membersFile, "0"); err != nil { // the process that writes (cgroups(7))
		return fmt.Errorf("move Anchor to a control group of its own: %w", err)
	}
	t.moved = true
	return nil
}

// moveBack undoes moveAway. Controllers that are enabled keep this process out of the group.
func (t *Tree) moveBack() error {
	for _, name := range []string{"memory", "cpu", "pids"} {
		_ = writeFile(t.parent, subtreeFile, "-"+name) // others may use it: then the move fails
	}
	if err := writeFile(t.parent, membersFile, "0"); err != nil {
		return fmt.Errorf("move Anchor back to the control group it was started in: %w", err)
	}
	t.moved = false
	return unix.Unlinkat(int(t.parent.Fd()), serverGroup, unix.AT_REMOVEDIR)
}

func readWords(group *os.File, file string) ([]string, error) {
	text, err := readFile(group, file)
	return strings.Fields(text), err
}
