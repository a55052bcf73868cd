package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
)

// prefix begins the names of the groups that hold all workers of one Anchor, which has a lock on its own.
const prefix = "anchor-workers-"

// sharedName is the group of Tree.Shared; no project's has that name.
const sharedName = "shared"

// Tree is a control group for all workers of this process, with one group for each project below it. The zero Tree
// has no groups. Close removes it.
type Tree struct {
	parent  *os.File // the group in which Anchor was started
	workers *os.File // locked; nil: there are no groups
	name    string   // of workers
	moved   bool     // Anchor has left parent for a group of its own
	held    Controllers
	why     error  // why held lacks some
	shared  *Group // for projects for which the system refuses a group; nil without workers

	mu     sync.Mutex
	groups map[string]*Group
}

// Open makes the group for all workers below that of this process and, where that part of the hierarchy is delegated,
// enables its controllers, for which this process moves into a group beside it (cgroups(7), "no internal processes").
// It never fails: a Tree without groups or controllers has a Why. Groups that a killed process left are removed.
func Open() *Tree {
	t := &Tree{groups: map[string]*Group{}}
	if err := t.openTree(); err != nil {
		t.why = err
		t.closeAll()
		return t
	}
	if err := t.enableControllers(); err != nil {
		t.why = err
	}
	return t
}

func (t *Tree) openTree() (err error) {
	if t.parent, err = openOwn(); err != nil {
		return fmt.Errorf("open the control group of this process: %w", err)
	}
	sweepGroups(t.parent)
	if err := t.createTree(); err != nil {
		return fmt.Errorf("make a control group: %w", err)
	}
	shared := &Group{}
	if err := shared.openGroup(t.workers, sharedName); err != nil {
		return errors.Join(fmt.Errorf("make a control group for workers without one: %w", err), removeTree(t.parent, t.name))
	}
	t.shared = shared
	return nil
}

// createTree makes the group for all workers and locks it. Another process may take a new group for one that was left
// behind, before it is locked.
func (t *Tree) createTree() (err error) {
	for n := range 16 {
		name := fmt.Sprintf("%s%d-%d", prefix, os.Getpid(), n)
		if err = unix.Mkdirat(int(t.parent.Fd()), name, 0o700); err != nil {
			continue
		}
		group, err := openFolder(int(t.parent.Fd()), name)
		if err != nil {
			continue
		}
		if unix.Flock(int(group.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil && groupExists(t.parent, name) {
			t.workers, t.name = group, name
			return nil
		}
		_ = group.Close() // only a folder that was read
	}
	return err
}

// Folder is the group of all workers, nil when there are no groups. What is attached to it, BPF programs for one,
// applies to every group below. Close closes it.
func (t *Tree) Folder() *os.File { return t.workers }

// Held returns the limits that groups hold here.
func (t *Tree) Held() Controllers { return t.held }

// Why returns why groups do not hold every limit, nil when they do.
func (t *Tree) Why() error { return t.why }

// Shared is the group of workers whose project has none of its own. It holds no limits. Nil when there are no groups.
func (t *Tree) Shared() *Group { return t.shared }

// Group returns the group of the given name, which it makes when there is none. The name is a folder's: letters,
// digits and hyphens. Where the system refuses another group, cgroup.max.descendants for one, the members join that of
// Shared; see Why.
func (t *Tree) Group(name string) *Group {
	t.mu.Lock()
	defer t.mu.Unlock()
	if g := t.groups[name]; g != nil {
		return g
	}
	g := &Group{held: t.held}
	if t.workers != nil {
		if err := g.openGroup(t.workers, "project-"+name); err != nil {
			g = &Group{members: t.shared.members, why: fmt.Errorf("make the control group of %s: %w", name, err)}
		}
	}
	if t.groups == nil {
		t.groups = map[string]*Group{}
	}
	t.groups[name] = g
	return g
}

// Refused returns why the group of the given name joined that of Shared. It returns nil when the group is its own, or
// when there is none.
func (t *Tree) Refused(name string) error {
	t.mu.Lock()
	g := t.groups[name]
	t.mu.Unlock()
	if g == nil {
		return nil
	}
	return g.Why()
}

// Usage returns what the group of the given name takes: nothing when there is none.
func (t *Tree) Usage(name string) Usage {
	t.mu.Lock()
	g := t.groups[name]
	t.mu.Unlock()
	if g == nil {
		return Usage{}
	}
	return g.Usage()
}

// Remove ends what runs in the group of the given name and removes it. It is not an error when there is none.
func (t *Tree) Remove(name string) error {
	t.mu.Lock()
	g := t.groups[name]
	delete(t.groups, name)
	t.mu.Unlock()
	if g == nil || t.workers == nil {
		return nil
	}
	if err := g.removeGroup(t.workers); err != nil {
		return fmt.Errorf("remove the control group of %s: %w", name, err)
	}
	return nil
}

// Close removes all groups, whose processes must have ended, and returns this process to the group that it came from.
func (t *Tree) Close() error {
	t.mu.Lock()
	names := make([]string, 0, len(t.groups))
	for name := range t.groups {
		names = append(names, name)
	}
	t.mu.Unlock()
	var errs []error
	for _, name := range names {
		errs = append(errs, t.Remove(name))
	}
	if t.workers != nil {
		errs = append(errs, t.shared.removeGroup(t.workers), removeTree(t.parent, t.name))
		sweepGroups(t.parent)
	}
	if t.moved {
		errs = append(errs, t.moveBack())
	}
	t.closeAll()
	return errors.Join(errs...)
}

// closeAll closes what is open.
func (t *Tree) closeAll() {
	for _, f := range []*os.File{t.workers, t.parent} {
		if f != nil {
			_ = f.Close() // only folders that were read
		}
	}
	t.workers, t.parent, t.shared = nil, nil, nil
}

func openFolder(at int, name string) (*os.File, error) {
	fd, err := unix.Openat(at, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	return os.NewFile(uintptr(fd), filepath.Base(name)), nil
}

func groupExists(parent *os.File, name string) bool {
	return unix.Faccessat(int(parent.Fd()), name, unix.F_OK, 0) == nil
}
