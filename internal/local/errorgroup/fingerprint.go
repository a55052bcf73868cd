package errorgroup

import (
	"crypto/sha256"
	"encoding/hex"
	"path"
	"regexp"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// maxTitle is how many octets of the first line a title has.
const maxTitle = 300

var (
	ansi = regexp.MustCompile(`\x1b\[[0-9;]*[A-Za-z]`)
	// A line of a stack of V8 (https://v8.dev/docs/stack-trace-api): "    at order (/app/page.js:3:9)", "    at /app/page.js:3:9".
	frame = regexp.MustCompile(`^\s+at (?:(.*?) \()?(.*?):(\d+):(\d+)\)?$`)
	// What differs between two errors of the same cause: addresses, ids, numbers, and long random names.
	volatile = []struct {
		pattern *regexp.Regexp
		name    string
	}{
		{regexp.MustCompile(`https?://[^\s"'<>)]+`), "<url>"},
		{regexp.MustCompile(`[\w.+-]+@[\w-]+\.[\w.-]+`), "<email>"},
		{regexp.MustCompile(`\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?`), "<time>"},
		{regexp.MustCompile(`(?i)\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b`), "<n>"},
		{regexp.MustCompile(`\b(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?\b`), "<address>"},
		{regexp.MustCompile(`\b[0-9A-Za-z_-]*\d[0-9A-Za-z_-]*\b`), "<n>"},
	}
	// Next.js puts hashes in the names of its files: page-0a1b2c3d4e5f.js, 123.js.
	fileHash = regexp.MustCompile(`[-.]?\b(?:[0-9a-f]{8,}|\d+)\b`)
)

// mark is what tells a group from others.
type mark struct {
	id              string
	title, location string
	at              string // the first frame that is of the app, with its position
}

// markOf reads an error from the text of a line: the message is the text up to the first line of a stack, and the place the first frame that is
// of the app: of a source its file and function, else the name of the file in the build. Positions are no part of the id, since they differ between builds.
func markOf(l *anchor.LogLine) mark {
	text := ansi.ReplaceAllString(l.Text, "")
	if stack, put := stackOf(l); put != nil {
		text = stack
	}
	var title, location, place, first string
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		at := frame.FindStringSubmatch(line)
		if at == nil {
			if title == "" {
				title = strings.TrimSpace(line)
			}
			continue
		}
		if file := at[2]; location == "" && !strings.HasPrefix(file, "node:") && !strings.Contains(file, "node_modules") {
			first = strings.TrimSpace(line)
			name := path.Base(file)
			place = fileHash.ReplaceAllString(name, "")
			if isSource(file) {
				name, place = file, file+":"+at[1]
			}
			location = strings.TrimSpace(at[1] + " (" + name + ":" + at[3] + ")")
		}
	}
	if len(title) > maxTitle {
		title = strings.ToValidUTF8(title[:maxTitle], "") + " …"
	}
	sum := sha256.Sum256([]byte(l.Function + "\x00" + generalize(title) + "\x00" + place))
	return mark{hex.EncodeToString(sum[:8]), title, location, first}
}

// isSource reports whether a file of a frame is one of the app's sources: Original makes their paths relative. Those of V8
// are absolute, and where Next.js makes them relative, they begin with .next.
func isSource(file string) bool {
	return !strings.HasPrefix(file, "/") && !strings.HasPrefix(file, ".") && !strings.HasPrefix(file, "<") && !strings.Contains(file, "://")
}

// generalize replaces the parts of a message that differ between errors of the same cause.
func generalize(message string) string {
	for _, v := range volatile {
		message = v.pattern.ReplaceAllString(message, v.name)
	}
	return message
}
