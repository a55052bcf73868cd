// Command anchor is the server and the command line of Anchor.
package main

import (
	"context"
	"os"

	"github.com/anchor-deploy/anchor/internal/aws/companion"
	"github.com/anchor-deploy/anchor/internal/aws/installation"
	"github.com/anchor-deploy/anchor/internal/cli"
	"github.com/anchor-deploy/anchor/internal/local/server"
)

func main() {
	os.Exit(cli.Main(cli.Parts{Server: server.Run, Installation: elsewhere}))
}

// elsewhere replaces this process with cmd/anchor-aws, which runs the same command.
func elsewhere(context.Context, installation.Options) (installation.Installation, error) {
	return nil, companion.Exec(os.Args)
}
