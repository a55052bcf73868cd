package metrics

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/anchor-deploy/anchor/internal/local/edge"
	"github.com/anchor-deploy/anchor/internal/local/edge/cache"
	"github.com/anchor-deploy/anchor/internal/local/edge/meter"
	"github.com/anchor-deploy/anchor/internal/local/worker"
)

func sources(e *edge.Edge) Sources {
	return Sources{
		Version: "v1", Edge: e.Measure,
		Workers: func() []Worker {
			w := Worker{Deployment: "d1", Slug: "shop", Function: "default"}
			w.Stats = worker.Stats{Processes: 2, RSS: 100 << 20, Restarts: 3}
			w.Usage = worker.Usage{CPU: 1500 * time.Millisecond, DelayP99: 20 * time.Millisecond, Collecting: time.Second, Collections: 7}
			return []Worker{w}
		},
		Pages:  func() cache.Usage { return cache.Usage{Bytes: 1} },
		Builds: func() (int, int) { return 1, 2 },
		Certificates: func() (all []Certificate) {
			for n := range 1000 {
				all = append(all, Certificate{fmt.Sprintf("%d.example.com", n), time.Unix(int64(n), 0)})
			}
			return all
		},
		Records: func(context.Context) (Records, error) {
			return Records{Projects: 4, Deployments: map[string]int64{"deployed": 5}, Bytes: 6}, nil
		},
		FreeBytes: func() (uint64, error) { return 1 << 30, nil },
		Drained:   func() (int64, int64) { return 8, 9 },
	}
}

func scrape(t *testing.T, s Sources, accept string) (text string, status int) {
	t.Helper()
	r := httptest.NewRequest("GET", "/metrics", nil)
	r.Header.Set("Accept", accept)
	w := httptest.NewRecorder()
	Handler(Registry(s), slog.New(slog.DiscardHandler)).ServeHTTP(w, r)
	body, err := io.ReadAll(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body), w.Code
}

func TestHandler_BothFormats(t *testing.T) {
	s := sources(edge.New(edge.Config{}))
	text, status := scrape(t, s, "text/plain")
	if status != http.StatusOK {
		t.Fatal(status, text)
	}
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "anchor_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
	for _, line := range []string{
		`anchor_info{version="v1"} 1`, `anchor_worker_cpu_seconds_total{deployment="d1",function="default",project="shop"} 1.5`,
		`anchor_worker_event_loop_delay_seconds{deployment="d1",function="default",project="shop",statistic="p99"} 0.02`,
		`anchor_worker_memory_bytes{deployment="d1",function="default",project="shop"} 1.048576e+08`,
		`anchor_worker_restarts_total{deployment="d1",function="default",project="shop"} 3`,
		`anchor_worker_gc_seconds_total{deployment="d1",function="default",project="shop"} 1`, `anchor_drain_lines_total{result="dropped"} 9`,
		`anchor_builds{state="waiting"} 2`, `anchor_certificates 1000`, `anchor_certificate_expiry_timestamp_seconds{name="0.example.com"} 0`,
		`anchor_deployments{status="deployed"} 5`, "go_goroutines ",
	} {
		if !strings.Contains(text, line) {
			t.Errorf("without %s", line)
		}
	}
	if n := strings.Count(text, "anchor_certificate_expiry_timestamp_seconds{"); n != mostNames {
		t.Errorf("%d names", n)
	}
	open, _ := scrape(t, s, "application/openmetrics-text; version=1.0.0")
	if !strings.HasSuffix(open, "# EOF\n") || !strings.Contains(open, "# TYPE anchor_worker_starts counter") {
		t.Errorf("no OpenMetrics: %.300s", open)
	}
}

