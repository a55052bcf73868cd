package jail

import (
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Rights over files by version of Landlock's interface (landlock(7), "Landlock version").
const (
	rightsRead  = unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR
	rightsFile  = unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE | unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	rightsFirst = unix.LANDLOCK_ACCESS_FS_MAKE_SYM<<1 - 1 // version 1 has all up to this one
)

// Landlock numbers its interface: 2 knows LINK to other folders, 3 TRUNCATE, 5 IOCTL_DEV, 6 scopes.
func handledRights(version int) (files, scopes uint64) {
	files = rightsFirst
	if version >= 2 {
		files |= unix.LANDLOCK_ACCESS_FS_REFER
	}
	if version >= 3 {
		files |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	if version >= 5 {
		files |= unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	}
	if version >= 6 {
		scopes = unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | unix.LANDLOCK_SCOPE_SIGNAL
	}
	return files, scopes
}

// rulesetAttr is struct landlock_ruleset_attr.
type rulesetAttr struct{ files, net, scopes uint64 }

var errNoLandlock = errors.New("the kernel has no Landlock")

func landlockVersion() int {
	version, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return 0
	}
	return int(version)
}

// restrictFiles limits the calling thread to the spec's files. From Namespaced on, where no others
// are in sight, a kernel without Landlock is good enough.
func (s Spec) restrictFiles() error {
	version := landlockVersion()
	if version == 0 {
		if s.Level >= Namespaced {
			return nil
		}
		return errNoLandlock
	}
	handled := rulesetAttr{}
	handled.files, handled.scopes = handledRights(version)
	size := unsafe.Sizeof(handled)
	if version < 6 { // older kernels know a shorter structure
		size = unsafe.Sizeof(handled.files)
	}
	fd, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&handled)), size, 0)
	if errno != 0 {
		return fmt.Errorf("make Landlock rules: %w", errno)
	}
	defer unix.Close(int(fd))
	if err := s.allowPaths(int(fd), handled.files); err != nil {
		return err
	}
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, fd, 0, 0); errno != 0 {
		return fmt.Errorf("put Landlock rules in force: %w", errno)
	}
	return nil
}

func (s Spec) allowPaths(rules int, all uint64) error {
	readable, writable := s.ReadOnly, s.Writable
	if s.Level >= Namespaced {
		readable, writable = append(readable, "/"), append(writable, "/tmp", "/dev/shm")
	} else {
		for _, list := range [][]string{systemFolders, settings, certificates, accounts, {"/proc"}} {
			readable = append(readable, list...)
		}
	}
	for _, path := range readable {
		if err := allowPath(rules, path, all&rightsRead); err != nil {
			return err
		}
	}
	for _, path := range append(writable, devices...) {
		if err := allowPath(rules, path, all); err != nil {
			return err
		}
	}
	return nil
}

// allowPath grants rights over a path and what is below it. Systems differ in which paths exist.
func allowPath(rules int, path string, rights uint64) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open %s for Landlock: %w", path, err)
	}
	defer unix.Close(fd)
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return fmt.Errorf("look at %s for Landlock: %w", path, err)
	}
	if stat.Mode&unix.S_IFMT != unix.S_IFDIR {
		rights &= rightsFile
	}
	rule := unix.LandlockPathBeneathAttr{Allowed_access: rights, Parent_fd: int32(fd)}
	_, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(rules), unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&rule)), 0, 0, 0)
	if errno != 0 {
		return fmt.Errorf("allow %s by Landlock: %w", path, errno)
	}
	return nil
}
