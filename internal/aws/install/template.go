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

// Template is the stack's, with the buildspec in it and without comments. It stays
// below the 51,200 bytes that CreateChangeSet takes as a body, so that a plan has to
// upload nothing.
func Template() string {
	const indent = "\n          "
	block := "|" + indent + strings.ReplaceAll(strings.TrimSpace(buildspec), "\n", indent)
	whole := strings.Replace(template, buildspecMark, block, 1)
	return comment.ReplaceAllString(whole, "")
}

// comment is a line that is nothing else: in YAML, and in the shell of the buildspec.
var comment = regexp.MustCompile(`(?m)^ *#[^!].*\n`)
