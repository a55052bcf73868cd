// Package companion runs the program that is embedded in this one: cmd/anchor-aws, the aws
// commands with AWS's SDK. The SDK builds tables of all its operations when it starts, and its
// code is as large as the rest of Anchor. A server would hold 15 MB for commands that it never
// runs, and every command would start three times slower. So the program is embedded compressed,
// unpacked into the user's cache folder on first use, and then replaces this process.
package companion

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/atomicfile"
)

//go:embed all:program
var embedded embed.FS

// packed is cmd/anchor-aws for this platform, gzipped by make companion.
const packed = "program/anchor-aws.gz"

// Exec replaces this process with the aws program, which gets args (the first is the program's
// name), the environment and the streams unchanged. It returns only errors: no_companion when
// this binary was built without the program or the system refuses to run it, no_cache when there
// is not a folder to unpack it into.
func Exec(args []string) error {
	return execFrom(embedded, args)
}

func execFrom(files fs.FS, args []string) error {
	program, err := fs.ReadFile(files, packed)
	if errors.Is(err, fs.ErrNotExist) {
		return anchor.Invalid("no_companion", "this anchor was built without its aws commands").
			Hintf("Build it with make build, which builds them first, or use a released binary.")
	}
	if err != nil {
		return fmt.Errorf("read the aws program: %w", err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return anchor.Invalid("no_cache", "there is no cache folder to unpack the aws program in").
			Hintf("Set HOME or XDG_CACHE_HOME.").Because(err)
	}
	path, err := layOut(filepath.Join(cache, "anchor"), program)
	if err == nil {
		err = syscall.Exec(path, args, os.Environ()) // keeps process id, terminal and signals
	}
	return anchor.Failed("no_companion", "cannot run the aws program from %s", cache).
		Hintf("Set XDG_CACHE_HOME to a folder that allows programs to run.").Because(err)
}

const prefix = "aws-"

// layOut unpacks the program into dir, under a name derived from its content, unless it exists.
// It deletes other versions.
func layOut(dir string, program []byte) (path string, err error) {
	digest := sha256.Sum256(program)
	name := prefix + hex.EncodeToString(digest[:8])
	path = filepath.Join(dir, name)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	if err := unpackTo(path, program); err != nil {
		return "", err
	}
	return path, removeOthers(dir, name)
}

// unpackTo writes the whole program or nothing.
func unpackTo(path string, program []byte) error {
	unpacked, err := gzip.NewReader(bytes.NewReader(program))
	if err != nil {
		return err
	}
	_, err = atomicfile.WriteFrom(path, unpacked, 0o700)
	return err
}

func removeOthers(dir, name string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), prefix) && e.Name() != name {
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}
