package cache

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// The state file says whether the files can be trusted. A removal survives the end of the process,
// however it ends; the end of the machine it survives only after closedState was written, because
// single removals are not synced.
const (
	closedState = "closed\n"
	brokenState = "broken\n"
)

// openState names the run of the machine in which the folder was opened.
func openState() string { return "open " + bootID() + "\n" }

// bootID identifies this run of the machine; "" if it cannot be known.
func bootID() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
}

// trusted reports whether no removal can have been lost since the state was written.
func trusted(path string) bool {
	state, err := os.ReadFile(path)
	if err != nil {
		return false
	}
	return string(state) == closedState || bootID() != "" && string(state) == openState()
}

// writeState replaces the state in one step, after all removals before it.
func writeState(path, state string) error {
	next := path + ".next"
	file, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteString(state)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Rename(next, path); err != nil {
		return err
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
