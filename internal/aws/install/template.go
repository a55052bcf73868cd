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

// Template returns the stack's template, with the buildspec and without comments. It is smaller
// than the 51,200 bytes that CreateChangeSet accepts as a body, so that a plan need not upload
// anything.
func Template() string {
	const indent = "\n          "
	block := "|" + indent + strings.ReplaceAll(strings.TrimSpace(buildspec), "\n", indent)
	whole := strings.Replace(template, buildspecMark, block, 1)
	return comment.ReplaceAllString(whole, "")
}

// comment matches a line that consists of a comment: in YAML, and in the shell of the buildspec.
var comment = regexp.MustCompile(`(?m)^ *#[^!].*\n`)
