package otlp

import (
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdkresource "go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	slimlogs "go.opentelemetry.io/proto/slim/otlp/collector/logs/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/testleak"
)

func TestMain(m *testing.M) { testleak.Main(m) }

// collect is a collector that answers with answer.
func collect(t *testing.T, answer []byte) (Client, <-chan []byte) {
	got := make(chan []byte, 10)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		z, err := gzip.NewReader(r.Body)
		if err != nil || r.Header.Get("Content-Type") != "application/x-protobuf" || r.Header.Get("X-Key") != "k" {
			t.Errorf("%v %v", err, r.Header)
			return
		}
		body, _ := io.ReadAll(z)
		got <- body
		w.Write(answer)
	}))
	t.Cleanup(s.Close)
	return Client{URL: s.URL + "/v1/x", Header: http.Header{"X-Key": {"k"}}}, got
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestLogs_ReportsWhatTheCollectorRefused(t *testing.T) {
	answer, err := proto.Marshal(&slimlogs.ExportLogsServiceResponse{PartialSuccess: &slimlogs.ExportLogsPartialSuccess{RejectedLogRecords: 2, ErrorMessage: "too old"}})
	must(t, err)
	c, _ := collect(t, answer)
	refused, reason, err := c.Logs(t.Context(), []Log{{Service: "shop", Text: "x"}})
	if refused != 2 || reason != "too old" || err != nil {
		t.Errorf("%d %q %v", refused, reason, err)
	}
}

func TestSpans_AreWhatTheSDKMade(t *testing.T) {
	c, got := collect(t, nil)
	provider := sdk.NewTracerProvider(sdk.WithSyncer(&Spans{c, slog.New(slog.DiscardHandler)}),
		sdk.WithResource(sdkresource.NewSchemaless(attribute.String("service.name", "anchor"))))
	ctx, parent := provider.Tracer("anchor").Start(t.Context(), "GET default", trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(time.Unix(1, 2)))
	_, child := provider.Tracer("anchor").Start(ctx, "render")
	child.End()
	parent.SetAttributes(attribute.Int("http.response.status_code", 500), attribute.String("url.path", "/cart"))
	parent.SetStatus(codes.Error, "")
	parent.End(trace.WithTimestamp(time.Unix(1, 5)))
	var inner, outer tracepb.TracesData // has the fields of an ExportTraceServiceRequest
	must(t, proto.Unmarshal(<-got, &inner))
	must(t, proto.Unmarshal(<-got, &outer))
	in, out := inner.ResourceSpans[0].ScopeSpans[0].Spans[0], outer.ResourceSpans[0].ScopeSpans[0].Spans[0]
	if service := outer.ResourceSpans[0].Resource.Attributes[0]; service.Key != "service.name" || service.Value.GetStringValue() != "anchor" {
		t.Errorf("%v", service)
	}
	if !slices.Equal(in.ParentSpanId, out.SpanId) || !slices.Equal(in.TraceId, out.TraceId) || len(out.ParentSpanId) != 0 || len(out.TraceId) != 16 {
		t.Errorf("%v is not the parent of %v", out, in)
	}
	if out.Name != "GET default" || out.Kind != tracepb.Span_SPAN_KIND_SERVER || in.Kind != tracepb.Span_SPAN_KIND_INTERNAL || out.StartTimeUnixNano != 1e9+2 || out.EndTimeUnixNano != 1e9+5 ||
		out.Status.Code != tracepb.Status_STATUS_CODE_ERROR || out.Attributes[0].Value.GetIntValue() != 500 || out.Attributes[1].Value.GetStringValue() != "/cart" {
		t.Errorf("%v", out)
	}
	must(t, provider.Shutdown(context.Background()))
}

