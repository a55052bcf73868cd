package server

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"os"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/local/otlp"
)

// OTLP configures the export of logs, spans and metrics. The variables of OpenTelemetry (OTEL_…) stand in for fields that are zero.
type OTLP struct {
	Endpoint string // URL below which a collector takes v1/traces, v1/metrics and v1/logs
	Header   http.Header
	// Sample is the share of the requests to functions that have a span, 0.1 unless OTEL_TRACES_SAMPLER says otherwise; negative: none.
	Sample float64
}

// defaultSample is the default of OTLP.Sample.
const defaultSample = 0.1

// telemetry is what is exported.
type telemetry struct {
	otlp.Config
	of     []attribute.KeyValue // of the server, by the semantic conventions for resources
	tracer trace.Tracer         // nil for none
}

func (a *app) openTelemetry(ctx context.Context) (err error) {
	t := &a.telemetry
	if t.Config, err = otlp.Configure(a.OTLP.Endpoint, a.OTLP.Header, os.Getenv); err != nil {
		return err
	}
	if t.Traces.URL == "" && t.Metrics.URL == "" {
		return nil
	}
	of, err := resource.New(ctx, resource.WithHost(),
		resource.WithAttributes(attribute.String("service.name", "anchor"), attribute.String("service.version", a.Version)), resource.WithFromEnv())
	if err != nil && !errors.Is(err, resource.ErrPartialResource) {
		return anchor.Invalid("bad_otlp", "the variable OTEL_RESOURCE_ATTRIBUTES cannot be read").Hintf("Set NAME=VALUE,NAME=VALUE.").Because(err)
	}
	t.of = of.Attributes()
	if t.Traces.URL != "" && a.OTLP.Sample >= 0 {
		a.openTracer(of)
	}
	return nil
}

func (a *app) openTracer(of *resource.Resource) {
	options := []sdk.TracerProviderOption{sdk.WithResource(of), sdk.WithBatcher(&otlp.Spans{Client: a.telemetry.Traces, Log: a.Log})}
	if share := a.OTLP.Sample; share > 0 || os.Getenv("OTEL_TRACES_SAMPLER") == "" {
		if share == 0 {
			share = defaultSample
		}
		options = append(options, sdk.WithSampler(sdk.ParentBased(chance(share), sdk.WithRemoteParentNotSampled(chance(share)))))
	}
	provider := sdk.NewTracerProvider(options...)
	a.onClose(func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		return provider.Shutdown(ctx)
	})
	a.telemetry.tracer = provider.Tracer("anchor")
}

// chance samples a share of the traces, whatever their ids are: visitors may choose those.
type chance float64

// ShouldSample implements sdk.Sampler.
func (c chance) ShouldSample(p sdk.SamplingParameters) sdk.SamplingResult {
	r := sdk.SamplingResult{Decision: sdk.Drop, Tracestate: trace.SpanContextFromContext(p.ParentContext).TraceState()}
	if rand.Float64() < float64(c) {
		r.Decision = sdk.RecordAndSample
	}
	return r
}

// Description implements sdk.Sampler.
func (chance) Description() string { return "chance" }

// exportMetrics sends the metrics until ctx ends, and once more then.
func (a *app) exportMetrics(ctx context.Context) {
	t := &a.telemetry
	if t.Metrics.URL == "" {
		return
	}
	tick := time.NewTicker(t.Interval)
	defer tick.Stop()
	for failing := false; ; {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			_ = a.exportOnce(last) // the server stops
			return
		case <-tick.C:
		}
		err := a.exportOnce(ctx)
		if err != nil && !failing && ctx.Err() == nil {
			a.Log.Warn("metrics could not be exported", "error", err)
		}
		failing = err != nil
	}
}

func (a *app) exportOnce(ctx context.Context) error {
	families, err := a.metrics.Gather() // with what could be gathered, also after an error
	return errors.Join(err, a.telemetry.Metrics.Metrics(ctx, a.telemetry.of, families, a.started, time.Now()))
}
