package cli

import (
	"slices"

	"github.com/spf13/cobra"
)

// refuseUnknownHelp makes "anchor help nope" the error that "anchor nope" is, where
// cobra's own command shows the help of the root and calls that done.
func refuseUnknownHelp(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	all := root.Commands()
	help := all[slices.IndexFunc(all, func(c *cobra.Command) bool { return c.Name() == "help" })]
	show := help.Run
	help.RunE = func(cmd *cobra.Command, args []string) error {
		asked, rest, err := root.Find(args)
		if err == nil && asked.HasSubCommands() {
			err = asked.ValidateArgs(rest)
		}
		if err != nil {
			return &usageError{err, asked}
		}
		show(cmd, args)
		return nil
	}
}
