package egress

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"
)

// instruction is struct bpf_insn of linux/bpf.h.
type instruction struct {
	code      uint8
	registers uint8 // destination in the low half, source in the high one (little endian; see word)
	offset    int16
	value     int32
}

// The instructions in use (Documentation/bpf/standardization/instruction-set.rst).
const (
	loadWord   = unix.BPF_LDX | unix.BPF_MEM | unix.BPF_W
	copyWord   = unix.BPF_ALU | unix.BPF_MOV | unix.BPF_X
	setWord    = unix.BPF_ALU64 | unix.BPF_MOV | unix.BPF_K
	andWord    = unix.BPF_ALU | unix.BPF_AND | unix.BPF_K
	toHost     = unix.BPF_ALU | unix.BPF_END | unix.BPF_TO_BE
	unlessWord = unix.BPF_JMP32 | unix.BPF_JNE | unix.BPF_K
	ifWord     = unix.BPF_JMP32 | unix.BPF_JEQ | unix.BPF_K
	leave      = unix.BPF_JMP | unix.BPF_EXIT
)

// Fields of struct bpf_sock_addr and bpf_sock (linux/bpf.h), as offsets.
const (
	userIP4      = 4
	userIP6      = 8
	userPort     = 24
	sockProtocol = 12
)

// Registers: the kernel passes the argument in 1 and reads the verdict from 0.
const (
	verdict = 0
	call    = 1
	scratch = 2
	port    = 3
	address = 6 // to 9, most significant word first
)

// program is a BPF program being written.
type program []instruction

func (p *program) add(code uint8, to, from uint8, offset int16, value int32) {
	*p = append(*p, instruction{code: code, registers: to | from<<4, offset: offset, value: value})
}

// loadField reads a field in network byte order; bits of it are significant.
func (p *program) loadField(to uint8, offset int16, bits int32) {
	p.add(loadWord, to, call, offset, 0)
	p.add(toHost, to, 0, 0, bits)
}

// leaveWith ends the program: 1 lets the call proceed, 0 makes it fail with EPERM.
func (p *program) leaveWith(allow bool) {
	var value int32
	if allow {
		value = 1
	}
	p.add(setWord, verdict, 0, 0, value)
	p.add(leave, 0, 0, 0, 0)
}

// decideRule writes the code of a rule for the destination, whose words of prefix are in the registers
// from address on.
func (p *program) decideRule(r Rule, words []uint32, bits int) {
	var test program
	for i, word := range words {
		n := min(max(bits-32*i, 0), 32)
		if n == 0 {
			break
		}
		mask := ^uint32(0) << (32 - n)
		test.add(copyWord, scratch, address+uint8(i), 0, 0)
		test.add(andWord, scratch, 0, 0, int32(mask))
		test.add(unlessWord, scratch, 0, 0, int32(word&mask))
	}
	if r.Port != 0 {
		test.add(unlessWord, port, 0, 0, int32(r.Port))
	}
	test.leaveWith(r.Allow)
	for i := range test {
		if test[i].code == unlessWord {
			test[i].offset = int16(len(test) - i - 1)
		}
	}
	*p = append(*p, test...)
}

// forIPv4 returns the program for the destinations of IPv4 sockets.
func forIPv4(rules []Rule) program {
	var p program
	p.loadField(address, userIP4, 32)
	p.loadField(port, userPort, 16)
	for _, r := range rules {
		if r.To.Addr().Is4() {
			p.decideRule(r, addrWords(r.To.Addr()), r.To.Bits())
		}
	}
	p.leaveWith(true)
	return p
}

// forIPv6 returns the program for the destinations of IPv6 sockets, including IPv4-mapped ones (RFC
// 4291, 2.5.5.2).
func forIPv6(rules []Rule) program {
	var p program
	for i := range int16(4) {
		p.loadField(address+uint8(i), userIP6+4*i, 32)
	}
	p.loadField(port, userPort, 16)
	for _, r := range rules {
		switch {
		case r.To.Addr().Is4():
			p.decideRule(r, addrWords(netip.AddrFrom16(r.To.Addr().As16())), 96+r.To.Bits())
		case r.To.Bits() == 0:
			p.decideRule(r, nil, 0)
		default:
			p.decideRule(r, addrWords(r.To.Addr()), r.To.Bits())
		}
	}
	p.leaveWith(true)
	return p
}

// forSockets allows sockets of the protocols for whose destinations every kernel runs the other
// programs. Multipath TCP, which reaches what TCP does, is not among them.
func forSockets() program {
	known := []int32{unix.IPPROTO_TCP, unix.IPPROTO_UDP, unix.IPPROTO_ICMP, unix.IPPROTO_ICMPV6}
	var p program
	p.add(loadWord, scratch, call, sockProtocol, 0)
	for i, protocol := range known {
		p.add(ifWord, scratch, 0, int16(len(known)-i+1), protocol)
	}
	p.leaveWith(false)
	p.leaveWith(true)
	return p
}

func addrWords(a netip.Addr) []uint32 {
	bytes := a.AsSlice()
	list := make([]uint32, 0, 4)
	for i := 0; i < len(bytes); i += 4 {
		list = append(list, binary.BigEndian.Uint32(bytes[i:]))
	}
	return list
}
