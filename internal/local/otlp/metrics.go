package otlp

import (
	"context"
	"math"
	"time"

	dto "github.com/prometheus/client_model/go"
	"go.opentelemetry.io/otel/attribute"
	collector "go.opentelemetry.io/proto/slim/otlp/collector/metrics/v1"
	common "go.opentelemetry.io/proto/slim/otlp/common/v1"
	metrics "go.opentelemetry.io/proto/slim/otlp/metrics/v1"
	resource "go.opentelemetry.io/proto/slim/otlp/resource/v1"

	"github.com/anchor-deploy/anchor/internal/retry"
)

// Metrics sends what a registry of Prometheus has gathered at a time, as
// https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/ translates it. Counters count from start.
func (c Client) Metrics(ctx context.Context, of []attribute.KeyValue, families []*dto.MetricFamily, start, at time.Time) error {
	scope := &metrics.ScopeMetrics{Scope: &common.InstrumentationScope{Name: "anchor"}}
	t := times{nanoseconds(start), nanoseconds(at)}
	for _, f := range families {
		if m := t.encode(f); m != nil {
			scope.Metrics = append(scope.Metrics, m)
		}
	}
	all := &metrics.ResourceMetrics{Resource: &resource.Resource{Attributes: attributesOf(of)}, ScopeMetrics: []*metrics.ScopeMetrics{scope}}
	return retry.Do(ctx, retries, func() error {
		_, err := c.post(ctx, &collector.ExportMetricsServiceRequest{ResourceMetrics: []*metrics.ResourceMetrics{all}})
		return err
	})
}

// times are the beginning and the end of what a point counts, in Unix nanoseconds.
type times struct{ start, at uint64 }

const cumulative = metrics.AggregationTemporality_AGGREGATION_TEMPORALITY_CUMULATIVE

// encode returns nil for a family of a type that Anchor has none of.
func (t times) encode(f *dto.MetricFamily) *metrics.Metric {
	m := &metrics.Metric{Name: f.GetName(), Description: f.GetHelp()}
	switch f.GetType() {
	case dto.MetricType_COUNTER:
		sum := &metrics.Sum{IsMonotonic: true, AggregationTemporality: cumulative}
		for _, one := range f.Metric {
			sum.DataPoints = append(sum.DataPoints, t.number(one, one.GetCounter().GetValue()))
		}
		m.Data = &metrics.Metric_Sum{Sum: sum}
	case dto.MetricType_GAUGE:
		gauge := &metrics.Gauge{}
		for _, one := range f.Metric {
			gauge.DataPoints = append(gauge.DataPoints, t.number(one, one.GetGauge().GetValue()))
		}
		m.Data = &metrics.Metric_Gauge{Gauge: gauge}
	case dto.MetricType_HISTOGRAM:
		histogram := &metrics.Histogram{AggregationTemporality: cumulative}
		for _, one := range f.Metric {
			histogram.DataPoints = append(histogram.DataPoints, t.histogram(one))
		}
		m.Data = &metrics.Metric_Histogram{Histogram: histogram}
	case dto.MetricType_SUMMARY:
		summary := &metrics.Summary{}
		for _, one := range f.Metric {
			summary.DataPoints = append(summary.DataPoints, t.summary(one))
		}
		m.Data = &metrics.Metric_Summary{Summary: summary}
	default:
		return nil
	}
	return m
}

func labelsOf(m *dto.Metric) []*common.KeyValue {
	out := make([]*common.KeyValue, len(m.Label))
	for i, l := range m.Label {
		out[i] = newAttribute(l.GetName(), l.GetValue())
	}
	return out
}

func (t times) number(m *dto.Metric, value float64) *metrics.NumberDataPoint {
	return &metrics.NumberDataPoint{
		Attributes: labelsOf(m), StartTimeUnixNano: t.start, TimeUnixNano: t.at, Value: &metrics.NumberDataPoint_AsDouble{AsDouble: value},
	}
}

// histogram encodes buckets, of which OTLP wants what each holds, and Prometheus has what it and those below it hold.
func (t times) histogram(m *dto.Metric) *metrics.HistogramDataPoint {
	h := m.GetHistogram()
	sum := h.GetSampleSum()
	p := &metrics.HistogramDataPoint{Attributes: labelsOf(m), StartTimeUnixNano: t.start, TimeUnixNano: t.at, Count: h.GetSampleCount(), Sum: &sum}
	below := uint64(0)
	for _, b := range h.Bucket {
		if math.IsInf(b.GetUpperBound(), 1) {
			continue
		}
		p.ExplicitBounds = append(p.ExplicitBounds, b.GetUpperBound())
		p.BucketCounts = append(p.BucketCounts, b.GetCumulativeCount()-below)
		below = b.GetCumulativeCount()
	}
	p.BucketCounts = append(p.BucketCounts, h.GetSampleCount()-below)
	return p
}

func (t times) summary(m *dto.Metric) *metrics.SummaryDataPoint {
	s := m.GetSummary()
	p := &metrics.SummaryDataPoint{Attributes: labelsOf(m), StartTimeUnixNano: t.start, TimeUnixNano: t.at, Count: s.GetSampleCount(), Sum: s.GetSampleSum()}
	for _, q := range s.Quantile {
		p.QuantileValues = append(p.QuantileValues, &metrics.SummaryDataPoint_ValueAtQuantile{Quantile: q.GetQuantile(), Value: q.GetValue()})
	}
	return p
}
