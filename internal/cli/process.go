package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact/build"
)

// Of a failed command the first and the last lines are shown: npm reports the cause first and
// its whole usage after it, compilers the other way round.
const (
	headLines = 30
	tailLines = 70
)

// buildLog keeps all that the build's processes write in .anchor/build.log, and the
// last lines of it at hand.
type buildLog struct {
	file    *os.File
	path    string
	head    []string // first lines of the command that runs
	tail    []string // its last ones
	cut     bool     // lines between them are left out
	partial []byte
	onLine  func(string)
}

func openBuildLog(dir string, onLine func(string)) (*buildLog, error) {
	var file *os.File
	err := build.InState(dir, func(state *os.Root) (err error) {
		file, err = state.Create("build.log")
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("store the build output: %w", err)
	}
	return &buildLog{file: file, path: filepath.Join(dir, build.StateDir, "build.log"), onLine: onLine}, nil
}

// Write implements io.Writer; os/exec calls it from one goroutine at a time.
func (b *buildLog) Write(p []byte) (int, error) {
	b.partial = append(b.partial, p...)
	for {
		line, rest, found := bytes.Cut(b.partial, []byte("\n"))
		if !found {
			break
		}
		b.add(string(bytes.TrimRight(line, "\r")))
		b.partial = rest
	}
	return b.file.Write(p)
}

func (b *buildLog) add(line string) {
	if len(b.head) < headLines {
		b.head = append(b.head, line)
	} else if b.tail = append(b.tail, line); len(b.tail) > tailLines {
		b.tail = b.tail[1:]
		b.cut = true
	}
	if strings.TrimSpace(line) != "" {
		b.onLine(line)
	}
}

// shownLines returns the lines of the last command's output to show.
func (b *buildLog) shownLines() []string {
	lines := slices.Clone(b.head)
	if b.cut {
		lines = append(lines, "…")
	}
	lines = append(lines, b.tail...)
	if len(b.partial) > 0 {
		lines = append(lines, string(b.partial))
	}
	return lines
}

func (b *buildLog) printTo(w io.Writer) {
	for _, line := range b.shownLines() {
		fmt.Fprintln(w, "  │ "+line)
	}
}

// run implements build.Run in a process group.
func (b *buildLog) run(ctx context.Context, c build.Command) error {
	b.head, b.tail, b.cut = nil, nil, false
	command := strings.Join(c.Args, " ")
	fmt.Fprintf(b, "$ %s\n", command)
	cmd := exec.CommandContext(ctx, c.Program(), c.Args[1:]...)
	cmd.Dir, cmd.Env = c.Dir, c.Env
	cmd.Stdout, cmd.Stderr = b, b
	if c.Out != nil {
		cmd.Stdout = c.Out
	}
	cmd.WaitDelay = 5 * time.Second
	ownGroup(cmd)
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return anchor.Failed("build_failed", "%s failed", command).Because(err).
			Hintf("The complete output is in %s.", b.path)
	}
	return nil
}
