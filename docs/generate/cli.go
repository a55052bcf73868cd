package main

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/anchor-deploy/anchor/internal/cli"
)

const cliIntro = `# Command line

` + "`anchor COMMAND --help`" + ` shows the same on the terminal.

**Exit codes.** 0: done. 1: the deployment, or what else was asked for, failed. 2: bad usage or
bad input. 3: the project, deployment, token or variable is not there. 4: the server cannot be
reached, is too busy, or does not accept the token. 130: ended by Ctrl-C.

**Output.** Results go to stdout, progress and errors to stderr. With ` + "`--json`" + ` stdout holds
one JSON document and nothing else; an error is ` + "`{\"error\": {\"code\", \"message\", \"hint\"}}`" + `.
Colors are left out without a terminal and when ` + "`NO_COLOR`" + ` is set.

**Which server.** ` + "`ANCHOR_URL`" + ` and ` + "`ANCHOR_TOKEN`" + `; without them the ` + "`anchor up`" + ` that the same
user runs on this machine. The token of an installation on AWS is found by its URL: ` + "`anchor aws bootstrap`" + `
keeps it in ` + "`anchor/aws-*.json`" + ` of the user's configuration folder (mode 0600). The ` + "`anchor aws`" + ` commands use AWS
credentials instead.

**Which project.** ` + "`--project`" + `, else that of ` + "`anchor.json`" + ` in this folder or one above, which ` + "`anchor link`" + ` and the first
` + "`anchor deploy`" + ` write ([schema](anchor.schema.json)). A command refuses to work with another server than that of the file.

`

func cliPage() []byte {
	var b bytes.Buffer
	b.WriteString(generated + cliIntro)
	root := cli.Command()
	for _, group := range root.Groups() {
		fmt.Fprintf(&b, "- %s", group.Title)
		for _, c := range visible(root) {
			if c.GroupID == group.ID {
				fmt.Fprintf(&b, " [%s](#%s)", c.Name(), anchorOf(c))
			}
		}
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "\nFlags of every command:\n\n%s", fenced(root.PersistentFlags().FlagUsagesWrapped(90)))
	for _, c := range visible(root) {
		describe(&b, c)
	}
	return b.Bytes()
}

// describe writes a command and those below it.
func describe(b *bytes.Buffer, c *cobra.Command) {
	fmt.Fprintf(b, "\n## %s\n\n%s.\n", c.CommandPath(), strings.TrimSuffix(c.Short, "."))
	if c.Long != "" {
		fmt.Fprintf(b, "\n%s\n", c.Long)
	}
	fmt.Fprintf(b, "\n%s", fenced(c.UseLine()))
	if len(c.Aliases) > 0 {
		fmt.Fprintf(b, "\nAlso: `%s`.\n", strings.Join(c.Aliases, "`, `"))
	}
	if c.HasAvailableLocalFlags() {
		fmt.Fprintf(b, "\n%s", fenced(c.NonInheritedFlags().FlagUsagesWrapped(90)))
	}
	if c.Example != "" {
		fmt.Fprintf(b, "\nFor example:\n\n%s", fenced(c.Example))
	}
	for _, child := range visible(c) {
		describe(b, child)
	}
}

// visible returns the commands below c that its help lists, in its order.
func visible(c *cobra.Command) []*cobra.Command {
	var shown []*cobra.Command
	for _, child := range c.Commands() {
		if child.IsAvailableCommand() {
			shown = append(shown, child)
		}
	}
	return shown
}

func anchorOf(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

func fenced(text string) string {
	return "```\n" + strings.TrimRight(text, "\n ") + "\n```\n"
}
