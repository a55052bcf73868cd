package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/anchor-deploy/anchor/internal/aws/codebuild/runner"
)

// build runs the build of a commit in the working folder, and returns the exit code.
func build() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	dir, err := os.Getwd()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	r := runner.Runner{Dir: dir, Cache: os.Getenv("ANCHOR_CACHE"), Environ: os.Environ(), Out: os.Stdout}
	if r.Run(ctx) != nil { // it has printed why
		return 1
	}
	return 0
}
