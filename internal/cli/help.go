package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// helpWidth is the width that descriptions of flags are wrapped to.
const helpWidth = 80

// printUsage prints how to use a command, in the format of cobra's template with wrapped flags. It is
// not a template: text/template calls methods by name, so that the linker could not leave out
// methods that nothing calls.
func printUsage(c *cobra.Command) error {
	local, inherited := c.LocalFlags(), c.InheritedFlags() // adds the persistent flags, which UseLine needs
	var b strings.Builder
	b.WriteString("Usage:")
	if c.Runnable() {
		b.WriteString("\n  " + c.UseLine())
	}
	if c.HasAvailableSubCommands() {
		b.WriteString("\n  " + c.CommandPath() + " [command]")
	}
	if len(c.Aliases) > 0 {
		b.WriteString("\n\nAliases:\n  " + c.NameAndAliases())
	}
	if c.HasExample() {
		b.WriteString("\n\nExamples:\n" + c.Example)
	}
	if c.HasAvailableSubCommands() {
		writeSubcommands(&b, c)
	}
	writeFlags(&b, "Flags", local.FlagUsagesWrapped(helpWidth))
	writeFlags(&b, "Global Flags", inherited.FlagUsagesWrapped(helpWidth))
	if c.HasAvailableSubCommands() {
		b.WriteString("\n\nUse \"" + c.CommandPath() + " [command] --help\" for more information about a command.")
	}
	b.WriteString("\n")
	_, err := io.WriteString(c.OutOrStderr(), b.String())
	return err
}

// writeSubcommands lists the commands below c by group. A command without a group comes last.
func writeSubcommands(b *strings.Builder, c *cobra.Command) {
	groups, rest := c.Groups(), "Additional Commands:"
	if len(groups) == 0 {
		rest = "Available Commands:"
	}
	if len(groups) == 0 || !c.AllChildCommandsHaveGroup() {
		groups = append(slices.Clone(groups), &cobra.Group{Title: rest})
	}
	for _, group := range groups {
		b.WriteString("\n\n" + group.Title)
		for _, sub := range c.Commands() {
			if sub.GroupID == group.ID && (sub.IsAvailableCommand() || sub.Name() == "help") {
				fmt.Fprintf(b, "\n  %-*s %s", sub.NamePadding(), sub.Name(), sub.Short)
			}
		}
	}
}

func writeFlags(b *strings.Builder, title, usages string) {
	if usages != "" {
		b.WriteString("\n\n" + title + ":\n" + strings.TrimRight(usages, " \n"))
	}
}

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
