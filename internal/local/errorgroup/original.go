package errorgroup

import (
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Original translates a position in a file of a deployment's function to one in the app's sources; false when the build has no source map for
// it. name is the original name at that position, often "".
type Original func(d anchor.DeploymentID, function, file string, line, column int) (source, name string, sourceLine, sourceColumn int, ok bool)

// maxFrames is how many frames of a stack are translated.
const maxFrames = 30

// translate replaces the frames of a stack whose originals are known.
func (f Original) translate(l *anchor.LogLine, text string) string {
	lines := strings.Split(text, "\n")
	frames, calledAs := 0, ""
	// From the outermost frame inwards: the name at a call is that of the function whose frame is above it.
	for i := len(lines) - 1; i >= 0; i-- {
		at := frame.FindStringSubmatch(strings.TrimRight(lines[i], "\r"))
		if at == nil {
			continue
		}
		if frames++; frames > maxFrames {
			break
		}
		row, _ := strconv.Atoi(at[3]) // digits; too many are 0, which no map has
		column, _ := strconv.Atoi(at[4])
		source, name, row, column, ok := f(l.DeploymentID, l.Function, strings.TrimPrefix(at[2], "file://"), row, column)
		if !ok {
			calledAs = ""
			continue
		}
		function := functionName(at[1], calledAs)
		calledAs = name
		place := fmt.Sprintf("%s:%d:%d", source, row, column)
		if function != "" {
			place = function + " (" + place + ")"
		}
		lines[i] = "    at " + place
	}
	return strings.Join(lines, "\n")
}

// functionName chooses between the name that a frame has and the one by which the frame below has called it: minifiers
// shorten the former.
func functionName(name, calledAs string) string {
	bare := name[strings.LastIndexAny(name, " .")+1:] // of "async Object.order"
	switch {
	case calledAs != "":
		return calledAs
	case len(bare) > 2 && bare[0] != '<': // <anonymous>, and <unknown> of Next.js
		return name
	}
	return ""
}

// translateLine returns a line with the original positions of its stack; false when none is known.
func (f Original) translateLine(l anchor.LogLine) (anchor.LogLine, bool) {
	if f == nil {
		return l, false
	}
	before := l.Text
	l.Text = f.translate(&l, l.Text)
	changed := l.Text != before
	if stack, put := stackOf(&l); put != nil {
		translated := f.translate(&l, stack)
		put(translated)
		changed = changed || translated != stack
	}
	return l, changed
}

// stackOf returns the stack that a logger has put into a field of the line, and what replaces it in a copy of the fields; nil without one.
func stackOf(l *anchor.LogLine) (stack string, put func(string)) {
	if stack, ok := l.Fields["stack"].(string); ok { // as winston writes it
		return stack, func(s string) { l.Fields = withMember(l.Fields, "stack", s) }
	}
	if err, ok := l.Fields["err"].(map[string]any); ok { // as pino writes it
		if stack, ok := err["stack"].(string); ok {
			return stack, func(s string) { l.Fields = withMember(l.Fields, "err", withMember(err, "stack", s)) }
		}
	}
	return "", nil
}

func withMember(all map[string]any, name string, value any) map[string]any {
	all = maps.Clone(all)
	all[name] = value
	return all
}
