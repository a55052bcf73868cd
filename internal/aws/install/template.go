package install

import (
	_ "embed"
	"regexp"
	"strings"
)

//go:embed template.yaml
var template string

//go:embed buildspec.yml
var buildspec string

const buildspecMark = `"@@BUILDSPEC@@"`

// Template returns the stack's template, with the buildspec, without comments and blank lines, and
// with lists on one line. It is smaller than the 51,200 bytes that CreateChangeSet accepts as a
// body, so that a plan need not upload anything.
func Template() string {
	const indent = "\n          "
	block := "|" + indent + strings.ReplaceAll(strings.TrimSpace(buildspec), "\n", indent)
	whole := list.ReplaceAllStringFunc(comment.ReplaceAllString(template, ""), flow)
	whole = strings.Replace(whole, buildspecMark, block, 1)
	return strings.ReplaceAll(comment.ReplaceAllString(whole, ""), "\n\n", "\n")
}

// flow returns a list that list has matched as a flow sequence (YAML 1.2, 7.4.1).
func flow(block string) string {
	name, rest, _ := strings.Cut(block, "\n")
	var items []string
	for item := range strings.Lines(rest) {
		items = append(items, strings.TrimPrefix(strings.TrimSpace(item), "- "))
	}
	return name + " [" + strings.Join(items, ", ") + "]\n"
}

// list matches a list of actions, or of references, with nothing else in it.
var list = regexp.MustCompile(`(?m)^ +\w+:\n(?: +- (?:[a-z0-9-]+:\w+|!Sub "[^"]*"|!GetAtt [\w.]+)\n)+`)

// comment matches a line that consists of a comment: in YAML, and in the shell of the buildspec.
var comment = regexp.MustCompile(`(?m)^ *#[^!].*\n`)
