package aws

import (
	"context"
	"fmt"
	"slices"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/function"
	"github.com/anchor-deploy/anchor/internal/release"
	"github.com/anchor-deploy/anchor/internal/release/guard"
)

// What Lambda counts of function URLs, each minute (Lambda Developer Guide, "Monitoring function URLs"). A page's function fails
// by a status of 5xx; Lambda's own errors and timeouts are such answers, too.
const (
	lambdaNamespace = "AWS/Lambda"
	requestMetric   = "UrlRequestCount"
	errorMetric     = "Url5xxCount"
	metricPeriod    = time.Minute
	// observedBack bounds what one call reads: CloudWatch bills each metric that is asked for, and returns at most 100,800 values.
	observedBack = 24 * time.Hour
)

// Observe implements release.Observer. It reads again what was counted since the split began, so that it needs no
// memory, and finds what CloudWatch has counted late. Durations are not compared: there is no histogram of them.
func (p *Platform) Observe(ctx context.Context, live anchor.Live) (release.Observation, error) {
	project, err := p.project(ctx, live.ProjectID)
	if err != nil {
		return release.Observation{}, err
	}
	counts, err := p.readCounts(ctx, project, live)
	if err != nil {
		return release.Observation{}, fmt.Errorf("read from CloudWatch what the deployments of %s answer: %w", project.Slug, err)
	}
	step, err := anchor.TimeOf(string(live.Release))
	if err != nil {
		return release.Observation{}, fmt.Errorf("read when release %s was: %w", live.Release, err)
	}
	test, seen := guard.New(nil), release.Observation{StepFor: p.Now().Sub(step)}
	minutes := make([]time.Time, 0, len(counts))
	for at := range counts {
		minutes = append(minutes, at)
	}
	slices.SortFunc(minutes, time.Time.Compare)
	for _, at := range minutes {
		c := counts[at]
		test.Add(c.live, c.candidate, metricPeriod)
		if !at.Before(step.Truncate(metricPeriod)) {
			seen.StepRequests += c.candidate.Requests
		}
	}
	seen.Evidence = test.Evidence()
	return seen, p.addAlarms(ctx, project, live, &seen.Evidence)
}

// minuteCounts are the requests to both deployments of a split in one minute.
type minuteCounts struct{ live, candidate guard.Counts }

// readCounts returns the minutes in which there were requests.
func (p *Platform) readCounts(ctx context.Context, project anchor.Project, live anchor.Live) (map[time.Time]*minuteCounts, error) {
	begin, end := time.UnixMilli(live.Split.StartedAt), p.Now()
	if begin.Before(end.Add(-observedBack)) {
		begin = end.Add(-observedBack)
	}
	in := &cloudwatch.GetMetricDataInput{StartTime: sdk.Time(begin.Truncate(metricPeriod)), EndTime: &end, ScanBy: types.ScanByTimestampAscending}
	counts := map[time.Time]*minuteCounts{}
	add := map[string]func(m *minuteCounts, n int64){}
	for _, of := range []struct {
		deployment anchor.DeploymentID
		live       bool
		counts     func(*minuteCounts) *guard.Counts
	}{
		{live.Deployment, true, func(m *minuteCounts) *guard.Counts { return &m.live }},
		{live.Split.Deployment, false, func(m *minuteCounts) *guard.Counts { return &m.candidate }},
	} {
		d, err := p.serving(ctx, of.deployment)
		if err != nil {
			return nil, err
		}
		for _, url := range p.functions.URLs(project, d, of.live) {
			add[askMetric(in, url, requestMetric)] = func(m *minuteCounts, n int64) { of.counts(m).Requests += n }
			add[askMetric(in, url, errorMetric)] = func(m *minuteCounts, n int64) { of.counts(m).Errors += n }
		}
	}
	for pages := cloudwatch.NewGetMetricDataPaginator(p.metrics, in); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, r := range page.MetricDataResults {
			for i, at := range r.Timestamps[:min(len(r.Timestamps), len(r.Values))] {
				m := counts[at.UTC()]
				if m == nil {
					m = &minuteCounts{}
					counts[at.UTC()] = m
				}
				add[sdk.ToString(r.Id)](m, int64(r.Values[i]))
			}
		}
	}
	return counts, nil
}

// askMetric adds a query for the sums of a metric and returns its id.
func askMetric(in *cloudwatch.GetMetricDataInput, url function.URL, metric string) (id string) {
	id = fmt.Sprintf("m%d", len(in.MetricDataQueries))
	in.MetricDataQueries = append(in.MetricDataQueries, types.MetricDataQuery{Id: &id, MetricStat: &types.MetricStat{
		Metric: &types.Metric{
			Namespace: sdk.String(lambdaNamespace), MetricName: &metric,
			Dimensions: []types.Dimension{
				{Name: sdk.String("FunctionName"), Value: &url.Function},
				{Name: sdk.String("Resource"), Value: sdk.String(url.Function + ":" + url.Alias)},
			},
		},
		Period: sdk.Int32(int32(metricPeriod / time.Second)), Stat: sdk.String("Sum"),
	}})
	return id
}
