// Package metrics describes a running server in numbers for Prometheus. The labels are bounded: what visitors choose, such as a path or an unknown host, is never one, and
// the series of a removed deployment leave with it.
package metrics

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/anchor-deploy/anchor/internal/local/edge"
	"github.com/anchor-deploy/anchor/internal/local/edge/cache"
	"github.com/anchor-deploy/anchor/internal/local/worker"
)

// Sources are asked at each scrape. Those whose comment does not say what nil means are required.
type Sources struct {
	Version string
	Edge    func() edge.Measures
	Workers func() []Worker
	// Pages returns the usage of the cache of answers; nil without one.
	Pages        func() cache.Usage
	Builds       func() (running, waiting int)
	Certificates func() []Certificate
	// Records returns what the records hold.
	Records func(ctx context.Context) (Records, error)
	// Drained returns the log lines that drains have sent, and lost.
	Drained func() (sent, dropped int64)
	// FreeBytes returns the free space of the disk that holds the data folder.
	FreeBytes func() (uint64, error)
}

// Worker describes the processes of a function that has had some.
type Worker struct {
	Deployment, Slug, Function string
	worker.Stats
	worker.Usage
}

// Certificate is the certificate of a name.
type Certificate struct {
	Name    string
	Expires time.Time
}

// Records count what is recorded.
type Records struct {
	Projects    int64
	Deployments map[string]int64 // by status
	Bytes       int64            // of the database
}

const (
	// scrapeTime bounds the queries of a scrape.
	scrapeTime = 5 * time.Second
	// scrapes is how many scrapes are answered at a time.
	scrapes = 4
)

// Registry returns what gathers the metrics.
func Registry(s Sources) *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		&collector{s},
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return registry
}

// Handler returns the handler of GET /metrics. It answers in the format that Accept asks for, that of
// Prometheus or OpenMetrics.
func Handler(registry *prometheus.Registry, log *slog.Logger) http.Handler {
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		EnableOpenMetrics: true, MaxRequestsInFlight: scrapes, ErrorHandling: promhttp.ContinueOnError, ErrorLog: errorLog{log},
	})
}

// errorLog is a promhttp.Logger.
type errorLog struct{ *slog.Logger }

func (l errorLog) Println(v ...any) {
	l.Warn("a part of the metrics is missing", "error", fmt.Sprint(v...))
}

// collector is a prometheus.Collector.
type collector struct{ Sources }

// Describe implements prometheus.Collector. It describes nothing: then the registry checks what each
// scrape returns.
func (*collector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	info.send(out, 1, c.Version)
	m := c.Edge()
	c.collectEdge(out, &m)
	for i := range m.Sites {
		collectTraffic(out, &m.Sites[i])
	}
	collectTraffic(out, &edge.SiteMeasures{Samples: m.Elsewhere})
	for _, w := range c.Workers() {
		collectWorker(out, w)
	}
	c.collectServer(out)
}

// family is a metric with its labels.
type family struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
}

func counter(name, help string, labels ...string) family {
	return family{prometheus.NewDesc(name, help, labels, nil), prometheus.CounterValue}
}

func gauge(name, help string, labels ...string) family {
	return family{prometheus.NewDesc(name, help, labels, nil), prometheus.GaugeValue}
}

func (f family) send(out chan<- prometheus.Metric, value float64, labels ...string) {
	m, err := prometheus.NewConstMetric(f.desc, f.kind, value, labels...)
	if err != nil { // a label that is not UTF-8
		m = prometheus.NewInvalidMetric(f.desc, err)
	}
	out <- m
}
