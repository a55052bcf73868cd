package cli

import (
	"github.com/spf13/cobra"

	"github.com/anchor-deploy/anchor/internal/local/server"
)

// addLogFlags adds the flags of anchor up about the access log and timing.
func addLogFlags(cmd *cobra.Command, o *server.Config) {
	flags := cmd.Flags()
	flags.StringVar(&o.AccessLog.Path, "access-log", "", "file to write a JSON line to for each request, or - for stdout (default: none)")
	flags.Float64Var(&o.AccessLog.Sample, "access-log-sample", 1, "share of the requests to log, from 0 to 1")
	flags.Int64Var(&o.AccessLog.MaxBytes, "access-log-mib", 64, "size at which the access log is rotated, in MiB")
	flags.IntVar(&o.AccessLog.Keep, "access-log-keep", 5, "number of rotated access logs to keep")
	flags.Int64Var(&o.AppLogMiB, "app-log-mib", 128, "disk space for the log of each project's app, in MiB")
	flags.BoolVar(&o.ServerTiming, "server-timing", false, "show visitors in Server-Timing how long functions took")
}

// checkLogFlags refuses values out of range. It converts MiB to bytes, and a share of 0 to the value for none.
func checkLogFlags(o *server.Config) error {
	l := &o.AccessLog
	if !(l.Sample >= 0 && l.Sample <= 1) {
		return usagef("--access-log-sample is %v; it must be from 0 to 1", l.Sample)
	}
	if l.MaxBytes < 1 || l.MaxBytes > 1<<20 {
		return usagef("--access-log-mib is %d; it must be from 1 to 2^20", l.MaxBytes)
	}
	if l.Keep < 1 || l.Keep > 1000 {
		return usagef("--access-log-keep is %d; it must be from 1 to 1000", l.Keep)
	}
	if o.AppLogMiB < 32 || o.AppLogMiB > 1<<20 {
		return usagef("--app-log-mib is %d; it must be from 32 to 2^20", o.AppLogMiB)
	}
	l.MaxBytes <<= 20
	if l.Sample == 0 {
		l.Sample = -1 // the zero value is the default
	}
	return nil
}
