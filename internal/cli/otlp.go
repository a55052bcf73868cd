package cli

import (
	"net/http"

	"github.com/spf13/cobra"

	"github.com/anchor-deploy/anchor/internal/local/server"
)

// addOTLPFlags adds the flags of anchor up about the export of telemetry, and returns what reads them.
func addOTLPFlags(cmd *cobra.Command) func(*server.OTLP) error {
	var endpoint, headersFile string
	var sample float64
	flags := cmd.Flags()
	flags.StringVar(&endpoint, "otlp-endpoint", "", "URL of an OTLP/HTTP collector for logs, traces and metrics (default: $OTEL_EXPORTER_OTLP_ENDPOINT)")
	flags.StringVar(&headersFile, "otlp-headers-file", "", "file with headers for it, NAME: VALUE in each line")
	flags.Float64Var(&sample, "trace-sample", 0.1, "share of the requests to functions to trace, from 0 to 1")
	return func(o *server.OTLP) error {
		if !(sample >= 0 && sample <= 1) {
			return usagef("--trace-sample is %v; it must be from 0 to 1", sample)
		}
		o.Endpoint = endpoint
		if flags.Changed("trace-sample") { // else OTEL_TRACES_SAMPLER may say otherwise
			o.Sample = sample
			if sample == 0 {
				o.Sample = -1 // the zero value is the default
			}
		}
		if headersFile == "" {
			return nil
		}
		headers, err := readHeaders(headersFile)
		o.Header = http.Header{}
		for name, value := range headers {
			o.Header.Set(name, value)
		}
		return err
	}
}
