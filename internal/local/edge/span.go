package edge

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	oteltrace "go.opentelemetry.io/otel/trace"

	"github.com/anchor-deploy/anchor/internal/local/edge/meter"
)

// beginTrace passes the trace of a request on to the function and returns its id. With a Tracer it begins a span of the edge, which becomes
// the parent of what the function does.
func (e *Edge) beginTrace(m *measured, h http.Header) (string, oteltrace.Span) {
	if e.cfg.Tracer == nil || m == nil {
		return continueTrace(h), nil
	}
	_, span := e.cfg.Tracer.Start(e.parentOf(m, h), methodName(m.r.Method), oteltrace.WithSpanKind(oteltrace.SpanKindServer), oteltrace.WithTimestamp(m.began))
	delete(h, headerTraceState)
	propagation.TraceContext{}.Inject(oteltrace.ContextWithSpan(context.Background(), span), propagation.HeaderCarrier(h))
	return span.SpanContext().TraceID().String(), span
}

// parentOf returns a context with the trace that a request belongs to, if it names one.
func (e *Edge) parentOf(m *measured, h http.Header) context.Context {
	ctx := context.Background()
	if traceID(h[headerTrace]) == "" {
		return ctx
	}
	parent := oteltrace.SpanContextFromContext(propagation.TraceContext{}.Extract(ctx, propagation.HeaderCarrier(h)))
	if !e.trustsPeer(peerAddress(m.r.RemoteAddr)) { // visitors do not decide what is recorded
		parent = parent.WithTraceFlags(parent.TraceFlags().WithSampled(false))
	}
	return oteltrace.ContextWithRemoteSpanContext(ctx, parent)
}

// methodName returns a method that the semantic conventions for HTTP know, and HTTP for others, which clients may invent.
func methodName(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}
	return "HTTP"
}

// endSpan completes the span of a request that a function has answered; the others are left out. Names are those of the semantic
// conventions for HTTP server spans.
func (m *measured) endSpan(function string, o meter.Outcome) {
	if m.span == nil || !m.span.IsRecording() || o != meter.Dynamic && o != meter.Miss {
		return
	}
	method := methodName(m.r.Method)
	m.span.SetName(method + " " + function)
	m.span.SetAttributes(
		attribute.String("http.request.method", method), attribute.String("url.path", m.r.URL.EscapedPath()), attribute.String("url.scheme", m.edge.schemeOf(m.r)),
		attribute.String("server.address", m.r.Host), attribute.Int("http.response.status_code", m.status), attribute.Int64("http.response.body.size", m.octets),
		attribute.String("user_agent.original", m.r.UserAgent()), attribute.String("network.protocol.name", "http"),
		attribute.String("anchor.function", function), attribute.String("anchor.cache", o.String()), attribute.String("anchor.request_id", m.requestID),
	)
	if m.site != nil {
		m.span.SetAttributes(attribute.String("anchor.project", m.site.Slug), attribute.String("anchor.deployment", m.site.ID))
	}
	if m.status >= 500 {
		m.span.SetStatus(codes.Error, "")
	}
	m.span.End(oteltrace.WithTimestamp(m.began.Add(m.took)))
}

func (e *Edge) schemeOf(r *http.Request) string {
	if e.isSecure(r) {
		return "https"
	}
	return "http"
}
