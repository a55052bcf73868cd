package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// choosing are the flags that choose what a command acts on. Without them it acts on something else:
// the linked project, all tags, the live deployment.
var choosing = map[string]bool{
	"project": true, "deployment": true, "to": true, "branch": true, "for": true,
	"url": true, "prefix": true, "tag": true, "for-project": true,
}

// refuseEmptyWords makes empty arguments, and empty values of the flags that choose, errors of usage in
// all commands. They come from shell variables that are not set: a rollback to "$ID" would go to the
// previous deployment.
func refuseEmptyWords(cmd *cobra.Command) {
	for _, child := range cmd.Commands() {
		refuseEmptyWords(child)
	}
	if !cmd.Runnable() || cmd.DisableFlagParsing {
		return
	}
	check := cmd.Args
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if check != nil {
			if err := check(cmd, args); err != nil {
				return err
			}
		}
		// What follows "--" are the words of another command.
		if dash := cmd.ArgsLenAtDash(); dash >= 0 {
			args = args[:dash]
		}
		return emptyWord(cmd, args)
	}
}

func emptyWord(cmd *cobra.Command, args []string) (err error) {
	for i, arg := range args {
		if strings.TrimSpace(arg) == "" {
			return usagef("%s has an empty %s; a shell variable may not be set", cmd.CommandPath(), nameOfArgument(cmd, i))
		}
	}
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if err == nil && choosing[f.Name] && strings.TrimSpace(f.Value.String()) == "" {
			err = usagef("%s has an empty --%s; a shell variable may not be set", cmd.CommandPath(), f.Name)
		}
	})
	return err
}

// nameOfArgument returns the word for an argument in a command's usage, such as ID.
func nameOfArgument(cmd *cobra.Command, i int) string {
	words := slices.DeleteFunc(strings.Fields(cmd.Use)[1:], func(word string) bool { return word == "[flags]" || word == "--" })
	if len(words) == 0 {
		return "argument"
	}
	return strings.Trim(words[min(i, len(words)-1)], "[]…")
}
