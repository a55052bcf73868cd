package cli

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// named matches a command of anchor in a text, up to what cannot belong to it.
var named = regexp.MustCompile("(?:^|[\\s`(\"])anchor ((?:[a-z][a-z-]*|--[a-z][a-z-]*)(?:[ =](?:[A-Za-z0-9%./<>_-]+))*)")

// prose are words that follow "anchor" where it is not a command.
var prose = map[string]bool{"needs": true, "does": true, "was": true, "takeover": true, "feature": true /* git push anchor feature/x */}

// TestHints_NameExistingCommands reads all texts of the program: errors, their
// hints, checks, help. A hint that cannot be followed is worse than none.
func TestHints_NameExistingCommands(t *testing.T) {
	found := 0
	for _, text := range texts(t, "../../internal", "../../cmd") {
		for _, match := range named.FindAllStringSubmatch(text.value, -1) {
			words := strings.Fields(strings.ReplaceAll(strings.TrimRight(match[1], "."), "=", " "))
			if prose[words[0]] {
				continue
			}
			found++
			if problem := follow(Command(), words); problem != "" {
				t.Errorf("%s: %q: %s", text.at, "anchor "+strings.Join(words, " "), problem)
			}
		}
	}
	if found < 50 {
		t.Errorf("only %d commands were found in the texts: the search for them is broken", found)
	}
}

// follow walks words down the tree of commands and returns what is unknown.
func follow(command *cobra.Command, words []string) string {
	for i, word := range words {
		if word == "-" { // a value from standard input
			continue
		}
		if word == "--" { // another program's command line follows
			return ""
		}
		if strings.HasPrefix(word, "-") {
			if !hasFlag(command, word) {
				return command.CommandPath() + " has no " + word
			}
			continue
		}
		if sub := child(command, word); sub != nil {
			command = sub
			continue
		}
		if i == 0 || command.HasAvailableSubCommands() && !command.Runnable() {
			return command.CommandPath() + " has no command " + word
		}
	}
	return ""
}

func child(command *cobra.Command, name string) *cobra.Command {
	for _, sub := range command.Commands() {
		if sub.Name() == name || sub.HasAlias(name) {
			return sub
		}
	}
	return nil
}

func hasFlag(command *cobra.Command, word string) bool {
	name := strings.TrimLeft(word, "-")
	if strings.HasPrefix(word, "--") {
		return name == "help" || command.Flag(name) != nil || command.InheritedFlags().Lookup(name) != nil
	}
	return name == "h" || command.Flags().ShorthandLookup(name) != nil || command.InheritedFlags().ShorthandLookup(name) != nil
}

type text struct{ value, at string }

// texts returns the string literals of all Go files below the folders but tests.
func texts(t *testing.T, folders ...string) []text {
	t.Helper()
	var all []text
	files := token.NewFileSet()
	for _, folder := range folders {
		err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
					value, err := strconv.Unquote(literal.Value)
					if err != nil {
						t.Errorf("%s: %v", path, err)
					}
					all = append(all, text{value, files.Position(literal.Pos()).String()})
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}
