// Command anchor is the server and the command line of Anchor.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/anchor-deploy/anchor/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second Ctrl-C ends the process at once, but wrappers such as make and timeout
	// pass one Ctrl-C on twice.
	context.AfterFunc(ctx, func() { time.AfterFunc(time.Second, stop) })
	os.Exit(cli.Main(ctx, os.Args[1:], cli.SystemStreams()))
}
