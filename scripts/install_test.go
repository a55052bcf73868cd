// Package scripts tests the scripts that users run.
package scripts

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

var archiveName = "anchor_" + runtime.GOOS + "_" + runtime.GOARCH + ".tar.gz"

// program is the binary of the fake release; it answers "anchor version".
const program = "#!/bin/sh\necho \"anchor v9.9.9 $1\"\n"

// archive returns a .tar.gz with one executable file.
func archive(t *testing.T, name, content string) []byte {
	t.Helper()
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	files := tar.NewWriter(zip)
	if err := files.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(content))}); err != nil {
		t.Fatal(err)
	}
	if _, err := files.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
	if err := files.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

func checksums(name string, content []byte) string {
	return fmt.Sprintf("%x  %s\n%064d  another_file.tar.gz\n", sha256.Sum256(content), name, 0)
}

// installation is one run of install.sh against a server of releases.
type installation struct {
	dir, temp string
	output    string
	err       error
}

// install serves files under the path of the latest release and runs install.sh. before is
// what the folder has as anchor, "" for nothing.
func install(t *testing.T, files map[string]string, before string, env ...string) installation {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		content, found := files[r.URL.Path]
		if !found {
			http.NotFound(w, r)
			return
		}
		w.Write([]byte(content))
	}))
	t.Cleanup(server.Close)
	i := installation{dir: filepath.Join(t.TempDir(), "bin"), temp: t.TempDir()}
	if before != "" {
		if err := os.Mkdir(i.dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(i.dir, "anchor"), []byte(before), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "sh", "install.sh")
	cmd.Env = append(os.Environ(), "ANCHOR_RELEASES="+server.URL, "ANCHOR_INSTALL_DIR="+i.dir, "TMPDIR="+i.temp, "ANCHOR_VERSION=")
	cmd.Env = append(cmd.Env, env...)
	output, err := cmd.CombinedOutput()
	i.output, i.err = string(output), err
	return i
}

// names returns the entries of a folder; none for a folder that does not exist.
func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return strings.Join(all, " ")
}

func (i installation) content(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(i.dir, "anchor"))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestInstall_VerifiedRelease(t *testing.T) {
	packed := archive(t, "anchor", program)
	for name, c := range map[string]struct {
		path, before string
		env          []string
	}{
		"latest":           {path: "/latest/download/"},
		"named version":    {path: "/download/v9.9.9/", env: []string{"ANCHOR_VERSION=v9.9.9"}},
		"over an old one":  {path: "/latest/download/", before: "old"},
		"binary-mode sums": {path: "/latest/download/"},
	} {
		t.Run(name, func(t *testing.T) {
			sums := checksums(archiveName, packed)
			if name == "binary-mode sums" {
				sums = strings.ReplaceAll(sums, "  ", " *")
			}
			i := install(t, map[string]string{c.path + archiveName: string(packed), c.path + "checksums.txt": sums}, c.before, c.env...)
			if i.err != nil || !strings.Contains(i.output, "Installed anchor v9.9.9 version in "+i.dir) {
				t.Fatalf("install.sh: %v\n%s", i.err, i.output)
			}
			if got := i.content(t); got != program {
				t.Errorf("it installed %q", got)
			}
			if in, left := names(t, i.dir), names(t, i.temp); in != "anchor" || left != "" {
				t.Errorf("the folder has %q, and temporary files are left: %q", in, left)
			}
		})
	}
}

func TestInstall_RefusesAndLeavesNothing(t *testing.T) {
	packed := archive(t, "anchor", program)
	other := archive(t, "other", program)
	tampered := archive(t, "anchor", "#!/bin/sh\necho tampered\n")
	const at = "/latest/download/"
	for name, c := range map[string]struct {
		files map[string]string
		says  string
	}{
		"wrong checksum": {
			map[string]string{at + archiveName: string(tampered), at + "checksums.txt": checksums(archiveName, packed)},
			"the checksum of " + archiveName,
		},
		"no checksum of this file": {
			map[string]string{at + archiveName: string(packed), at + "checksums.txt": checksums("x"+archiveName, packed)},
			"does not list " + archiveName,
		},
		"empty checksums": {
			map[string]string{at + archiveName: string(packed), at + "checksums.txt": ""},
			"does not list " + archiveName,
		},
		"no checksums": {map[string]string{at + archiveName: string(packed)}, "could not download"},
		"no archive":   {map[string]string{at + "checksums.txt": checksums(archiveName, packed)}, "could not download"},
		"no binary in the archive": {
			map[string]string{at + archiveName: string(other), at + "checksums.txt": checksums(archiveName, other)},
			"contains no anchor binary",
		},
	} {
		for _, before := range []string{"", "old"} {
			t.Run(name+" "+before, func(t *testing.T) {
				i := install(t, c.files, before)
				if i.err == nil || !strings.Contains(i.output, c.says) {
					t.Errorf("install.sh: %v, want a failure that says %q:\n%s", i.err, c.says, i.output)
				}
				if left := names(t, i.temp); left != "" {
					t.Errorf("temporary files are left: %q", left)
				}
				switch in := names(t, i.dir); {
				case before == "" && in != "":
					t.Errorf("it installed %q", in)
				case before != "" && (in != "anchor" || i.content(t) != before):
					t.Errorf("it changed what was installed: %q", in)
				}
			})
		}
	}
}

// TestInstall_CutOffScript runs the script without its last line: a transfer that breaks off
// must neither download nor install anything.
func TestInstall_CutOffScript(t *testing.T) {
	script, err := os.ReadFile("install.sh")
	if err != nil {
		t.Fatal(err)
	}
	whole := strings.LastIndex(strings.TrimSpace(string(script)), "\n")
	cmd := exec.CommandContext(t.Context(), "sh")
	dir := t.TempDir()
	cmd.Stdin = strings.NewReader(string(script[:whole]))
	cmd.Env = append(os.Environ(), "ANCHOR_RELEASES=http://127.0.0.1:1", "ANCHOR_INSTALL_DIR="+dir)
	if output, err := cmd.CombinedOutput(); err != nil || len(output) > 0 || names(t, dir) != "" {
		t.Errorf("a script without its last line ran: %v, %s", err, output)
	}
}
