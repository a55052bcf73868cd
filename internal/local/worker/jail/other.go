//go:build !linux

package jail

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
)

// Try returns an error: only Linux has the mechanisms.
func Try(_ context.Context, level Level, _ string, _ *User) (Walls, error) {
	return Walls{}, fmt.Errorf("level %d is not possible: only Linux can isolate workers", level)
}

// TryWithin returns an error: only Linux has control groups.
func (w Walls) TryWithin(context.Context, *os.File, string, *User) error {
	return errors.New("only Linux has control groups")
}

// Start starts a program through run, which starts a command. prepare sets the command's standard
// streams.
func (w Walls) Start(s Spec, prepare func(*exec.Cmd), run func(*exec.Cmd) error) (*exec.Cmd, error) {
	return w.startBare(s, prepare, run)
}

// Kill ends a program that Start started, and its process group.
func (w Walls) Kill(pid int, _ <-chan struct{}) { killGroup(pid) }

// Program returns pid: there are no init processes.
func (w Walls) Program(pid int) int { return pid }

// Descendants returns nothing: there is no /proc to read them from.
func Descendants(int) []int { return nil }
