// Package discovery lets the CLI find the Anchor that runs on the same machine: the server writes
// its address and a token into a file that only its user can read.
package discovery

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
)

// Server is a running Anchor.
type Server struct {
	URL   string `json:"url"`   // of the API
	Token string `json:"token"` // of scope admin
	PID   int    `json:"pid"`
	Data  string `json:"data"` // its data folder, absolute
}

const fileName = "server.json"

// DefaultData returns the default data folder: $XDG_DATA_HOME/anchor, else /var/lib/anchor for
// root, else ~/.local/share/anchor.
func DefaultData() (string, error) {
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "anchor"), nil
	}
	if os.Geteuid() == 0 {
		return "/var/lib/anchor", nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find a default data folder: %w; pass one with --data", err)
	}
	return filepath.Join(home, ".local", "share", "anchor"), nil
}

// FileIn returns the path at which a server with this data folder announces itself.
func FileIn(data string) string { return filepath.Join(data, fileName) }

// Write announces s in its data folder and in a pointer file. The files are replaced in one step
// and have mode 0600. A server whose pointer cannot be written is only found through its data
// folder.
func Write(s Server) error {
	if err := writePrivate(FileIn(s.Data), s); err != nil {
		return fmt.Errorf("write the file by which the CLI finds the server: %w", err)
	}
	if pointer, err := pointerTo(s); err == nil {
		removeStale()
		if err := writePrivate(pointer, s); err != nil {
			slog.Warn("the CLI cannot find this server automatically; set ANCHOR_URL and ANCHOR_TOKEN", "error", err)
		}
	}
	return nil
}

// Remove removes what Write wrote, and keeps what another server has written since.
func Remove(s Server) error {
	files := []string{FileIn(s.Data)}
	if pointer, err := pointerTo(s); err == nil {
		files = append(files, pointer)
	}
	var errs []error
	for _, name := range files {
		if there, err := readPrivate[Server](name); err != nil || there.PID != s.PID {
			continue
		}
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("remove the file by which the CLI finds the server: %w", err))
		}
	}
	return errors.Join(errs...)
}

// Find returns the server that runs on this machine; of several, the one announced last. Without
// one, ok is false and tried lists the files it read, with the reason where a file exists and is
// unusable.
func Find() (s Server, tried []string, ok bool) {
	files, err := listPointers()
	if err == nil && len(files) == 0 {
		if dir, err := pointerDir(); err == nil {
			tried = append(tried, filepath.Join(dir, pointerPattern))
		}
	}
	if data, err := DefaultData(); err == nil {
		files = append(files, FileIn(data))
	}
	for _, name := range files {
		s, err := readPrivate[Server](name)
		switch {
		case err == nil && processExists(s.PID):
			return s, tried, true
		case err == nil:
			name += fmt.Sprintf(" (its process %d has ended)", s.PID)
		case !errors.Is(err, fs.ErrNotExist):
			name += fmt.Sprintf(" (not used: %v)", err)
		}
		tried = append(tried, name)
	}
	return Server{}, tried, false
}
