package cli

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// An empty word must not stand for another choice: each command that takes an argument refuses an empty one.
func TestEmptyWords_Arguments(t *testing.T) {
	var visit func(cmd *cobra.Command)
	tried := 0
	visit = func(cmd *cobra.Command) {
		for _, child := range cmd.Commands() {
			visit(child)
		}
		for _, args := range [][]string{{""}, {" "}, {"x", ""}} {
			if cmd.Name() == "bisect" || cmd.HasSubCommands() || cmd.DisableFlagParsing || cmd.Args == nil {
				continue
			}
			err := cmd.Args(cmd, args)
			if err == nil {
				t.Errorf("%s accepts %q", cmd.CommandPath(), args)
			} else if strings.Contains(err.Error(), "has an empty ") {
				tried++
			}
		}
	}
	visit(Command())
	if tried < 40 {
		t.Errorf("only %d cases were refused for an empty argument", tried)
	}
}

func TestEmptyWords(t *testing.T) {
	for line, want := range map[string]string{
		"rollback |":                        "anchor rollback has an empty ID; a shell variable may not be set",
		"rollback --project | d1":           "anchor rollback has an empty --project; a shell variable may not be set",
		"cache purge --tag |":               "anchor cache purge has an empty --tag; a shell variable may not be set",
		"env set A=1 --branch |":            "anchor env set has an empty --branch; a shell variable may not be set",
		"domains move a.test --to |":        "anchor domains move has an empty --to; a shell variable may not be set",
		"bisect | --project p -- sh -c |":   "anchor bisect has an empty COMMAND; a shell variable may not be set",
		"bisect --project p -- sh -c |":     "",
		"env set A= --branch main":          "",
		"deploy --message | --project shop": "",
	} {
		root := Command()
		args := strings.Split(line, " ")
		for i := range args {
			args[i] = strings.ReplaceAll(args[i], "|", "")
		}
		cmd, rest, err := root.Find(args)
		if err == nil {
			err = cmd.ParseFlags(rest)
		}
		if err != nil {
			t.Fatal(line, err)
		}
		got := ""
		if err := cmd.ValidateArgs(cmd.Flags().Args()); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}
