// Command anchor is the server and the command line of Anchor.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/anchor-deploy/anchor/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the process at once
	os.Exit(cli.Main(ctx, os.Args[1:], cli.SystemStreams()))
}
