package discovery

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// pointerPattern matches the files through which the servers of this user are found wherever their
// data is. Each server has one, so that its end does not affect the others.
const pointerPattern = "server-*.json"

// pointerDir returns the folder of these files: $XDG_RUNTIME_DIR/anchor, else ~/.anchor.
func pointerDir() (string, error) {
	if dir := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "anchor"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find the home folder: %w", err)
	}
	return filepath.Join(home, ".anchor"), nil
}

// pointerTo returns the path of the pointer, named after the data folder, which one server at a
// time uses.
func pointerTo(s Server) (string, error) {
	dir, err := pointerDir()
	if err != nil {
		return "", err
	}
	digest := sha256.Sum256([]byte(s.Data))
	return filepath.Join(dir, fmt.Sprintf("server-%x.json", digest[:8])), nil
}

// listPointers lists the existing pointers, the most recently written first.
func listPointers() ([]string, error) {
	dir, err := pointerDir()
	if err != nil {
		return nil, err
	}
	names, err := filepath.Glob(filepath.Join(dir, pointerPattern))
	if err != nil {
		return nil, fmt.Errorf("find servers in %s: %w", dir, err)
	}
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(modTime(b), modTime(a)) })
	return names, nil
}

// modTime returns when the file was written, in Unix nanoseconds; 0 when it is gone.
func modTime(name string) int64 {
	info, err := os.Stat(name)
	if err != nil {
		return 0
	}
	return info.ModTime().UnixNano()
}

// removeStale removes the pointers of servers that were killed.
func removeStale() {
	names, err := listPointers()
	if err != nil {
		return
	}
	for _, name := range names {
		if s, err := readPrivate[Server](name); err == nil && !processExists(s.PID) {
			_ = os.Remove(name) // a file that stays is ignored
		}
	}
}
