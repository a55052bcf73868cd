package jail

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// initData is how many bytes of memory the init process may take besides what it has when it starts
// the program. Without them the Go runtime could not start a thread.
const initData = 64 << 20

// set applies the limits to this process, from which the program inherits them. It never raises one
// above the present value. The memory of this process is limited to Data or to what it needs,
// whichever is more; setProgram lowers the program's to Data.
func (l Limits) set() error {
	data := l.Data
	if data > 0 {
		own, err := ownData()
		if err != nil {
			return fmt.Errorf("read the size of this process: %w", err)
		}
		data = max(data, own+initData)
	}
	for resource, value := range map[int]uint64{
		unix.RLIMIT_NPROC: l.Processes, unix.RLIMIT_NOFILE: l.Files, unix.RLIMIT_DATA: data,
	} {
		if err := lowerLimit(0, resource, value); err != nil {
			return err
		}
	}
	// A core file would hold the environment, and it would be written to the working directory.
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("turn core files off: %w", err)
	}
	return nil
}

// setProgram applies to the program the limit that would be too low for this process.
func (l Limits) setProgram(pid int) error {
	if err := lowerLimit(pid, unix.RLIMIT_DATA, l.Data); err != nil && !errors.Is(err, unix.ESRCH) { // it may have ended
		return err
	}
	return nil
}

// lowerLimit sets a resource limit of a process (0: this one) unless value is 0 or the limit is lower.
func lowerLimit(pid, resource int, value uint64) error {
	if value == 0 {
		return nil
	}
	var now unix.Rlimit
	if err := unix.Prlimit(pid, resource, nil, &now); err != nil {
		return fmt.Errorf("read the resource limit %d: %w", resource, err)
	}
	value = min(value, now.Max)
	if err := unix.Prlimit(pid, resource, &unix.Rlimit{Cur: value, Max: value}, nil); err != nil {
		return fmt.Errorf("set the resource limit %d: %w", resource, err)
	}
	return nil
}

// ownData returns how many bytes of private memory this process has (proc_pid_statm(5)).
func ownData() (uint64, error) {
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, err
	}
	var size, resident, shared, text, lib, data uint64
	if _, err := fmt.Sscan(string(statm), &size, &resident, &shared, &text, &lib, &data); err != nil {
		return 0, fmt.Errorf("/proc/self/statm holds %q: %w", statm, err)
	}
	return data * uint64(os.Getpagesize()), nil
}

// becomeUser changes every thread of this process to User, without supplementary groups.
func (s Spec) becomeUser() error {
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
