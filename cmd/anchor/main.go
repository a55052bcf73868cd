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

// elsewhere has the same command done by cmd/anchor-aws, which takes over from here.
func elsewhere(context.Context, installation.Options) (installation.Installation, error) {
	return nil, companion.Exec(os.Args)
}
