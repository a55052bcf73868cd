package acme

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/anchor-deploy/anchor/internal/atomicfile"
)

const (
	// longestPart is how many octets one part of a path may have (NAME_MAX of limits.h).
	longestPart = 255
	// A longer name is divided: its first head octets and headMark name a folder. No host name
	// contains the mark.
	head     = 200
	headMark = "~"
)

// fileName returns the path of a host name's file below the folder of such files. hosts reverses
// it.
func fileName(host, ext string) string {
	return filepath.FromSlash(foldName(strings.Replace(host, "*", "wildcard_", 1)+ext, longestPart))
}

// foldName divides a part that is longer than limit between a folder and a file in it: a host name may
// have 253 octets, and its file would have more than a file system accepts.
func foldName(part string, limit int) string {
	if len(part) <= limit {
		return part
	}
	return part[:head] + headMark + "/" + part[head:]
}

// listHosts lists the host names that have a file in dir or, with ext "", a folder. When dir does not
// exist there are none.
func listHosts(dir, ext string) (found []string, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list the names with files in %s: %w", dir, err)
	}
	for _, e := range entries {
		if start, folded := strings.CutSuffix(e.Name(), headMark); folded {
			ends, err := listHosts(filepath.Join(dir, e.Name()), ext)
			if err != nil {
				return nil, err
			}
			for _, end := range ends {
				found = append(found, nameOf(start+end))
			}
			continue
		}
		if file, is := strings.CutSuffix(e.Name(), ext); is {
			found = append(found, nameOf(file))
		}
	}
	return found, nil
}

func nameOf(file string) string { return strings.Replace(file, "wildcard_", "*", 1) }

// writeFile writes a private file durably and creates its folder when it is missing.
func writeFile(path string, data []byte) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the folder of %s: %w", filepath.Base(path), err)
	}
	if err := atomicfile.WriteFile(path, data, 0o600); err != nil {
		return err
	}
	return atomicfile.SyncDir(filepath.Dir(dir))
}

// removeFile removes a file. It is not an error when the file does not exist.
func removeFile(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
