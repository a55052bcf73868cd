package install

import (
	_ "embed"
	"encoding/json"
	"regexp"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
)

//go:embed template.yaml
var template string

//go:embed buildspec.yml
var buildspec string

const buildspecMark = "@@BUILDSPEC@@"

// Template returns the stack's template, with the buildspec. It is written in YAML's flow style, which
// has no indentation: what fits into a request need not be uploaded (see placeTemplate), and CloudFormation
// computes the first plan, too.
func Template() string { return compactTemplate() }

var compactTemplate = sync.OnceValue(func() string {
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(template), &doc); err != nil {
		panic("the template is broken: " + err.Error()) // a test reads it
	}
	var b strings.Builder
	writeBlock(&b, doc.Content[0], "")
	return b.String()
})

// writeBlock writes the outer two levels of the template in block style, so that each resource is a
// line. A text that begins with a brace would be taken for JSON.
func writeBlock(b *strings.Builder, n *yaml.Node, indent string) {
	for i := 0; i < len(n.Content); i += 2 {
		b.WriteString(indent + scalar(n.Content[i]) + ":")
		if value := n.Content[i+1]; value.Kind == yaml.MappingNode && indent == "" {
			b.WriteByte('\n')
			writeBlock(b, value, " ")
			continue
		}
		b.WriteByte(' ')
		writeFlow(b, n.Content[i+1])
		b.WriteByte('\n')
	}
}

// comment matches a line of a shell script that consists of a comment.
var comment = regexp.MustCompile(`(?m)^ *#[^!].*\n`)

// plainText matches texts that YAML reads as such without quotes, also in a flow (YAML 1.2, 7.3.3), and
// that are nothing else in YAML 1.1: booleans, numbers, null, times.
var (
	plainText = regexp.MustCompile(`^[A-Za-z/$][A-Za-z0-9_/.$-]*(:[A-Za-z0-9_/.$-]+)*$`)
	otherType = regexp.MustCompile(`^(?i:y|n|yes|no|on|off|true|false|null)$`)
)

// writeFlow writes a node in flow style (YAML 1.2, 7.4).
func writeFlow(b *strings.Builder, n *yaml.Node) {
	if strings.HasPrefix(n.Tag, "!") && !strings.HasPrefix(n.Tag, "!!") {
		b.WriteString(n.Tag + " ")
	}
	brackets := "[]"
	switch n.Kind {
	case yaml.ScalarNode:
		b.WriteString(scalar(n))
		return
	case yaml.MappingNode:
		brackets = "{}"
	}
	b.WriteByte(brackets[0])
	for i := 0; i < len(n.Content); i++ {
		if i > 0 {
			b.WriteByte(',')
		}
		if n.Kind == yaml.MappingNode {
			b.WriteString(scalar(n.Content[i]) + ": ")
			i++
		}
		writeFlow(b, n.Content[i])
	}
	b.WriteByte(brackets[1])
}

func scalar(n *yaml.Node) string {
	text := n.Value
	switch {
	case text == buildspecMark:
		text = comment.ReplaceAllString(buildspec, "")
	case n.Tag == "!!int" || n.Tag == "!!bool", n.Style == 0 && plainText.MatchString(text) && !otherType.MatchString(text):
		return text
	}
	var quoted strings.Builder
	encoder := json.NewEncoder(&quoted) // a text in JSON is one in YAML
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(text); err != nil {
		panic(err) // texts always have a JSON form
	}
	return strings.TrimSuffix(quoted.String(), "\n")
}