func TestMetrics_OfAllTypes(t *testing.T) {
	c, got := collect(t, nil)
	r := prometheus.NewRegistry()
	counter := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "visits_total", Help: "Visits."}, []string{"project"})
	gauge := prometheus.NewGauge(prometheus.GaugeOpts{Name: "workers"})
	histogram := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "seconds", Buckets: []float64{1, 2}})
	summary := prometheus.NewSummary(prometheus.SummaryOpts{Name: "pauses"})
	r.MustRegister(counter, gauge, histogram, summary)
	counter.WithLabelValues("shop").Add(3)
	gauge.Set(4)
	for _, v := range []float64{0.5, 1.5, 1.6, 9} {
		histogram.Observe(v)
		summary.Observe(v)
	}
	families, err := r.Gather()
	must(t, err)
	must(t, c.Metrics(t.Context(), []attribute.KeyValue{attribute.String("service.name", "anchor")}, families, time.Unix(1, 0), time.Unix(2, 0)))
	var m metricspb.MetricsData // has the fields of an ExportMetricsServiceRequest
	must(t, proto.Unmarshal(<-got, &m))
	of := map[string]*metricspb.Metric{}
	for _, one := range m.ResourceMetrics[0].ScopeMetrics[0].Metrics {
		of[one.Name] = one
	}
	sum := of["visits_total"].GetSum()
	if p := sum.DataPoints[0]; !sum.IsMonotonic || sum.AggregationTemporality != metricspb.AggregationTemporality_AGGREGATION_TEMPORALITY_CUMULATIVE || p.GetAsDouble() != 3 ||
		p.StartTimeUnixNano != 1e9 || p.TimeUnixNano != 2e9 || p.Attributes[0].Key != "project" || p.Attributes[0].Value.GetStringValue() != "shop" {
		t.Errorf("%v", sum)
	}
	if p := of["workers"].GetGauge().DataPoints[0]; p.GetAsDouble() != 4 {
		t.Errorf("%v", p)
	}
	h := of["seconds"].GetHistogram().DataPoints[0]
	if !slices.Equal(h.BucketCounts, []uint64{1, 2, 1}) || !slices.Equal(h.ExplicitBounds, []float64{1, 2}) || h.Count != 4 || h.GetSum() != 12.6 {
		t.Errorf("%v", h)
	}
	if p := of["pauses"].GetSummary().DataPoints[0]; p.Count != 4 || p.Sum != 12.6 {
		t.Errorf("%v", p)
	}
}

