package builder

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"regexp"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// output is what a build printed so far. Readers follow it line by line.
type output struct {
	id    anchor.DeploymentID
	limit int64
	keep  func(anchor.LogLine) // stores a line

	mu      sync.Mutex
	lines   []anchor.LogLine
	size    int64
	full    bool
	ended   bool
	partial []byte        // of a line that is not complete
	more    chan struct{} // closed at the next change
}

func newOutput(id anchor.DeploymentID, limit int64, keep func(anchor.LogLine)) *output {
	return &output{id: id, limit: limit, keep: keep, more: make(chan struct{})}
}

// maxLine is how much of one line is kept, in bytes.
const maxLine = 4096

// Write implements io.Writer for the build's processes.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, c := range bytes.SplitAfter(p, []byte("\n")) {
		if len(o.partial) < maxLine {
			o.partial = append(o.partial, c[:min(len(c), maxLine)]...)
		}
		if bytes.HasSuffix(c, []byte("\n")) {
			o.flush()
		}
	}
	return len(p), nil
}

// flush ends the line that is not complete. Callers hold mu.
func (o *output) flush() {
	text := plain(string(o.partial))
	o.partial = o.partial[:0]
	if text != "" {
		o.add("info", text)
	}
}

// sayf adds a line of Anchor's own. It also has room in a full output.
func (o *output) sayf(level, format string, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.partial) > 0 {
		o.flush()
	}
	full := o.full
	o.full = false
	for text := range strings.SplitSeq(fmt.Sprintf(format, args...), "\n") {
		o.add(level, plain(text))
	}
	o.full = full
}

func (o *output) add(level, text string) {
	if o.full {
		return
	}
	if o.size += int64(len(text)); o.size > o.limit && level == "info" {
		o.full = true
		text = fmt.Sprintf("… the build printed more than %d KiB; the rest is left out", o.limit>>10)
	}
	line := anchor.LogLine{Time: time.Now().UnixMilli(), DeploymentID: o.id, Function: "build", Level: level, Text: text}
	o.lines = append(o.lines, line)
	o.keep(line)
	close(o.more)
	o.more = make(chan struct{})
}

// end marks that nothing will be added.
func (o *output) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ended = true
	close(o.more)
	o.more = make(chan struct{})
}

func (o *output) since(n int) (lines []anchor.LogLine, ended bool, more <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.lines[n:], o.ended, o.more
}

// follow yields all lines until the build has ended, or an error when ctx ends first.
func (o *output) follow(ctx context.Context) iter.Seq2[anchor.LogLine, error] {
	return func(yield func(anchor.LogLine, error) bool) {
		for n := 0; ; {
			lines, ended, more := o.since(n)
			for _, line := range lines {
				if !yield(line, nil) {
					return
				}
			}
			if n += len(lines); ended {
				return
			}
			select {
			case <-more:
			case <-ctx.Done():
				yield(anchor.LogLine{}, ctx.Err())
				return
			}
		}
	}
}

// controls are the sequences by which programs color their output (ECMA-48, 5.4).
var controls = regexp.MustCompile("\x1b\\[[0-?]*[ -/]*[@-~]|\x1b\\][^\a\x1b]*(?:\a|\x1b\\\\)?")

// plain returns a line as a terminal would show it, without what a terminal obeys. Of a line that
// was overwritten (by carriage returns, as progress bars do) the last state stays.
func plain(text string) string {
	text = strings.TrimRight(text, "\r\n ")
	text = text[strings.LastIndexByte(text, '\r')+1:]
	text = controls.ReplaceAllString(strings.ToValidUTF8(text, "�"), "")
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\t' {
			return -1
		}
		return r
	}, text)
}
