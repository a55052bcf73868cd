package opennext

import (
	"bytes"
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"encoding/binary"
	"path"
	"slices"
	"strings"
)

// machine is an operating system and a processor in the names of npm: "linux" and
// "x64". The system of musl's Linux is "linuxmusl", as in sharp's packages.
type machine struct{ os, arch string }

func (m machine) String() string { return m.os + "-" + m.arch }

// machineOf translates the names of Go's GOOS and GOARCH.
func machineOf(goos, goarch string) machine {
	m := machine{goos, goarch}
	switch goarch {
	case "amd64":
		m.arch = "x64"
	case "386":
		m.arch = "ia32"
	}
	if goos == "windows" {
		m.os = "win32"
	}
	return m
}

// headerLen is how much of a binary builtFor needs.
const headerLen = 4096

// builtFor returns the machines that can load a native module, by its first bytes, and by its
// path where the format does not say. None means that the format is unknown.
func builtFor(name string, header []byte) []machine {
	switch {
	case bytes.HasPrefix(header, []byte(elf.ELFMAG)):
		return elfMachine(name, header)
	case bytes.HasPrefix(header, []byte("MZ")):
		return peMachine(header)
	case len(header) >= 8:
		return machMachines(header)
	}
	return nil
}

func elfMachine(name string, header []byte) []machine {
	if len(header) < 20 {
		return nil
	}
	var order binary.ByteOrder = binary.LittleEndian
	if elf.Data(header[elf.EI_DATA]) == elf.ELFDATA2MSB {
		order = binary.BigEndian
	}
	arch, known := map[elf.Machine]string{
		elf.EM_X86_64: "x64", elf.EM_AARCH64: "arm64", elf.EM_386: "ia32", elf.EM_ARM: "arm",
		elf.EM_PPC64: "ppc64", elf.EM_S390: "s390x", elf.EM_RISCV: "riscv64",
	}[elf.Machine(order.Uint16(header[18:]))]
	if !known {
		arch = "unknown"
	}
	system := "linux"
	switch {
	case elf.OSABI(header[elf.EI_OSABI]) == elf.ELFOSABI_FREEBSD:
		system = "freebsd"
	case strings.Contains(name, "musl"):
		system = "linuxmusl"
	}
	return []machine{{system, arch}}
}

func peMachine(header []byte) []machine {
	if len(header) < 0x40 {
		return nil
	}
	at := int64(binary.LittleEndian.Uint32(header[0x3c:]))
	if at+6 > int64(len(header)) || string(header[at:at+4]) != "PE\x00\x00" {
		return nil
	}
	arch, known := map[uint16]string{
		pe.IMAGE_FILE_MACHINE_AMD64: "x64", pe.IMAGE_FILE_MACHINE_ARM64: "arm64", pe.IMAGE_FILE_MACHINE_I386: "ia32",
	}[binary.LittleEndian.Uint16(header[at+4:])]
	if !known {
		arch = "unknown"
	}
	return []machine{{"win32", arch}}
}

func machMachines(header []byte) []machine {
	switch {
	case binary.LittleEndian.Uint32(header) == macho.Magic64, binary.LittleEndian.Uint32(header) == macho.Magic32:
		return []machine{machMachine(binary.LittleEndian.Uint32(header[4:]))}
	case binary.BigEndian.Uint32(header) == macho.MagicFat:
		return fatMachines(header)
	}
	return nil
}

// fatMachines reads a universal binary: a count, then 20 bytes for each machine.
func fatMachines(header []byte) []machine {
	count := binary.BigEndian.Uint32(header[4:])
	var machines []machine
	for i := range min(count, 16) {
		at := 8 + 20*int(i)
		if at+4 > len(header) {
			break
		}
		machines = append(machines, machMachine(binary.BigEndian.Uint32(header[at:])))
	}
	return machines
}

func machMachine(cpu uint32) machine {
	switch macho.Cpu(cpu) {
	case macho.CpuAmd64:
		return machine{"darwin", "x64"}
	case macho.CpuArm64:
		return machine{"darwin", "arm64"}
	}
	return machine{"darwin", "unknown"}
}

// packageOf returns the npm package that a file of node_modules belongs to, and its folder.
func packageOf(name string) (pkg, folder string) {
	const modules = "node_modules/"
	at := strings.LastIndex(name, "/"+modules)
	if at < 0 {
		return path.Base(name), path.Dir(name)
	}
	rest := strings.Split(name[at+1+len(modules):], "/")
	take := 1
	if strings.HasPrefix(rest[0], "@") && len(rest) > 1 {
		take = 2
	}
	pkg = strings.Join(rest[:take], "/")
	return pkg, name[:at+1+len(modules)] + pkg
}

// packageFamily is the package that a package for one platform is a part of, as
// "@img/sharp-linux-x64" is of "sharp".
func packageFamily(pkg string) string {
	scope, name, scoped := strings.Cut(pkg, "/")
	if !scoped {
		scope, name = "", pkg
	}
	parts := strings.Split(name, "-")
	systems := []string{"linux", "linuxmusl", "darwin", "win32", "freebsd", "android", "wasm32"}
	if i := slices.IndexFunc(parts, func(part string) bool { return slices.Contains(systems, part) }); i > 0 {
		name = strings.Join(parts[:i], "-")
	}
	if scope == "" || scope == "@img" {
		return name
	}
	return scope + "/" + name
}