func TestConfigure_ReadsTheStandardVariables(t *testing.T) {
	const base = "http://collector:4318"
	for what, c := range map[string]struct {
		endpoint              string
		env                   string
		traces, metrics, logs string
	}{
		"nothing":            {"", "", "", "", ""},
		"the flag":           {base + "/x/", "OTEL_EXPORTER_OTLP_ENDPOINT=http://other OTEL_EXPORTER_OTLP_PROTOCOL=grpc", base + "/x/v1/traces", base + "/x/v1/metrics", base + "/x/v1/logs"},
		"the variable":       {"", "OTEL_EXPORTER_OTLP_ENDPOINT=" + base, base + "/v1/traces", base + "/v1/metrics", base + "/v1/logs"},
		"one signal":         {"", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=" + base + "/only", base + "/only", "", ""},
		"one signal differs": {"", "OTEL_EXPORTER_OTLP_ENDPOINT=" + base + " OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=http://logs/in", base + "/v1/traces", base + "/v1/metrics", "http://logs/in"},
		"one signal is off":  {base, "OTEL_METRICS_EXPORTER=none OTEL_LOGS_EXPORTER=otlp", base + "/v1/traces", "", base + "/v1/logs"},
		"all is off":         {base, "OTEL_SDK_DISABLED=true", "", "", ""},
	} {
		got, err := Configure(c.endpoint, nil, variables(c.env))
		if err != nil || got.Traces.URL != c.traces || got.Metrics.URL != c.metrics || got.Logs.URL != c.logs {
			t.Errorf("%s: %+v, %v", what, got, err)
		}
	}
	env := variables("OTEL_EXPORTER_OTLP_HEADERS=a=b%20c,d=e OTEL_EXPORTER_OTLP_LOGS_HEADERS=f=g OTEL_METRIC_EXPORT_INTERVAL=5000")
	got, err := Configure(base, nil, env)
	must(t, err)
	if got.Traces.Header.Get("A") != "b c" || got.Traces.Header.Get("D") != "e" || got.Logs.Header.Get("F") != "g" || got.Logs.Header.Get("A") != "" || got.Interval != 5*time.Second {
		t.Errorf("%+v", got)
	}
	if got, err = Configure(base, http.Header{"X": {"y"}}, env); err != nil || got.Traces.Header.Get("A") != "" || got.Traces.Header.Get("X") != "y" {
		t.Errorf("%+v, %v", got, err)
	}
	for _, bad := range []string{"OTEL_EXPORTER_OTLP_ENDPOINT=collector:4318", "OTEL_EXPORTER_OTLP_ENDPOINT=http://c OTEL_EXPORTER_OTLP_PROTOCOL=grpc", "OTEL_TRACES_EXPORTER=zipkin",
		"OTEL_EXPORTER_OTLP_ENDPOINT=http://c OTEL_EXPORTER_OTLP_HEADERS=secret", "OTEL_METRIC_EXPORT_INTERVAL=x"} {
		if _, err := Configure("", nil, variables(bad)); anchor.CodeOf(err) != "bad_otlp" || anchor.HintOf(err) == "" || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// TestConfigure_TrustsTheNamedCA: a collector with a certificate of its own asks for one of the client, too.
func TestConfigure_TrustsTheNamedCA(t *testing.T) {
	collector := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	collector.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	collector.Config.ErrorLog = log.New(io.Discard, "", 0) // of the handshakes that fail
	collector.StartTLS()
	defer collector.Close()
	key, err := x509.MarshalPKCS8PrivateKey(collector.TLS.Certificates[0].PrivateKey)
	must(t, err)
	dir := t.TempDir()
	cert, keyFile, none := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), filepath.Join(dir, "none.pem")
	must(t, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: collector.Certificate().Raw}), 0o600))
	must(t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), 0o600))
	must(t, os.WriteFile(none, nil, 0o600))
	ca, pair := "OTEL_EXPORTER_OTLP_CERTIFICATE="+cert, " OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE="+cert+" OTEL_EXPORTER_OTLP_CLIENT_KEY="+keyFile
	for env, works := range map[string]bool{ca + pair: true, ca: false, strings.TrimSpace(pair): false, "": false} {
		c, err := Configure(collector.URL, nil, variables(env))
		must(t, err)
		_, err = c.Traces.post(t.Context(), &emptypb.Empty{})
		if (err == nil) != works {
			t.Errorf("%q: %v", env, err)
		}
		if c.Traces.By.HTTP != nil {
			c.Traces.By.HTTP.CloseIdleConnections()
		}
	}
	c, err := Configure(collector.URL, nil, variables("OTEL_EXPORTER_OTLP_TIMEOUT=2000 OTEL_EXPORTER_OTLP_LOGS_TIMEOUT=300"))
	if err != nil || c.Traces.By.Timeout != 2*time.Second || c.Logs.By.Timeout != 300*time.Millisecond {
		t.Errorf("%+v, %v", c, err)
	}
	for _, bad := range []string{"OTEL_EXPORTER_OTLP_TIMEOUT=soon", "OTEL_EXPORTER_OTLP_CERTIFICATE=" + none, "OTEL_EXPORTER_OTLP_CERTIFICATE=" + dir, "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE=" + cert} {
		if _, err := Configure(collector.URL, nil, variables(bad)); anchor.CodeOf(err) != "bad_otlp" || anchor.HintOf(err) == "" {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func variables(text string) func(string) string {
	all := map[string]string{}
	for pair := range strings.FieldsSeq(text) {
		name, value, _ := strings.Cut(pair, "=")
		all[name] = value
	}
	return func(name string) string { return all[name] }
}
