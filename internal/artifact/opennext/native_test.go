package opennext_test

import (
	"encoding/binary"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/anchor-deploy/anchor/internal/artifact/opennext"
)

const modules = "image-optimization-function/node_modules/"

// The first bytes of native modules, as their formats lay down.
func elfFor(arch uint16) []byte {
	header := make([]byte, 64)
	copy(header, "\x7fELF\x02\x01\x01")
	binary.LittleEndian.PutUint16(header[18:], arch)
	return header
}

func peFor(arch uint16) []byte {
	header := make([]byte, 0x90)
	copy(header, "MZ")
	binary.LittleEndian.PutUint32(header[0x3c:], 0x80)
	copy(header[0x80:], "PE\x00\x00")
	binary.LittleEndian.PutUint16(header[0x84:], arch)
	return header
}

func machFor(cpu uint32) []byte {
	header := make([]byte, 32)
	binary.LittleEndian.PutUint32(header, 0xfeedfacf)
	binary.LittleEndian.PutUint32(header[4:], cpu)
	return header
}

func fatFor(cpus ...uint32) []byte {
	header := make([]byte, 8+20*len(cpus))
	binary.BigEndian.PutUint32(header, 0xcafebabe)
	binary.BigEndian.PutUint32(header[4:], uint32(len(cpus)))
	for i, cpu := range cpus {
		binary.BigEndian.PutUint32(header[8+20*i:], cpu)
	}
	return header
}

const (
	elfX64, elfARM64   = 62, 183
	peX64              = 0x8664
	machX64, machARM64 = 0x01000007, 0x0100000c
)

func TestCheckNative(t *testing.T) {
	type files = map[string][]byte
	sharp := func(platform string) string {
		return modules + "@img/sharp-" + platform + "/lib/sharp-" + platform + ".node"
	}
	fits := files{sharp("linux-x64"): elfFor(elfX64)}
	server := "server-functions/default/node_modules/"
	for name, test := range map[string]struct {
		goos, goarch string
		files        []files
		code         string   // "" when it fits
		says         []string // in message or hint
	}{
		"it fits":                  {"linux", "amd64", []files{fits}, "", nil},
		"OpenNext's default":       {"linux", "amd64", []files{{sharp("linux-arm64"): elfFor(elfARM64)}}, "native_mismatch", []string{"sharp in image-optimization-function", "linux-arm64", "linux-x64", `imageOptimization: {`, `install: { packages: ["sharp@0.34.5"], os: "linux", arch: "x64", libc: "glibc" }`}},
		"both are there":           {"linux", "amd64", []files{fits, {sharp("linux-arm64"): elfFor(elfARM64)}}, "", nil},
		"musl on glibc":            {"linux", "amd64", []files{{sharp("linuxmusl-x64"): elfFor(elfX64)}}, "native_mismatch", []string{"linuxmusl-x64", `libc: "glibc"`}},
		"glibc on musl":            {"linuxmusl", "amd64", []files{fits}, "native_mismatch", []string{"this machine is linuxmusl-x64", `os: "linux", arch: "x64", libc: "musl"`}},
		"musl on musl":             {"linuxmusl", "amd64", []files{{sharp("linuxmusl-x64"): elfFor(elfX64)}}, "", nil},
		"a Mac's on Linux":         {"linux", "arm64", []files{{sharp("darwin-arm64"): machFor(machARM64)}}, "native_mismatch", []string{"darwin-arm64", "linux-arm64"}},
		"Linux's on a Mac":         {"darwin", "arm64", []files{fits}, "native_mismatch", []string{`os: "darwin", arch: "arm64" }`}},
		"a universal one":          {"darwin", "amd64", []files{{sharp("darwin-x64"): fatFor(machARM64, machX64)}}, "", nil},
		"Windows":                  {"windows", "amd64", []files{{sharp("win32-x64"): peFor(peX64)}}, "", nil},
		"Windows's on Linux":       {"linux", "amd64", []files{{sharp("win32-x64"): peFor(peX64)}}, "native_mismatch", []string{"win32-x64"}},
		"the name lies":            {"linux", "amd64", []files{{sharp("linux-x64"): elfFor(elfARM64)}}, "native_mismatch", []string{"linux-arm64"}},
		"sharp before 0.33":        {"linux", "amd64", []files{{modules + "sharp/build/Release/sharp-linux-arm64v8.node": elfFor(elfARM64), modules + "sharp/package.json": []byte(`{"version":"0.32.6"}`)}}, "native_mismatch", []string{"sharp@0.34.5"}},
		"no sharp":                 {"linux", "amd64", nil, "sharp_missing", []string{"imageOptimization: {"}},
		"sharp as WebAssembly":     {"linux", "riscv64", []files{{modules + "@img/sharp-wasm32/lib/sharp-wasm32.node.js": []byte("x")}}, "", nil},
		"another package":          {"linux", "amd64", []files{fits, {server + "bcrypt/lib/bcrypt.node": elfFor(elfARM64), server + "bcrypt/package.json": []byte(`{"version":"5.1.1"}`)}}, "native_mismatch", []string{"bcrypt in server-functions/default", "default: {", "bcrypt@5.1.1"}},
		"a split function's":       {"linux", "amd64", []files{fits, {"server-functions/api/node_modules/@node-rs/argon2-linux-arm64-gnu/argon2.linux-arm64-gnu.node": elfFor(elfARM64)}}, "native_mismatch", []string{"@node-rs/argon2 in server-functions/api", "functions: {", "api: {"}},
		"prebuilds for many":       {"linux", "amd64", []files{fits, {server + "utf/prebuilds/darwin-x64/a.node": machFor(machX64), server + "utf/prebuilds/linux-x64/a.node": elfFor(elfX64)}}, "", nil},
		"fsevents is for the Mac":  {"linux", "amd64", []files{fits, {server + "fsevents/fsevents.node": fatFor(machX64)}}, "", nil},
		"no binary we know":        {"linux", "amd64", []files{fits, {server + "odd/odd.node": []byte("text")}}, "", nil},
		"a cut binary":             {"linux", "amd64", []files{fits, {server + "odd/odd.node": []byte("\x7fELF")}}, "", nil},
		"a PE that points outside": {"linux", "amd64", []files{fits, {server + "odd/odd.node": append(peFor(peX64)[:0x3c:0x3c], 0xff, 0xff, 0xff, 0x7f)}}, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			tree := fstest.MapFS{"image-optimization-function/index.mjs": text("x")}
			for _, files := range test.files {
				for name, data := range files {
					tree[name] = &fstest.MapFile{Data: data}
				}
			}
			err := opennext.CheckNative(tree, test.goos, test.goarch)
			if test.code == "" {
				must(t, err)
				return
			}
			e := wantCode(t, err, test.code)
			for _, part := range test.says {
				if !strings.Contains(e.Message+"\n"+e.Hint, part) {
					t.Errorf("does not say %q:\n%s\n%s", part, e.Message, e.Hint)
				}
			}
		})
	}
}
