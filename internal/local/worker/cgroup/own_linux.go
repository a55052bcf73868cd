package cgroup

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// errNone is a kernel, or a container, without the hierarchy of version 2.
var errNone = errors.New("this system has no control groups of version 2")

// openOwn opens the folder of this process's control group.
func openOwn() (*os.File, error) {
	list, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, err
	}
	path, err := ownPath(string(list))
	if err != nil {
		return nil, err
	}
	own, unmounted := openInNewMount(path)
	if unmounted == nil {
		return own, nil
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	place, found := mountPlace(string(mounts), path)
	if !found {
		return nil, unmounted
	}
	return openFolder(unix.AT_FDCWD, place)
}

// openInNewMount opens the folder in a mount that has no place in the file system: there may be no other, or a
// read-only one, and nothing is left of this one when Anchor ends. It needs CAP_SYS_ADMIN.
func openInNewMount(path string) (*os.File, error) {
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

// ownPath returns where a process is in the hierarchy of version 2, from its /proc/[pid]/cgroup (cgroups(7)).
func ownPath(list string) (string, error) {
	for line := range strings.Lines(list) {
		path, found := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "0::")
		switch {
		case !found:
		case strings.HasPrefix(path, "/.."), strings.HasSuffix(path, " (deleted)"):
			return "", errors.New("the control group of this process is outside of its namespace or removed: " + path)
		default:
			return path, nil
		}
	}
	return "", errNone
}

// mountPlace returns the place in the file system of a control group of version 2, from /proc/self/mountinfo
// (proc_pid_mountinfo(5)).
func mountPlace(mountinfo, path string) (place string, found bool) {
	for line := range strings.Lines(mountinfo) {
		before, after, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " - ")
		fields := strings.Fields(before)
		if len(fields) < 5 || !strings.HasPrefix(after, "cgroup2 ") {
			continue
		}
		below, err := filepath.Rel(unescape(fields[3]), path)
		if err == nil && filepath.IsLocal(below) {
			return filepath.Join(unescape(fields[4]), below), true
		}
	}
	return "", false
}

// unescape reads the characters that mountinfo writes in octal.
var unescape = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace
