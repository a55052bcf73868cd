package otlp

import (
	"context"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	collector "go.opentelemetry.io/proto/slim/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/slim/otlp/common/v1"
	resource "go.opentelemetry.io/proto/slim/otlp/resource/v1"
	trace "go.opentelemetry.io/proto/slim/otlp/trace/v1"

	"github.com/anchor-deploy/anchor/internal/retry"
)

// retries is the policy for spans and metrics: what a collector does not take within some seconds is not worth the memory.
var retries = retry.Policy{First: 500 * time.Millisecond, Longest: 5 * time.Second, Calls: 4}

// Spans is an exporter for a TracerProvider of opentelemetry-go, whose spans have one resource. It reports failures to the log.
type Spans struct {
	Client
	Log *slog.Logger
}

// ExportSpans implements sdk.SpanExporter.
func (s *Spans) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	if len(spans) == 0 {
		return nil
	}
	scope := &trace.ScopeSpans{Scope: &common.InstrumentationScope{Name: spans[0].InstrumentationScope().Name}}
	for _, one := range spans {
		scope.Spans = append(scope.Spans, encodeSpan(one))
	}
	all := &trace.ResourceSpans{Resource: &resource.Resource{Attributes: attributesOf(spans[0].Resource().Attributes())}, ScopeSpans: []*trace.ScopeSpans{scope}}
	err := retry.Do(ctx, retries, func() error {
		_, err := s.post(ctx, &collector.ExportTraceServiceRequest{ResourceSpans: []*trace.ResourceSpans{all}})
		return err
	})
	if err != nil {
		s.Log.Warn("spans could not be exported", "spans", len(spans), "error", err)
	}
	return nil
}

// Shutdown implements sdk.SpanExporter.
func (*Spans) Shutdown(context.Context) error { return nil }

func encodeSpan(s sdk.ReadOnlySpan) *trace.Span {
	id, traceID, parent := s.SpanContext().SpanID(), s.SpanContext().TraceID(), s.Parent()
	out := &trace.Span{
		TraceId: traceID[:], SpanId: id[:], TraceState: s.SpanContext().TraceState().String(), Flags: uint32(s.SpanContext().TraceFlags()),
		Name: s.Name(), Kind: trace.Span_SpanKind(s.SpanKind()), // the numbers are the same
		StartTimeUnixNano: nanoseconds(s.StartTime()), EndTimeUnixNano: nanoseconds(s.EndTime()),
		Attributes: attributesOf(s.Attributes()), DroppedAttributesCount: uint32(max(0, s.DroppedAttributes())), Status: &trace.Status{},
	}
	if parent.HasSpanID() {
		id := parent.SpanID()
		out.ParentSpanId = id[:]
	}
	if s.Status().Code == codes.Error {
		out.Status = &trace.Status{Code: trace.Status_STATUS_CODE_ERROR, Message: s.Status().Description}
	}
	return out
}

func attributesOf(all []attribute.KeyValue) []*common.KeyValue {
	out := make([]*common.KeyValue, len(all))
	for i, a := range all {
		out[i] = newAttribute(string(a.Key), a.Value.AsInterface())
	}
	return out
}
