package server

import (
	"context"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
	"github.com/anchor-deploy/anchor/internal/local/edge/accesslog"
	"github.com/anchor-deploy/anchor/internal/local/edge/meter"
	"github.com/anchor-deploy/anchor/internal/local/metrics"
)

// AccessLog configures the access log.
type AccessLog struct {
	Path   string    // of the file; "-" is Output; "": no log
	Output io.Writer // os.Stdout when nil

	Sample   float64 // share of the requests, 1
	MaxBytes int64   // size at which the file is rotated, 64 MiB
	Keep     int     // rotated files that are kept, 5
}

func (a *app) openAccessLog() (err error) {
	c := accesslog.Config{Path: a.AccessLog.Path, Sample: a.AccessLog.Sample, MaxBytes: a.AccessLog.MaxBytes, Keep: a.AccessLog.Keep, Report: a.Log}
	switch c.Path {
	case "":
		return nil
	case "-":
		c.Path, c.Output = "", a.AccessLog.Output
		if c.Output == nil {
			c.Output = os.Stdout
		}
	}
	if a.accessLog, err = accesslog.Open(c); err != nil {
		return anchor.Invalid("bad_access_log", "the access log %s cannot be written", a.AccessLog.Path).
			Hintf("Pass --access-log a file in a folder that the user of the server may write to, or - for the standard output.").Because(err)
	}
	a.onClose(a.accessLog.Close)
	return nil
}

// metricsHandler answers GET /metrics.
func (a *app) metricsHandler() http.Handler {
	s := metrics.Sources{
		Version: a.Version, Edge: a.edge.Measure, Workers: a.measureWorkers, Builds: a.builder.Load, Certificates: a.listExpiries,
		Records: func(ctx context.Context) (metrics.Records, error) {
			c, err := a.store.Count(ctx)
			return metrics.Records(c), err
		},
		FreeBytes: func() (uint64, error) { return freeBytes(a.Data) },
	}
	if a.pages != nil {
		s.Pages = a.pages.Usage
	}
	return metrics.Handler(s, a.Log)
}

func (a *app) measureWorkers() (all []metrics.Worker) {
	for _, u := range a.platform.Usage() {
		all = append(all, metrics.Worker{
			Deployment: string(u.Deployment), Slug: u.Slug, Function: u.Function, Stats: u.Stats.Stats, Usage: u.Usage,
		})
	}
	return all
}

func (a *app) listExpiries() (all []metrics.Certificate) {
	if a.certs == nil {
		return nil
	}
	for name, at := range a.certs.Expiries() {
		all = append(all, metrics.Certificate{Name: name, Expires: at})
	}
	return all
}

// keepHistory records the traffic until ctx ends.
func (a *app) keepHistory(ctx context.Context) {
	tick := time.NewTicker(metrics.SlotLength)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			a.history.Tick(now, a.edge.Measure().Sites)
		}
	}
}

// traffic implements api.Traffic.
type traffic struct{ app *app }

// Stats implements api.Traffic.
func (t traffic) Stats(_ context.Context, p anchor.Project, last time.Duration) (wire.Stats, error) {
	now, live := time.Now(), t.app.platform.LiveOf(p.ID)
	stats := wire.Stats{Deployments: []wire.DeploymentStats{}}
	var sum metrics.Totals
	begin := now
	for _, s := range t.app.edge.Measure().Sites {
		if s.Project != string(p.ID) {
			continue
		}
		totals, since := t.app.history.Last(now, last, s)
		id := anchor.DeploymentID(s.Deployment)
		if totals.Requests == 0 && id != live {
			continue
		}
		d := describeTraffic(&totals, now.Sub(since))
		stats.Deployments = append(stats.Deployments, wire.DeploymentStats{DeploymentID: id, Live: id == live, Traffic: d})
		sum = addTotals(sum, &totals)
		if since.Before(begin) {
			begin = since
		}
	}
	slices.SortFunc(stats.Deployments, func(a, b wire.DeploymentStats) int {
		return strings.Compare(string(b.DeploymentID), string(a.DeploymentID)) // ids rise with time
	})
	stats.Total = describeTraffic(&sum, now.Sub(begin))
	return stats, nil
}

func addTotals(sum metrics.Totals, t *metrics.Totals) metrics.Totals {
	sum.Requests, sum.Errors, sum.Octets = sum.Requests+t.Requests, sum.Errors+t.Errors, sum.Octets+t.Octets
	for i, n := range t.ByOutcome {
		sum.ByOutcome[i] += n
	}
	sum.Durations.Add(&t.Durations)
	return sum
}

func describeTraffic(t *metrics.Totals, d time.Duration) wire.Traffic {
	milliseconds := func(q float64) float64 { return float64(t.Durations.Quantile(q)) / float64(time.Millisecond) }
	out := wire.Traffic{
		Seconds: d.Seconds(), Requests: t.Requests, Errors: t.Errors, Bytes: t.Octets,
		P50MS: milliseconds(0.5), P95MS: milliseconds(0.95), P99MS: milliseconds(0.99),
		ByCache: map[string]int64{},
	}
	if d > 0 {
		out.PerSecond = float64(t.Requests) / d.Seconds()
	}
	if t.Requests > 0 {
		out.ErrorShare = float64(t.Errors) / float64(t.Requests)
	}
	if ratio, ok := t.HitRatio(); ok {
		out.CacheHitRatio = &ratio
	}
	for o, n := range t.ByOutcome {
		if n > 0 {
			out.ByCache[meter.Outcome(o).String()] = n
		}
	}
	return out
}
