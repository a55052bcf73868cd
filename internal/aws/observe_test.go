package aws_test

import (
	"context"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws"
	"github.com/anchor-deploy/anchor/internal/aws/awstest"
	"github.com/anchor-deploy/anchor/internal/records/memory"
)

// splitRecords are records in memory, of which no project was removed.
type splitRecords struct{ *memory.Store }

func (splitRecords) ProjectRemoved(context.Context, anchor.ProjectID) (bool, error) {
	return false, nil
}

// TestObserve_ByTheURLsOfBothDeployments reads what CloudWatch has counted of two deployments, of which the second fails.
func TestObserve_ByTheURLsOfBothDeployments(t *testing.T) {
	t.Parallel()
	cloud := awstest.Moto(t)
	store, now := memory.New(), time.Now().Truncate(time.Minute)
	project := anchor.Project{ID: anchor.ProjectID(anchor.NewID()), Slug: "shop"}
	must(t, store.CreateProject(t.Context(), project))
	live := anchor.Live{ProjectID: project.ID, Release: anchor.ReleaseID(anchor.NewID()), Split: &anchor.Split{
		SplitPlan: anchor.SplitPlan{Weight: 10, Guard: true}, StartedAt: now.Add(-10 * time.Minute).UnixMilli(),
	}}
	for _, id := range []*anchor.DeploymentID{&live.Deployment, &live.Split.Deployment} {
		*id = anchor.DeploymentID(anchor.NewID())
		must(t, store.CreateDeployment(t.Context(), anchor.Deployment{ID: *id, ProjectID: project.ID, Status: anchor.Deployed, Functions: map[string]anchor.FunctionVersion{
			anchor.ServerFunction: {Version: "1"}, "api": {Version: "1"}, "revalidation": {Version: "1"},
		}}))
	}
	p, err := aws.New(aws.Config{
		AWS: cloud.Config(), Installation: "anchor", Key: make([]byte, 32), Records: splitRecords{store},
		Now: func() time.Time { return now },
	})
	must(t, err)
	metrics := cloudwatch.NewFromConfig(cloud.Config())
	put := func(at time.Time, function, alias, metric string, n float64) {
		t.Helper()
		_, err := metrics.PutMetricData(t.Context(), &cloudwatch.PutMetricDataInput{Namespace: sdk.String("AWS/Lambda"), MetricData: []types.MetricDatum{{
			MetricName: &metric, Timestamp: &at, Value: &n,
			Dimensions: []types.Dimension{
				{Name: sdk.String("FunctionName"), Value: &function}, {Name: sdk.String("Resource"), Value: sdk.String(function + ":" + alias)},
			},
		}}})
		must(t, awstest.Made(err))
	}
	candidate := "d-" + string(live.Split.Deployment)
	put(now.Add(-time.Hour), "anchor-shop-server", "live", "UrlRequestCount", 5000) // before the split
	for minute := range 3 {
		at := now.Add(time.Duration(minute-5) * time.Minute)
		put(at, "anchor-shop-server", "live", "UrlRequestCount", 80)
		put(at, "anchor-shop-api", "live", "UrlRequestCount", 10)
		put(at, "anchor-shop-server", candidate, "UrlRequestCount", 10)
		if seen, err := p.Observe(t.Context(), live); err != nil || seen.Evidence.Finding != "" {
			t.Fatalf("%+v %v", seen, err)
		}
	}
	for minute := range 2 {
		at := now.Add(time.Duration(minute-2) * time.Minute)
		put(at, "anchor-shop-server", "live", "UrlRequestCount", 90)
		put(at, "anchor-shop-api", candidate, "UrlRequestCount", 10)
		put(at, "anchor-shop-api", candidate, "Url5xxCount", 4)
	}
	seen, err := p.Observe(t.Context(), live)
	must(t, err)
	e := seen.Evidence
	if e.Finding != anchor.WorseErrors || e.Live != (anchor.SplitShare{Requests: 450}) || e.Candidate != (anchor.SplitShare{Requests: 50, Errors: 8}) {
		t.Errorf("%+v", e)
	}
	if seen.StepRequests != 0 || seen.StepFor > time.Second {
		t.Errorf("a step that begins now has %d requests in %s", seen.StepRequests, seen.StepFor)
	}
	live.Split.Deployment = "01jd0000000000000000000000"
	if _, err := p.Observe(t.Context(), live); anchor.KindOf(err) != anchor.KindNotFound {
		t.Errorf("a candidate that is not there: %v", err)
	}
}
