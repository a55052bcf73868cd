package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/client"
)

// The exit codes. Scripts rely on them.
const (
	exitDone        = 0
	exitFailed      = 1   // the deployment, or what else was asked, failed
	exitUsage       = 2   // bad usage or bad input
	exitNotFound    = 3   // the project, deployment, … is not there
	exitNoServer    = 4   // server unreachable, busy, or not authorised
	exitInterrupted = 130 // ended by Ctrl-C, as shells have it (128 + SIGINT)
)

// usageError is a command line that cobra or a command cannot read.
type usageError struct {
	err     error
	command *cobra.Command // the one whose help has more; nil: any
}

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func (e *usageError) hint() string {
	if e.command == nil || !e.command.HasParent() {
		return "See anchor --help."
	}
	return "Usage: " + e.command.UseLine() + "\nSee " + e.command.CommandPath() + " --help."
}

func usagef(format string, args ...any) error { return &usageError{err: fmt.Errorf(format, args...)} }

// exitCode returns the exit code of an error; no other place decides it.
func exitCode(err error) int {
	var usage *usageError
	var gone *client.Unreachable
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &gone):
		return exitNoServer
	}
	switch anchor.KindOf(err) {
	case anchor.KindInvalid, anchor.KindTooLarge:
		return exitUsage
	case anchor.KindNotFound:
		return exitNotFound
	case anchor.KindUnauthorized, anchor.KindForbidden, anchor.KindBusy:
		return exitNoServer
	}
	return exitFailed
}

// failure is an error in the form of --json.
type failure struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

func failureOf(err error) failure {
	var usage *usageError
	var gone *client.Unreachable
	var e *anchor.Error
	switch {
	case errors.Is(err, context.Canceled):
		return failure{Code: "canceled", Message: "canceled"}
	case errors.As(err, &usage):
		return failure{Code: "usage", Message: err.Error(), Hint: usage.hint()}
	case errors.As(err, &e):
		f := failure{Code: e.Code, Message: err.Error(), Hint: e.Hint}
		if f.Code == "" {
			f.Code = string(e.Kind)
		}
		return f
	case errors.As(err, &gone):
		return failure{Code: "unreachable", Message: err.Error(), Hint: cmp.Or(gone.Hint, "Start the server with anchor up, or set ANCHOR_URL to the URL of a running one.")}
	}
	return failure{Code: "failed", Message: err.Error()}
}

// reportError prints err once: as a document on stdout with --json, else as text on stderr.
func (s *shell) reportError(err error) {
	f := failureOf(err)
	if s.json {
		_ = s.printDocument(map[string]failure{"error": f}) // nobody is left to report to
		return
	}
	fmt.Fprintf(s.Err, "%s %s\n", s.paintText(red, "error:"), escapeControls(f.Message))
	for line := range strings.Lines(escapeControls(f.Hint)) {
		fmt.Fprintf(s.Err, "  %s\n", strings.TrimRight(line, "\n"))
	}
}
