package server

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
	"github.com/anchor-deploy/anchor/internal/local/edge"
	"github.com/anchor-deploy/anchor/internal/local/edge/accesslog"
	"github.com/anchor-deploy/anchor/internal/local/edge/meter"
	"github.com/anchor-deploy/anchor/internal/local/metrics"
	"github.com/anchor-deploy/anchor/internal/local/series"
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
	if c.Path == "-" {
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

// metricsSources are what the metrics are read from.
func (a *app) metricsSources() metrics.Sources {
	s := metrics.Sources{
		Version: a.Version, Edge: a.edge.Measure, Workers: a.measureWorkers, Builds: a.builder.Load, Certificates: a.listExpiries,
		Records: func(ctx context.Context) (metrics.Records, error) {
			c, err := a.store.Count(ctx)
			return metrics.Records(c), err
		},
		FreeBytes: func() (uint64, error) { return freeBytes(a.Data) }, Drained: a.drains.Counts,
	}
	if a.pages != nil {
		s.Pages = a.pages.Usage
	}
	return s
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

// openHistory opens the history of the traffic.
func (a *app) openHistory(ctx context.Context) (err error) {
	if a.history, err = series.Open(ctx, filepath.Join(a.Data, "traffic.db"), a.Log); err != nil {
		return err
	}
	a.onClose(a.history.Close)
	return nil
}

// tidyEvery is the time between two times at which the history of the traffic is rolled up.
const tidyEvery = 10 * time.Minute

// keepHistory records the traffic until ctx ends, and what came last then.
func (a *app) keepHistory(ctx context.Context) {
	record, tidy := time.NewTicker(series.Step), time.NewTicker(tidyEvery)
	defer record.Stop()
	defer tidy.Stop()
	report := func(err error) {
		if err != nil && ctx.Err() == nil {
			a.Log.Error("keep the history of the traffic", "error", err)
		}
	}
	for {
		select {
		case <-ctx.Done():
			report(a.recordTraffic(context.WithoutCancel(ctx)))
			return
		case <-record.C:
			report(a.recordTraffic(ctx))
		case now := <-tidy.C:
			report(a.history.Tidy(ctx, now))
		}
	}
}

func (a *app) recordTraffic(ctx context.Context) error {
	return a.history.Record(ctx, time.Now(), func() []edge.SiteMeasures { return a.edge.Measure().Sites })
}

// traffic implements api.Traffic.
type traffic struct{ app *app }

// Stats implements api.Traffic.
func (t traffic) Stats(ctx context.Context, p anchor.Project, last time.Duration) (wire.Stats, error) {
	if err := t.app.recordTraffic(ctx); err != nil {
		return wire.Stats{}, err
	}
	now, live := time.Now(), t.app.platform.LiveOf(p.ID)
	found, err := t.app.history.Since(ctx, string(p.ID), now.Add(-last))
	if err != nil {
		return wire.Stats{}, err
	}
	if _, busy := found[string(live)]; live != "" && !busy {
		found[string(live)] = metrics.Totals{}
	}
	stats := wire.Stats{Deployments: []wire.DeploymentStats{}}
	var sum metrics.Totals
	for name, totals := range found {
		id := anchor.DeploymentID(name)
		within := last
		if made, err := anchor.TimeOf(name); err == nil {
			within = min(last, max(now.Sub(made), time.Second))
		}
		stats.Deployments = append(stats.Deployments, wire.DeploymentStats{
			DeploymentID: id, Live: id == live, Traffic: describeTraffic(&totals, within),
		})
		sum.Merge(&totals)
	}
	slices.SortFunc(stats.Deployments, func(a, b wire.DeploymentStats) int {
		return strings.Compare(string(b.DeploymentID), string(a.DeploymentID)) // ids rise with time
	})
	stats.Total = describeTraffic(&sum, min(last, max(now.Sub(time.UnixMilli(p.CreatedAt)), time.Second)))
	return stats, nil
}

// Series implements api.Traffic.
func (t traffic) Series(ctx context.Context, p anchor.Project, last time.Duration, points int) (wire.Series, error) {
	if err := t.app.recordTraffic(ctx); err != nil {
		return wire.Series{}, err
	}
	now := time.Now()
	buckets, step, err := t.app.history.Buckets(ctx, string(p.ID), now.Add(-last), now, points)
	if err != nil {
		return wire.Series{}, err
	}
	series := wire.Series{StepSeconds: int64(step / time.Second), Points: make([]wire.SeriesPoint, 0, len(buckets))}
	for i := range buckets {
		d := describeTraffic(&buckets[i].Totals, step)
		series.Points = append(series.Points, wire.SeriesPoint{
			At: buckets[i].At.UnixMilli(), Requests: d.Requests, Errors: d.Errors,
			P50MS: d.P50MS, P95MS: d.P95MS, P99MS: d.P99MS, HitRatio: d.CacheHitRatio,
		})
	}
	return series, nil
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
