package acme

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const (
	// longestPart is how many octets one part of a path may have (NAME_MAX of limits.h).
	longestPart = 255
	// head is how much of a name that is too long for that names a folder, and headMark what such a folder ends in. No
	// host name has the mark.
	head     = 200
	headMark = "~"
)

// fileName is the path, below the folder of such files, of a host name's file; hosts is the way back.
func fileName(host, ext string) string {
	return filepath.FromSlash(fold(strings.Replace(host, "*", "wildcard_", 1)+ext, longestPart))
}

// fold divides what is longer than limit between a folder and what is in it: a host name may have 253 octets, and its
// file then more than a file system takes.
func fold(part string, limit int) string {
	if len(part) <= limit {
		return part
	}
	return part[:head] + headMark + "/" + part[head:]
}

// foldKey folds the parts of certmagic's keys. They leave room for the key file before, see storage.Store.
func foldKey(key string) string {
	parts := strings.Split(key, "/")
	for i, part := range parts {
		parts[i] = fold(part, longestPart-len(previous))
	}
	return strings.Join(parts, "/")
}

// hosts gives the host names that have a file, or with ext "" a folder, in dir; none when there is no dir.
func hosts(dir, ext string) (found []string, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list the names with files in %s: %w", dir, err)
	}
	for _, e := range entries {
		if start, folded := strings.CutSuffix(e.Name(), headMark); folded {
			ends, err := hosts(filepath.Join(dir, e.Name()), ext)
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
