// Command anchor-aws is the command line of Anchor with AWS's SDK, for the aws commands. It is
// not installed by itself: cmd/anchor contains it and runs it for these commands.
package main

import (
	"os"

	"github.com/anchor-deploy/anchor/internal/aws/install/open"
	"github.com/anchor-deploy/anchor/internal/cli"
	"github.com/anchor-deploy/anchor/internal/local/server"
)

func main() {
	os.Exit(cli.Main(cli.Parts{Server: server.Run, Installation: open.Opener{}.Open}))
}
