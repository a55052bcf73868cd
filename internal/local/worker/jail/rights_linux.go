package jail

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// set applies the limits to this process. It never raises one above the present value.
func (l Limits) set() error {
	for resource, value := range map[int]uint64{
		unix.RLIMIT_NPROC: l.Processes, unix.RLIMIT_NOFILE: l.Files, unix.RLIMIT_DATA: l.Data,
	} {
		if value == 0 {
			continue
		}
		var now unix.Rlimit
		if err := unix.Getrlimit(resource, &now); err != nil {
			return fmt.Errorf("read the resource limit %d: %w", resource, err)
		}
		value = min(value, now.Max)
		if err := unix.Setrlimit(resource, &unix.Rlimit{Cur: value, Max: value}); err != nil {
			return fmt.Errorf("set the resource limit %d: %w", resource, err)
		}
	}
	// A core file would hold the environment, and it would be written to the working directory.
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("turn core files off: %w", err)
	}
	return nil
}

// become changes every thread of this process to User, without supplementary groups.
func (s Spec) become() error {
	if s.User == nil {
		return nil
	}
	uid, gid := int(s.User.UID), int(s.User.GID)
	if err := syscall.Setgroups(nil); err != nil {
		return fmt.Errorf("leave the groups: %w", err)
	}
	if err := syscall.Setresgid(gid, gid, gid); err != nil {
		return fmt.Errorf("become group %d: %w", gid, err)
	}
	if err := syscall.Setresuid(uid, uid, uid); err != nil {
		return fmt.Errorf("become user %d: %w", uid, err)
	}
	return nil
}

// dropCapabilities removes the capabilities that a user namespace granted to the calling thread.
// Without ambient capabilities the program would have none either way, as its user is not root.
func dropCapabilities() error {
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return fmt.Errorf("clear the ambient capabilities: %w", err)
	}
	var none [2]unix.CapUserData
	if err := unix.Capset(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &none[0]); err != nil {
		return fmt.Errorf("give up the capabilities: %w", err)
	}
	return nil
}
