package cli

import (
	"io"
	"os"

	"golang.org/x/term"
)

// IOStreams are the three streams of a command and what is known of them.
type IOStreams struct {
	In       io.Reader
	Out, Err io.Writer

	IsTerminal bool // Out and Err are a person's terminal
	Color      bool // Out and Err take colors
	Width      int  // columns of the terminal
}

// systemStreams are those of the process. Colors are off when NO_COLOR is set
// (no-color.org) or the terminal is dumb.
func systemStreams() IOStreams {
	s := IOStreams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Width: 80}
	s.IsTerminal = term.IsTerminal(int(os.Stdout.Fd())) && term.IsTerminal(int(os.Stderr.Fd()))
	if !s.IsTerminal {
		return s
	}
	s.Color = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	if width, _, err := term.GetSize(int(os.Stderr.Fd())); err == nil && width > 20 {
		s.Width = width
	}
	return s
}

// The colors used: few, and never the only bearer of a meaning.
const (
	bold  = "1"
	dim   = "2"
	red   = "31"
	green = "32"
	cyan  = "36"
)

func (s IOStreams) paintText(code, text string) string {
	if !s.Color || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}
