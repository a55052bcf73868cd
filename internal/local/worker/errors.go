package worker

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Reasons of a StartError.
const (
	Crashed = "crashed" // the process ended while it imported the bundle
	Timeout = "timeout" // it was still importing after Spec.StartTimeout
	Failed  = "failed"  // it could not be run at all; see Err
)

// ErrClosed is returned by a pool that is closed or drained.
var ErrClosed = errors.New("worker: the pool is closed")

// ErrNoPlace is returned when the pools of a Budget keep all of its places busy.
var ErrNoPlace = errors.New("all processes that the functions share are busy")

// StartError reports why a process did not start.
type StartError struct {
	Name     string // Spec.Name
	Reason   string // Crashed, Timeout or Failed
	ExitCode int    // of a crash; -1 when a signal ended the process
	Cause    string // of a crash that is not the app's own fault, else empty
	LogTail  string // the last lines it wrote
	Err      error
}

func (e *StartError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "worker: function %s did not start: ", e.Name)
	switch e.Reason {
	case Crashed:
		if e.Cause != "" {
			fmt.Fprintf(&b, "it was %s", e.Cause)
			break
		}
		fmt.Fprintf(&b, "it ended with exit code %d while loading", e.ExitCode)
	case Timeout:
		b.WriteString("it was still loading when its time was up")
	default:
		fmt.Fprint(&b, e.Err)
	}
	if e.LogTail != "" {
		b.WriteString("; the last it wrote:\n" + e.LogTail)
	}
	return b.String()
}

func (e *StartError) Unwrap() error { return e.Err }

// busyError refuses a request that no process can take now.
type busyError struct {
	why        string
	retryAfter time.Duration
	err        error
}

func (e *busyError) Error() string { return "worker: " + e.why }
func (e *busyError) Unwrap() error { return e.err }
