package jail

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// tryLimit bounds one trial; a program that prints its version takes milliseconds.
const tryLimit = 10 * time.Second

// Try starts `program --version` at a level, and returns walls of that level when it runs. user is
// an example of the users that programs run as; nil: the user that runs Anchor.
func Try(ctx context.Context, level Level, program string, user *User) (Walls, error) {
	w := Walls{Level: level, init: true}
	if err := w.tryLevel(ctx, program, user); err != nil {
		return Walls{}, fmt.Errorf("level %d is not possible: %w", level, err)
	}
	return w, nil
}

// TryWithin starts `program --version` in the control group of Within.
func (w Walls) TryWithin(ctx context.Context, members *os.File, program string, user *User) error {
	if !w.init {
		return errors.New("programs that have no init process stay in Anchor's control group")
	}
	if err := w.Within(members).tryLevel(ctx, program, user); err != nil {
		return fmt.Errorf("start a program in a control group: %w", err)
	}
	return nil
}

func (w Walls) tryLevel(ctx context.Context, program string, user *User) error {
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
