package e2e

import (
	"context"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/app"
	"github.com/anchor-deploy/anchor/internal/cli"
	"github.com/anchor-deploy/anchor/internal/stack"
)

// TestMain makes the test binary be Anchor itself when it is asked to, so that the
// processes under test are the code under test, with a hook to end them at a step.
func TestMain(m *testing.M) {
	if os.Getenv("ANCHOR_E2E_MAIN") != "" {
		os.Exit(asAnchor())
	}
	build := exec.Command("make", "--no-print-directory", "-C", "..", "examples")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		os.Stderr.WriteString("the example apps do not build\n")
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// asAnchor is cmd/anchor's main, but for the hooks: the step to end at, and a folder
// with the handlers' code that make build puts into the binary.
func asAnchor() int {
	if step := os.Getenv("ANCHOR_E2E_DIE_BEFORE"); step != "" {
		cli.RunServer = func(ctx context.Context, c app.Config) error {
			c.BeforeStep = func(next string) {
				if next == step {
					syscall.Kill(os.Getpid(), syscall.SIGKILL)
					select {}
				}
			}
			return app.Run(ctx, c)
		}
	}
	if dir := os.Getenv("ANCHOR_E2E_HANDLERS"); dir != "" {
		cli.OpenInstallation = func(ctx context.Context, o app.AWS) (*stack.Installation, error) {
			o.Stack.Handlers, o.Stack.Poll = os.DirFS(dir), 50*time.Millisecond
			return app.Installation(ctx, o)
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return cli.Main(ctx, os.Args[1:], cli.SystemStreams())
}
