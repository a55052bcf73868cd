package worker

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// probe is the body of the program that the hostile app runs: it prints "done", or the name of the
// error.
func probe(name, arg string) {
	try, known := probes[name]
	if !known {
		fmt.Print("no such probe")
		return
	}
	err := try(arg)
	var errno syscall.Errno
	switch {
	case err == nil:
		fmt.Print("done")
	case errors.As(err, &errno):
		fmt.Print(unix.ErrnoName(errno))
	default:
		fmt.Print(err)
	}
}

// call makes a system call with arguments that the kernel would refuse anyway if it got that far.
func call(number uintptr, args ...uintptr) func(string) error {
	return func(string) error {
		var a [6]uintptr
		copy(a[:], args)
		if _, _, errno := unix.Syscall6(number, a[0], a[1], a[2], a[3], a[4], a[5]); errno != 0 {
			return errno
		}
		return nil
	}
}

func socket(family, kind, protocol int) func(string) error {
	return func(string) error {
		_, err := unix.Socket(family, kind, protocol)
		return err
	}
}

// send tries one way of sending something to the address in its argument.
func send(kind int, try func(fd int, to unix.Sockaddr) error) func(string) error {
	return func(arg string) error {
		to, err := netip.ParseAddrPort(arg)
		if err != nil {
			return err
		}
		family, address := unix.AF_INET6, unix.Sockaddr(&unix.SockaddrInet6{Port: int(to.Port()), Addr: to.Addr().As16()})
		if to.Addr().Is4() {
			family, address = unix.AF_INET, &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}
		}
		fd, err := unix.Socket(family, kind, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		return try(fd, address)
	}
}

// onProcess calls try with the process id in its argument.
func onProcess(try func(pid int) error) func(string) error {
	return func(arg string) error {
		pid, err := strconv.Atoi(arg)
		if err != nil {
			return err
		}
		return try(pid)
	}
}

var probes = map[string]func(arg string) error{
	"read":   func(path string) error { _, err := os.ReadFile(path); return err },
	"list":   func(path string) error { _, err := os.ReadDir(path); return err },
	"write":  func(path string) error { return os.WriteFile(path, nil, 0o600) },
	"device": func(path string) error { return unix.Mknod(path, unix.S_IFCHR|0o666, int(unix.Mkdev(1, 1))) },
	"dial": func(address string) error {
		conn, err := net.Dial("unix", address)
		if err == nil {
			conn.Close()
		}
		return err
	},

	"signal": onProcess(func(pid int) error { return unix.Kill(pid, 0) }),
	"ptrace": onProcess(unix.PtraceAttach),
	"peek": onProcess(func(pid int) error {
		local := []unix.Iovec{{Base: new(byte), Len: 1}}
		_, err := unix.ProcessVMReadv(pid, local, []unix.RemoteIovec{{Base: 0x400000, Len: 1}}, 0)
		return err
	}),
	"limit": onProcess(func(pid int) error { return unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &unix.Rlimit{}) }),

	"mount":       func(dir string) error { return unix.Mount("none", dir, "tmpfs", 0, "") },
	"unmount":     func(dir string) error { return unix.Unmount(dir, 0) },
	"chroot":      unix.Chroot,
	"unshare":     func(string) error { return unix.Unshare(unix.CLONE_NEWUSER) },
	"clone":       call(unix.SYS_CLONE, unix.CLONE_NEWUSER|unix.CLONE_NEWNET, 1), // an odd stack: not even a clone that is let through runs on
	"clone3":      call(unix.SYS_CLONE3),
	"setns":       call(unix.SYS_SETNS, ^uintptr(0)),
	"pivot":       call(unix.SYS_PIVOT_ROOT),
	"openTree":    call(unix.SYS_OPEN_TREE),
	"fsopen":      call(unix.SYS_FSOPEN),
	"handle":      call(unix.SYS_OPEN_BY_HANDLE_AT),
	"keyctl":      call(unix.SYS_KEYCTL),
	"addKey":      call(unix.SYS_ADD_KEY),
	"bpf":         call(unix.SYS_BPF),
	"perf":        call(unix.SYS_PERF_EVENT_OPEN),
	"userfaultfd": call(unix.SYS_USERFAULTFD),
	"ioUring":     call(unix.SYS_IO_URING_SETUP),
	"module":      call(unix.SYS_INIT_MODULE),
	"kexec":       call(unix.SYS_KEXEC_LOAD),
	"reboot":      call(unix.SYS_REBOOT),
	"swapon":      call(unix.SYS_SWAPON),
	"hostname":    call(unix.SYS_SETHOSTNAME),
	"clock":       call(unix.SYS_CLOCK_SETTIME),
	"personality": call(unix.SYS_PERSONALITY, 0xffffffff),
	"pidfd":       call(unix.SYS_PIDFD_GETFD),
	"x32":         call(x32Bit + unix.SYS_GETPID),
	"terminal":    call(unix.SYS_IOCTL, 0, unix.TIOCSTI),
	"setuid":      call(unix.SYS_SETUID, 0),

	"packet":    socket(unix.AF_PACKET, unix.SOCK_RAW, 0),
	"alg":       socket(unix.AF_ALG, unix.SOCK_SEQPACKET, 0),
	"vsock":     socket(unix.AF_VSOCK, unix.SOCK_STREAM, 0),
	"bluetooth": socket(unix.AF_BLUETOOTH, unix.SOCK_RAW, 0),
	"raw":       socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP),
	"netfilter": socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_NETFILTER),
	"multipath": socket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_MPTCP),
	"sctp":      socket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_SCTP),
	"udpLite":   socket(unix.AF_INET6, unix.SOCK_DGRAM, unix.IPPROTO_UDPLITE),

	"tcp":          send(unix.SOCK_STREAM, unix.Connect),
	"fastOpen":     send(unix.SOCK_STREAM, func(fd int, to unix.Sockaddr) error { return unix.Sendto(fd, []byte("x"), unix.MSG_FASTOPEN, to) }),
	"udpConnected": send(unix.SOCK_DGRAM, unix.Connect),
	"udp":          send(unix.SOCK_DGRAM, func(fd int, to unix.Sockaddr) error { return unix.Sendto(fd, []byte("x"), 0, to) }),
	"udpMessages":  send(unix.SOCK_DGRAM, func(fd int, to unix.Sockaddr) error { return unix.Sendmsg(fd, []byte("x"), nil, to, 0) }),

	"memory":      takeMemory,
	"descriptors": takeDescriptors,
	"processes":   readProcessLimit,
	"wait":        func(string) error { time.Sleep(time.Hour); return nil },
	"orphan":      leaveOrphan,
}

const x32Bit = 0x40000000

// takeMemory allocates more than a process may have.
func takeMemory(string) error {
	_, err := unix.Mmap(-1, 0, maxData+1<<30, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	return err
}

func takeDescriptors(string) error {
	for range maxFiles {
		if _, err := unix.Open("/dev/null", unix.O_RDONLY, 0); err != nil {
			return err
		}
	}
	return nil
}

// readProcessLimit fails with EAGAIN, as a fork beyond the limit would, when there is a limit that
// cannot be raised.
func readProcessLimit(string) error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NPROC, &limit); err != nil {
		return err
	}
	if limit.Cur != limit.Max || limit.Max > maxProcesses {
		return fmt.Errorf("the limit is %+v", limit)
	}
	return unix.EAGAIN
}

// leaveOrphan starts a process that outlives this one.
func leaveOrphan(string) error {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), "WORKER_TEST_PROBE=wait")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd.Start()
}
