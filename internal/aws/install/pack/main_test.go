package main

import (
	"archive/zip"
	"bytes"
	"debug/elf"
	"io"
	"os"
	"path/filepath"
	"testing"
)

func TestPack_IsDeterministic(t *testing.T) {
	machines := map[string]elf.Machine{"arm64": elf.EM_AARCH64, "amd64": elf.EM_X86_64}
	first, second := t.TempDir(), t.TempDir()
	for arch, machine := range machines {
		for _, out := range []string{first, second} {
			if err := packHandler("./testdata/handler", out, arch); err != nil {
				t.Fatal(err)
			}
		}
		one, two := read(t, first, arch), read(t, second, arch)
		if !bytes.Equal(one, two) {
			t.Errorf("two builds for %s differ", arch)
		}
		z, err := zip.NewReader(bytes.NewReader(one), int64(len(one)))
		if err != nil {
			t.Fatal(err)
		}
		if len(z.File) != 1 || z.File[0].Name != "bootstrap" || z.File[0].Mode() != 0o755 {
			t.Fatalf("%s holds %+v, want an executable bootstrap", arch, z.File)
		}
		if got := machineOf(t, z.File[0]); got != machine {
			t.Errorf("%s is built for %s", arch, got)
		}
	}
}

func TestPack_ReportsBuildError(t *testing.T) {
	if err := packHandler("./testdata/nothing", t.TempDir(), "arm64"); err == nil {
		t.Error("it packs what is not there")
	}
}

func read(t *testing.T, dir, arch string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, arch+".zip"))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func machineOf(t *testing.T, f *zip.File) elf.Machine {
	t.Helper()
	r, err := f.Open()
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	e, err := elf.NewFile(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	return e.Machine
}
