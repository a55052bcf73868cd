package egress

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// prefix begins the names of the control groups of this package. A group's owner holds a lock on it.
const prefix = "anchor-egress-"

// Fence is a control group whose processes reach only what its rules allow. Close removes it.
type Fence struct {
	parent  *os.File
	group   *os.File // locked
	name    string
	members *os.File
}

// Open makes a control group below that of this process and attaches the rules to it. It needs CAP_SYS_ADMIN. Groups
// that a process left behind when it was killed are removed.
func Open(rules []Rule) (_ *Fence, err error) {
	parent, err := openOwn()
	if err != nil {
		return nil, fmt.Errorf("open the control group of this process: %w", err)
	}
	f := &Fence{parent: parent}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	if err := f.sweep(); err != nil {
		return nil, fmt.Errorf("remove old control groups: %w", err)
	}
	if err := f.create(); err != nil {
		return nil, fmt.Errorf("make a control group: %w", err)
	}
	for _, a := range attachments(rules) {
		if err := a.attachTo(int(f.group.Fd())); err != nil {
			return nil, err
		}
	}
	fd, err := unix.Openat(int(f.group.Fd()), "cgroup.procs", unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open the list of the control group's processes: %w", err)
	}
	f.members = os.NewFile(uintptr(fd), "cgroup.procs")
	return f, nil
}

// Members is the group's cgroup.procs: a process that writes "0" to it joins the group, and what it starts is in the
// group from then on. Close closes it.
func (f *Fence) Members() *os.File { return f.members }

// Close removes the group, whose processes must have ended, and what was still in use when Open removed old groups.
func (f *Fence) Close() error {
	var errs []error
	if f.members != nil {
		errs = append(errs, f.members.Close())
	}
	if f.group != nil {
		errs = append(errs, unix.Unlinkat(int(f.parent.Fd()), f.name, unix.AT_REMOVEDIR), f.group.Close(), f.sweep())
	}
	return errors.Join(append(errs, f.parent.Close())...)
}

// openOwn opens the folder of this process's control group in a mount that has no place in the file system: there may be
// no other, or a read-only one, and nothing is left of this one when Anchor ends.
func openOwn() (*os.File, error) {
	path, err := ownPath()
	if err != nil {
		return nil, err
	}
	context, err := unix.Fsopen("cgroup2", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil, err
	}
	defer unix.Close(context)
	if err := unix.FsconfigCreate(context); err != nil {
		return nil, err
	}
	mount, err := unix.Fsmount(context, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOEXEC)
	if err != nil {
		return nil, err
	}
	defer unix.Close(mount)
	return openFolder(mount, filepath.Join(".", path))
}

// ownPath returns where this process is in the hierarchy of version 2, as cgroups(7) describes /proc/[pid]/cgroup.
func ownPath() (string, error) {
	list, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(list)) {
		if path, found := strings.CutPrefix(strings.TrimSpace(line), "0::"); found {
			return path, nil
		}
	}
	return "", errors.New("this kernel has no control groups of version 2")
}

func openFolder(at int, name string) (*os.File, error) {
	fd, err := unix.Openat(at, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// create makes the group and locks it. Another process may take a new group for one that was left behind, before it is
// locked.
func (f *Fence) create() (err error) {
	for n := range 16 {
		name := fmt.Sprintf("%s%d-%d", prefix, os.Getpid(), n)
		if err = unix.Mkdirat(int(f.parent.Fd()), name, 0o700); err != nil {
			continue
		}
		group, err := openFolder(int(f.parent.Fd()), name)
		if err != nil {
			continue
		}
		if unix.Flock(int(group.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil && exists(f.parent, name) {
			f.group, f.name = group, name
			return nil
		}
		_ = group.Close() // only a folder that was read
	}
	return err
}

func exists(parent *os.File, name string) bool {
	return unix.Faccessat(int(parent.Fd()), name, unix.F_OK, 0) == nil
}

// sweep removes groups that no process holds. One whose processes are still ending stays until the next time.
func (f *Fence) sweep() error {
	if _, err := f.parent.Seek(0, io.SeekStart); err != nil {
		return err
	}
	names, err := f.parent.Readdirnames(-1)
	if err != nil {
		return err
	}
	for _, name := range names {
		if !strings.HasPrefix(name, prefix) {
			continue
		}
		if err := f.remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.EBUSY) {
			return err
		}
	}
	return nil
}

func (f *Fence) remove(name string) error {
	group, err := openFolder(int(f.parent.Fd()), name)
	if err != nil {
		return err
	}
	defer group.Close()
	if err := unix.Flock(int(group.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil // in use
	}
	return unix.Unlinkat(int(f.parent.Fd()), name, unix.AT_REMOVEDIR)
}
