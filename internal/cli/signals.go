package cli

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// echo is the time in which a signal of the same kind counts as the same one: wrappers such as make and timeout pass on
// what the terminal or the service manager has sent to this process already.
const echo = 300 * time.Millisecond

// interruptContext returns a context that ends with the first signal that asks the process to end: Ctrl-C, SIGTERM, or the
// SIGHUP of a terminal that is closed. The next one after that ends the process at once. SIGQUIT keeps Go's meaning, the
// stacks of all goroutines and the end.
func interruptContext() context.Context {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // as under nohup
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	context.AfterFunc(ctx, func() { time.AfterFunc(echo, stop) })
	return ctx
}

// surviveClosedPipes keeps a write to a closed pipe from ending the process. A server whose log
// is piped to another program keeps serving, and drains after Ctrl-C, which ends that program
// first. The signal is received, not ignored, because child processes would inherit that.
func surviveClosedPipes() {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
}
