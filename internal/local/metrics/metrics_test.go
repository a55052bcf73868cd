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
	}
}

func scrape(t *testing.T, s Sources, accept string) (text string, status int) {
	t.Helper()
	r := httptest.NewRequest("GET", "/metrics", nil)
	r.Header.Set("Accept", accept)
	w := httptest.NewRecorder()
	Handler(s, slog.New(slog.DiscardHandler)).ServeHTTP(w, r)
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

func TestHistory_LastMinutes(t *testing.T) {
	at := time.Unix(1_000_000, 0)
	h := NewHistory(at)
	site := edge.SiteMeasures{Deployment: "d1"}
	// A request in each of 200 slots, of a millisecond in the first half and of a second in the other.
	for n := 1; n <= 200; n++ {
		at = at.Add(SlotLength)
		d := time.Millisecond
		if n > 100 {
			d = time.Second
		}
		site.Samples = append(site.Samples, sample(meter.Dynamic, 2, 1, d))
		h.Tick(at, []edge.SiteMeasures{site})
	}
	site.Samples = append(site.Samples, sample(meter.Hit, 5, 2, time.Second)) // since the last tick
	now := at.Add(SlotLength / 2)
	for last, want := range map[time.Duration]int64{0: 202, 5 * time.Minute: 12, 40 * time.Second: 3, time.Second: 2, Reach: 121} {
		got, since := h.Last(now, last, site)
		if got.Requests < want || got.Requests > want+1 || got.Errors != 2 || got.ByOutcome[meter.Hit] != 2 {
			t.Errorf("within %s: %+v since %s", last, got, now.Sub(since))
		}
		if last > 0 && (now.Sub(since) < last-SlotLength || now.Sub(since) > last+SlotLength) {
			t.Errorf("%s reaches back %s", last, now.Sub(since))
		}
	}
	if got, _ := h.Last(now, 5*time.Minute, site); got.Durations.Quantile(0.5) < 900*time.Millisecond {
		t.Errorf("the median of the last minutes is %s", got.Durations.Quantile(0.5))
	}
	if n := len(h.tracks["d1"].deltas); n > int(Reach/SlotLength)+2 || len(h.ticks) > int(Reach/SlotLength)+3 {
		t.Errorf("%d slots, %d ticks", n, len(h.ticks))
	}
	// The site was opened again, and later removed.
	site.Samples = []meter.Sample{sample(meter.Static, 2, 1, time.Second)}
	at = at.Add(SlotLength)
	h.Tick(at, []edge.SiteMeasures{site})
	if got, _ := h.Last(at, SlotLength, site); got.Requests != 1 {
		t.Errorf("after it was opened again: %+v", got)
	}
	h.Tick(at.Add(SlotLength), nil)
	if len(h.tracks) != 0 {
		t.Error("a removed deployment stays")
	}
}

func TestHistory_BeforeTheFirstTick(t *testing.T) {
	at := time.Unix(1_000_000, 0)
	h := NewHistory(at)
	site := edge.SiteMeasures{Deployment: "d1", Samples: []meter.Sample{sample(meter.Miss, 2, 5, time.Second)}}
	got, since := h.Last(at.Add(time.Second), time.Minute, site)
	if ratio, ok := got.HitRatio(); got.Requests != 5 || !since.Equal(at) || !ok || ratio != 0 {
		t.Errorf("%+v since %s", got, since)
	}
}
