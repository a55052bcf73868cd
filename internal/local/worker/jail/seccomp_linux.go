package jail

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Offsets in struct seccomp_data (seccomp(2)). Only the lower half of an argument is read, which is
// all that the conditions below need; it comes first, as the machines in architectures are
// little-endian.
const (
	dataNumber   = 0
	dataArch     = 4
	dataArgument = 16 // of the first, 8 octets each
)

// architectures are the values of seccomp_data.arch for the machines that the filter is made for.
var architectures = map[string]uint32{
	"amd64": unix.AUDIT_ARCH_X86_64,
	"arm64": unix.AUDIT_ARCH_AARCH64,
}

// x32Bit marks system calls of the x32 interface, which has the architecture of amd64 and numbers
// of its own.
const x32Bit = 0x40000000

// refused are calls that no app needs and that reach far into the kernel: they fail with EPERM.
var refused = append([]uint32{
	unix.SYS_ACCT, unix.SYS_ADD_KEY, unix.SYS_ADJTIMEX, unix.SYS_BPF, unix.SYS_CHROOT, unix.SYS_CLOCK_ADJTIME,
	unix.SYS_CLOCK_SETTIME, unix.SYS_DELETE_MODULE, unix.SYS_FANOTIFY_INIT, unix.SYS_FINIT_MODULE, unix.SYS_FSCONFIG,
	unix.SYS_FSMOUNT, unix.SYS_FSOPEN, unix.SYS_FSPICK, unix.SYS_INIT_MODULE, unix.SYS_KCMP, unix.SYS_KEXEC_FILE_LOAD,
	unix.SYS_KEXEC_LOAD, unix.SYS_KEYCTL, unix.SYS_LOOKUP_DCOOKIE, unix.SYS_MBIND, unix.SYS_MIGRATE_PAGES, unix.SYS_MOUNT,
	unix.SYS_MOUNT_SETATTR, unix.SYS_MOVE_MOUNT, unix.SYS_MOVE_PAGES, unix.SYS_NAME_TO_HANDLE_AT, unix.SYS_NFSSERVCTL,
	unix.SYS_OPEN_BY_HANDLE_AT, unix.SYS_OPEN_TREE, unix.SYS_PERF_EVENT_OPEN, unix.SYS_PERSONALITY, unix.SYS_PIDFD_GETFD,
	unix.SYS_PIVOT_ROOT, unix.SYS_PROCESS_MADVISE, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV, unix.SYS_PTRACE,
	unix.SYS_QUOTACTL, unix.SYS_QUOTACTL_FD, unix.SYS_REBOOT, unix.SYS_REQUEST_KEY, unix.SYS_SETDOMAINNAME, unix.SYS_SETHOSTNAME,
	unix.SYS_SETNS, unix.SYS_SETTIMEOFDAY, unix.SYS_SET_MEMPOLICY, unix.SYS_SWAPOFF, unix.SYS_SWAPON, unix.SYS_SYSLOG,
	unix.SYS_UMOUNT2, unix.SYS_UNSHARE, unix.SYS_USERFAULTFD, unix.SYS_VHANGUP,
}, refusedHere...)

// absent fail with ENOSYS, which makes libraries fall back to an older call: clone3 has its flags
// where a filter cannot see them.
var absent = []uint32{unix.SYS_CLONE3, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER, unix.SYS_IO_URING_SETUP}

const newNamespaces = unix.CLONE_NEWCGROUP | unix.CLONE_NEWIPC | unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWPID |
	unix.CLONE_NEWUSER | unix.CLONE_NEWUTS

var errNoFilter = errors.New("no seccomp filter is known for this kind of processor")

// filterCalls denies the calls above to the calling thread and all its children. It cannot be
// undone.
func filterCalls() error {
	arch, known := architectures[runtime.GOARCH]
	if !known {
		return errNoFilter
	}
	filter := filterProgram(arch)
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if _, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&prog))); errno != 0 {
		return fmt.Errorf("filter system calls: %w", errno)
	}
	return nil
}

// filterProgram returns the filter. The kernel remembers which numbers it allows whatever the arguments
// (since 5.11), so its length does not matter to most calls.
func filterProgram(arch uint32) []unix.SockFilter {
	p := []unix.SockFilter{
		loadWord(dataArch),
		jumpIf(unix.BPF_JEQ, arch, 1, 0),
		failWith(unix.ENOSYS), // calls of a 32-bit program have other numbers
		loadWord(dataNumber),
		jumpIf(unix.BPF_JGE, x32Bit, 0, 1),
		failWith(unix.ENOSYS),
	}
	for _, number := range refused {
		p = append(p, jumpIf(unix.BPF_JEQ, number, 0, 1), failWith(unix.EPERM))
	}
	for _, number := range absent {
		p = append(p, jumpIf(unix.BPF_JEQ, number, 0, 1), failWith(unix.ENOSYS))
	}
	for _, check := range [][]unix.SockFilter{namespaces, families, terminals, limits} {
		p = append(p, check...)
	}
	return append(p, pass)
}

// Each of these begins with the call's number loaded and skips itself for any other number.
var (
	namespaces = []unix.SockFilter{
		jumpIf(unix.BPF_JEQ, unix.SYS_CLONE, 0, 4),
		loadWord(dataArgument),
		jumpIf(unix.BPF_JSET, newNamespaces, 0, 1),
		failWith(unix.EPERM),
		pass,
	}
	// Allow only the socket families, and the netlink protocols, that the network needs: the others
	// are rarely used code of the kernel.
	families = []unix.SockFilter{
		jumpIf(unix.BPF_JEQ, unix.SYS_SOCKET, 0, 10),
		loadWord(dataArgument),
		jumpIf(unix.BPF_JEQ, unix.AF_UNIX, 6, 0),
		jumpIf(unix.BPF_JEQ, unix.AF_INET, 5, 0),
		jumpIf(unix.BPF_JEQ, unix.AF_INET6, 4, 0),
		jumpIf(unix.BPF_JEQ, unix.AF_NETLINK, 0, 4),
		loadWord(dataArgument + 16),
		jumpIf(unix.BPF_JEQ, unix.NETLINK_ROUTE, 1, 0),
		failWith(unix.EPROTONOSUPPORT),
		pass,
		failWith(unix.EAFNOSUPPORT),
	}
	// Both put characters into the terminal that Anchor may have been started from.
	terminals = []unix.SockFilter{
		jumpIf(unix.BPF_JEQ, unix.SYS_IOCTL, 0, 5),
		loadWord(dataArgument + 8),
		jumpIf(unix.BPF_JEQ, unix.TIOCSTI, 1, 0),
		jumpIf(unix.BPF_JEQ, tiocLinux, 0, 1),
		failWith(unix.EPERM),
		pass,
	}
	// The kernel lets a process limit another one of the same user, and Landlock does not prevent
	// that.
	limits = []unix.SockFilter{
		jumpIf(unix.BPF_JEQ, unix.SYS_PRLIMIT64, 0, 4),
		loadWord(dataArgument),
		jumpIf(unix.BPF_JEQ, 0, 1, 0),
		failWith(unix.EPERM),
		pass,
	}
)

const tiocLinux = 0x541c // TIOCLINUX, ioctl_console(2)

var pass = unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW}

func failWith(errno unix.Errno) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(errno)}
}

func loadWord(offset uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
}

func jumpIf(test uint16, k uint32, yes, no uint8) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_JMP | test | unix.BPF_K, K: k, Jt: yes, Jf: no}
}
