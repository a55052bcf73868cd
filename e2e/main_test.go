package e2e

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/artifact/build"
	"github.com/anchor-deploy/anchor/internal/aws/install/open"
	"github.com/anchor-deploy/anchor/internal/cli"
	"github.com/anchor-deploy/anchor/internal/local/server"
)

// TestMain runs the test binary as Anchor itself on request. So the processes under test run the
// code under test, with a hook to end them at a step.
func TestMain(m *testing.M) {
	if tests, err := strconv.Atoi(os.Getenv("ANCHOR_E2E_MAIN")); err == nil {
		go endWith(tests)
		os.Exit(asAnchor())
	}
	os.Exit(runTests(m))
}

// scratch is a folder that the tests share. It is removed after them.
var scratch string

// serverSecret is a variable in the environment of every server, which no worker may see.
const serverSecret = "ANCHOR_SECRET_OF_THE_SERVER"

func runTests(m *testing.M) (code int) {
	examples := exec.Command("make", "--no-print-directory", "-C", "..", "examples")
	examples.Stdout, examples.Stderr = os.Stderr, os.Stderr
	if err := examples.Run(); err != nil {
		os.Stderr.WriteString("the example apps do not build\n")
		return 1
	}
	// Pebble validates without a pause and refuses one good nonce in six.
	for name, value := range map[string]string{"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "15", serverSecret: "x"} {
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
	var err error
	if scratch, err = os.MkdirTemp("", "anchor-e2e-"); err != nil {
		panic(err)
	}
	defer os.RemoveAll(scratch)
	return m.Run()
}

// endWith ends this process once the process of the tests has ended, so that an interrupted run
// leaves no server behind.
func endWith(tests int) {
	for !errors.Is(syscall.Kill(tests, 0), syscall.ESRCH) {
		time.Sleep(time.Second)
	}
	os.Exit(1)
}

// scriptedBuild builds pushed apps by a script of theirs in place of OpenNext.
func scriptedBuild(script string) func(context.Context, *build.Builder) (string, error) {
	return func(ctx context.Context, b *build.Builder) (string, error) {
		if err := b.Run(ctx, build.Command{Dir: b.App.Dir, Args: []string{"sh", script}, Env: b.Env}); err != nil {
			return "", err
		}
		return build.FindTree(b.App.Dir)
	}
}

// asAnchor is cmd/anchor's main with the aws commands in the same process, and with the hooks:
// the step to end at, and a folder with the handlers' code, which make build embeds in the
// binary.
func asAnchor() int {
	parts := cli.Parts{Server: server.Run}
	if script := os.Getenv("ANCHOR_E2E_BUILD_SCRIPT"); script != "" {
		parts.Server = func(ctx context.Context, c server.Config) error {
			c.MakeBuild = scriptedBuild(script)
			return server.Run(ctx, c)
		}
	}
	if step := os.Getenv("ANCHOR_E2E_DIE_BEFORE"); step != "" {
		parts.Server = func(ctx context.Context, c server.Config) error {
			c.BeforeStep = func(next string) {
				if next == step {
					syscall.Kill(os.Getpid(), syscall.SIGKILL)
					select {}
				}
			}
			return server.Run(ctx, c)
		}
	}
	aws := open.Opener{}
	if dir := os.Getenv("ANCHOR_E2E_HANDLERS"); dir != "" {
		aws = open.Opener{Handlers: os.DirFS(dir), Poll: 50 * time.Millisecond}
	}
	parts.Installation = aws.Open
	return cli.Main(parts)
}