func TestHandler_ReportsWhatItCan(t *testing.T) {
	s := sources(edge.New(edge.Config{}))
	s.Records = func(context.Context) (Records, error) { return Records{}, errors.New("locked") }
	s.FreeBytes = func() (uint64, error) { return 0, errors.New("gone") }
	if text, status := scrape(t, s, ""); status != http.StatusOK || !strings.Contains(text, "anchor_info") {
		t.Errorf("%d %s", status, text)
	}
}

// TestHandler_BoundedSeries: 10,000 paths and as many hosts make no series, each of 1,000 deployments makes a
// fixed number, and those that are removed leave.
func TestHandler_BoundedSeries(t *testing.T) {
	e := edge.New(edge.Config{})
	hosts := map[string]*edge.Site{}
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusTeapot) })
	for n := range 1000 {
		hosts[fmt.Sprintf("%d.test", n)] = &edge.Site{ID: fmt.Sprintf("d%d", n), Slug: fmt.Sprintf("p%d", n/20), Default: app}
	}
	e.Publish(edge.NewTable(hosts))
	for n := range 10000 {
		e.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", fmt.Sprintf("http://%d.test/%d", n%1000, n), nil))
		e.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", fmt.Sprintf("http://%d.unknown.test/", n), nil))
	}
	series := func() int {
		text, _ := scrape(t, sources(e), "")
		return strings.Count(text, "\nanchor_http_")
	}
	all := series()
	each := 2 + 1 + len(shown) + 3 // counters, gauge, histogram
	if want := 1000 * each; all < want || all > want+100 {
		t.Errorf("%d series, want about %d", all, want)
	}
	maps.DeleteFunc(hosts, func(_ string, s *edge.Site) bool { return s.ID != "d7" })
	e.Publish(edge.NewTable(hosts))
	if n := series(); n > each+100 {
		t.Errorf("%d series after all but one deployment are removed", n)
	}
}

func sample(o meter.Outcome, class, n int, d time.Duration) meter.Sample {
	traffic := meter.NewTraffic()
	traffic.Cell("", o, class*100).Add(n, int64(n), d)
	return traffic.Samples()[0]
}

func TestDeltas_SinceTheLastReading(t *testing.T) {
	var d Deltas
	site := edge.SiteMeasures{Project: "p", Deployment: "d1", Samples: []meter.Sample{sample(meter.Miss, 2, 5, time.Second)}}
	idle := edge.SiteMeasures{Project: "p", Deployment: "d2"}
	want := func(requests, errors, hits int64) {
		t.Helper()
		all := d.Since([]edge.SiteMeasures{idle, site})
		if len(all) != 1 || all[0].Deployment != "d1" || all[0].Requests != requests || all[0].Errors != errors ||
			all[0].ByOutcome[meter.Hit] != hits || int64(all[0].Durations.Total()) != requests || all[0].Octets != requests {
			t.Errorf("%+v", all)
		}
	}
	want(5, 0, 0)
	if all := d.Since([]edge.SiteMeasures{site}); len(all) != 0 {
		t.Errorf("%+v", all)
	}
	site.Samples = append(site.Samples, sample(meter.Hit, 5, 2, time.Second))
	want(2, 2, 2)
	site.Samples = []meter.Sample{sample(meter.Hit, 2, 3, time.Second)} // opened again
	want(3, 0, 3)
	d.Since(nil)
	want(3, 0, 3) // forgotten when it was not served
}

func TestHitRatio_OfWhatCanBeStored(t *testing.T) {
	sum := Sum([]meter.Sample{sample(meter.Hit, 2, 2, 0), sample(meter.Stale, 2, 1, 0), sample(meter.Miss, 2, 1, 0), sample(meter.Static, 2, 9, 0)})
	if ratio, ok := sum.HitRatio(); !ok || ratio != 0.75 {
		t.Errorf("%v %v", ratio, ok)
	}
	none := Sum([]meter.Sample{sample(meter.Dynamic, 2, 9, 0)})
	if _, ok := none.HitRatio(); ok {
		t.Error("a ratio of nothing")
	}
}
