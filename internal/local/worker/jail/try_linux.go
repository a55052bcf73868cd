package jail

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// tryLimit bounds one trial; a program that prints its version takes milliseconds.
const tryLimit = 10 * time.Second

// Try starts `program --version` at a level, and returns walls of that level when it runs. user is an example of
// those that programs run as; nil: the user that runs Anchor.
func Try(ctx context.Context, level Level, program string, user *User) (Walls, error) {
	w := Walls{Level: level, init: true}
	if err := w.try(ctx, program, user); err != nil {
		return Walls{}, fmt.Errorf("level %d is not possible: %w", level, err)
	}
	return w, nil
}

// Within returns walls whose programs run in a control group (cgroups(7)), when a program that prints its version does
// there. members is the group's cgroup.procs, open for writing for as long as programs are started.
func (w Walls) Within(ctx context.Context, members *os.File, program string, user *User) (Walls, error) {
	w.group = members
	if err := w.try(ctx, program, user); err != nil {
		return Walls{}, fmt.Errorf("start a program in a control group: %w", err)
	}
	return w, nil
}

func (w Walls) try(ctx context.Context, program string, user *User) error {
	installation, err := Installation(program)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "anchor-try")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithTimeout(ctx, tryLimit)
	defer cancel()
	var said bytes.Buffer
	gone := make(chan struct{})
	spec := Spec{
		User: user, Path: program, Args: []string{"--version"}, Env: []string{"PATH=/usr/bin:/bin"}, Dir: "/",
		Root: dir, ReadOnly: installation, Limits: Limits{Tmp: 1 << 20},
	}
	cmd, err := w.Start(spec, func(cmd *exec.Cmd) { cmd.Stderr = &said }, (*exec.Cmd).Start)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { w.Kill(cmd.Process.Pid, gone) })
	defer stop()
	err = cmd.Wait()
	close(gone)
	if err != nil && said.Len() > 0 {
		return fmt.Errorf("%s", strings.TrimSpace(said.String()))
	}
	return err
}
