package companion

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// The test binary acts as the carrier when role is "carrier", and as the program in it when it
// was started under the program's name.
const role = "ANCHOR_TEST_ROLE"

func TestMain(m *testing.M) {
	switch {
	case os.Getenv(role) == "":
		os.Exit(m.Run())
	case strings.HasPrefix(executable(), prefix):
		input, _ := io.ReadAll(os.Stdin)
		fmt.Printf("%d %q %s", os.Getpid(), os.Args, input)
		os.Exit(7)
	}
	self, err := os.ReadFile(os.Args[0])
	if err == nil {
		var files fstest.MapFS
		files, err = carrying(append(self, os.Getenv(role)...)) // makes the bytes of each version differ
		if err == nil {
			err = execFrom(files, append([]string{"anchor"}, os.Args[1:]...))
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func executable() string {
	path, _ := os.Executable()
	return filepath.Base(path)
}

func carrying(program []byte) (fstest.MapFS, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(program); err != nil {
		return nil, err
	}
	err := z.Close()
	return fstest.MapFS{packed: {Data: b.Bytes()}}, err
}

// carrier starts a carrier of the given version of the program.
func carrier(t *testing.T, cache, version string) (out string, code, pid int) {
	t.Helper()
	cmd := osexec.Command(os.Args[0], "aws", "plan", "--json")
	cmd.Env = append(os.Environ(), role+"="+version, "XDG_CACHE_HOME="+cache)
	cmd.Stdin = strings.NewReader("typed")
	var printed bytes.Buffer
	cmd.Stdout, cmd.Stderr = &printed, &printed
	if err := cmd.Run(); err != nil && !errors.As(err, new(*osexec.ExitError)) {
		t.Fatal(err)
	}
	return printed.String(), cmd.ProcessState.ExitCode(), cmd.Process.Pid
}

func TestExec_ReplacesProcess(t *testing.T) {
	cache := t.TempDir()
	for range 2 { // just unpacked, then already there
		out, code, pid := carrier(t, cache, "one")
		if want := fmt.Sprintf("%d %q typed", pid, []string{"anchor", "aws", "plan", "--json"}); out != want || code != 7 {
			t.Fatalf("it ended with %d and printed %s, want 7 and %s", code, out, want)
		}
	}
	old := laidOut(t, cache)
	if _, code, _ := carrier(t, cache, "two"); code != 7 {
		t.Fatalf("the next version ended with %d", code)
	}
	if now := laidOut(t, cache); now == old {
		t.Errorf("%s is still what lies there", old)
	}
}

// laidOut returns the path of the only program in the cache, which nobody else may read.
func laidOut(t *testing.T, cache string) string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(cache, "anchor"))
	if err != nil || len(entries) != 1 {
		t.Fatalf("the cache holds %v, %v", entries, err)
	}
	info, err := entries[0].Info()
	if err != nil || info.Mode() != 0o700 {
		t.Errorf("the program is %v, %v", info.Mode(), err)
	}
	return entries[0].Name()
}

func TestExec_Refuses(t *testing.T) {
	whole, err := carrying([]byte("#!/bin/sh"))
	if err != nil {
		t.Fatal(err)
	}
	torn := fstest.MapFS{packed: {Data: whole[packed].Data[:12]}}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		files       fstest.MapFS
		cache, code string
		kind        anchor.Kind
	}{
		"built without":       {fstest.MapFS{}, t.TempDir(), "no_companion", anchor.KindInvalid},
		"no cache folder":     {whole, "relative", "no_cache", anchor.KindInvalid},
		"a file in its place": {whole, file, "no_companion", anchor.KindFailed},
		"torn":                {torn, t.TempDir(), "no_companion", anchor.KindFailed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("XDG_CACHE_HOME", c.cache)
			err := execFrom(c.files, []string{"anchor"})
			if anchor.CodeOf(err) != c.code || anchor.KindOf(err) != c.kind || anchor.HintOf(err) == "" {
				t.Errorf("%v (%s, %s, hint %q)", err, anchor.KindOf(err), anchor.CodeOf(err), anchor.HintOf(err))
			}
			if left, _ := filepath.Glob(filepath.Join(c.cache, "anchor", "*")); len(left) > 0 {
				t.Errorf("%v is left", left)
			}
		})
	}
}
