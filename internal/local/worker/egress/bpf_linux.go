package egress

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// loadAttr and attachAttr are the used parts of union bpf_attr (bpf(2)); the kernel takes the rest
// for zero.
type loadAttr struct {
	kind, length           uint32
	instructions, license  uint64
	logLevel, logSize      uint32
	logBuffer              uint64
	kernelVersion, flags   uint32
	name                   [16]byte
	interfaceIndex, attach uint32
}

type attachAttr struct{ group, program, attach, flags uint32 }

// attachment is a program and the calls at which the kernel runs it.
type attachment struct {
	name   string
	kind   uint32
	attach uint32
	code   program
}

func attachmentsFor(rules []Rule) []attachment {
	ip4, ip6 := forIPv4(rules), forIPv6(rules)
	return []attachment{
		{"create a socket", unix.BPF_PROG_TYPE_CGROUP_SOCK, unix.BPF_CGROUP_INET_SOCK_CREATE, forSockets()},
		{"connect by IPv4", unix.BPF_PROG_TYPE_CGROUP_SOCK_ADDR, unix.BPF_CGROUP_INET4_CONNECT, ip4},
		{"connect by IPv6", unix.BPF_PROG_TYPE_CGROUP_SOCK_ADDR, unix.BPF_CGROUP_INET6_CONNECT, ip6},
		{"send by IPv4", unix.BPF_PROG_TYPE_CGROUP_SOCK_ADDR, unix.BPF_CGROUP_UDP4_SENDMSG, ip4},
		{"send by IPv6", unix.BPF_PROG_TYPE_CGROUP_SOCK_ADDR, unix.BPF_CGROUP_UDP6_SENDMSG, ip6},
	}
}

// attachTo loads the program and attaches it to a control group, which keeps it for as long as the
// group exists.
func (a attachment) attachTo(group int) error {
	fd, err := a.loadProgram()
	if err != nil {
		return fmt.Errorf("load the program for calls that %s: %w", a.name, err)
	}
	defer unix.Close(fd)
	attr := attachAttr{group: uint32(group), program: uint32(fd), attach: a.attach, flags: unix.BPF_F_ALLOW_MULTI}
	if _, err := bpfCall(unix.BPF_PROG_ATTACH, unsafe.Pointer(&attr), unsafe.Sizeof(attr)); err != nil {
		return fmt.Errorf("attach the program for calls that %s: %w", a.name, err)
	}
	return nil
}

func (a attachment) loadProgram() (fd int, err error) {
	code, license := a.code.encodeProgram(), []byte("Apache-2.0\x00")
	attr := loadAttr{
		kind: a.kind, length: uint32(len(a.code)), attach: a.attach,
		instructions: uint64(uintptr(unsafe.Pointer(&code[0]))), license: uint64(uintptr(unsafe.Pointer(&license[0]))),
	}
	fd, err = bpfCall(unix.BPF_PROG_LOAD, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
	runtime.KeepAlive(code)
	runtime.KeepAlive(license)
	return fd, err
}

func bpfCall(command uintptr, attr unsafe.Pointer, size uintptr) (int, error) {
	n, _, errno := unix.Syscall(unix.SYS_BPF, command, uintptr(attr), size)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// encodeProgram returns the instructions as the kernel reads them, in the machine's byte order.
func (p program) encodeProgram() []byte {
	out := make([]byte, 0, 8*len(p))
	for _, i := range p {
		registers := i.registers
		if binary.NativeEndian.Uint16([]byte{0, 1}) == 1 { // big endian: the halves are the other way round
			registers = registers<<4 | registers>>4
		}
		out = append(out, i.code, registers)
		out = binary.NativeEndian.AppendUint16(out, uint16(i.offset))
		out = binary.NativeEndian.AppendUint32(out, uint32(i.value))
	}
	return out
}
