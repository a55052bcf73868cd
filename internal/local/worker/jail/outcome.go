package jail

import (
	"os"
	"syscall"
)

// lastSignal is the highest signal number of Linux.
const lastSignal = 64

// Outcome is how a program ended.
type Outcome struct {
	Code int    // exit code; -1 when a signal ended the program
	Text string // for people to read: "exit status 3" or "signal: killed"
}

// String returns Text.
func (o Outcome) String() string { return o.Text }

// Outcome returns how a program that Start started ended. state is that of its command. An init
// process exits with 128+n after signal n.
func (w Walls) Outcome(state *os.ProcessState) Outcome {
	code := state.ExitCode()
	if signal := syscall.Signal(code - 128); w.init && 0 < signal && signal <= lastSignal {
		return Outcome{Code: -1, Text: "signal: " + signal.String()}
	}
	return Outcome{Code: code, Text: state.String()}
}
