package aws_test

import (
	"context"
	"slices"
	"strings"
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

// candidateSettings are settings that have these alarms.
type candidateSettings struct {
	aws.SettingsRecords
	alarms *anchor.Alarms
}

func (c candidateSettings) ProjectSettings(context.Context, anchor.ProjectID) (anchor.SettingsRecord, error) {
	return anchor.SettingsRecord{Applied: anchor.Settings{Alarms: c.alarms}}, nil
}

// TestObserve_AlarmOfTheCandidate: the functions of a guarded split's candidate have the project's alarms, of which
// one that fires is a finding. They go with the split.
func TestObserve_AlarmOfTheCandidate(t *testing.T) {
	t.Parallel()
	cloud := awstest.MiniStack(t)
	store := memory.New()
	project := anchor.Project{ID: anchor.ProjectID(anchor.NewID()), Slug: "shop"}
	must(t, store.CreateProject(t.Context(), project))
	deployment := func() anchor.DeploymentID {
		t.Helper()
		d := anchor.Deployment{ID: anchor.DeploymentID(anchor.NewID()), ProjectID: project.ID, Status: anchor.Deployed,
			Functions: map[string]anchor.FunctionVersion{anchor.ServerFunction: {Version: "1"}, "api": {Version: "1"}, "revalidation": {Version: "1"}}}
		must(t, store.CreateDeployment(t.Context(), d))
		return d.ID
	}
	live := anchor.Live{ProjectID: project.ID, Deployment: deployment(), Release: anchor.ReleaseID(anchor.NewID()), Split: &anchor.Split{
		SplitPlan: anchor.SplitPlan{Weight: 10, Guard: true}, Deployment: deployment(), StartedAt: time.Now().UnixMilli(),
	}}
	settings := &candidateSettings{alarms: &anchor.Alarms{Errors: 5, Throttles: 1}}
	p, err := aws.New(aws.Config{AWS: cloud.Config(), Installation: "anchor", Key: make([]byte, 32), Records: splitRecords{store}, Settings: settings})
	must(t, err)
	client := cloudwatch.NewFromConfig(cloud.Config())
	alarms := func() (names []string) {
		t.Helper()
		out, err := client.DescribeAlarms(t.Context(), &cloudwatch.DescribeAlarmsInput{})
		must(t, err)
		for _, a := range out.MetricAlarms {
			names = append(names, *a.AlarmName)
		}
		slices.Sort(names)
		return names
	}
	of := func(d anchor.DeploymentID) []string {
		var names []string
		for _, name := range []string{"api-errors", "api-throttles", "server-errors", "server-throttles"} {
			names = append(names, "anchor-shop-"+name+"-"+string(d))
		}
		return names
	}
	want := func(when string, names ...string) {
		t.Helper()
		if got := alarms(); !slices.Equal(got, names) {
			t.Errorf("%s there are the alarms %v, want %v", when, got, names)
		}
	}
	finding := func() anchor.Evidence {
		t.Helper()
		seen, err := p.Observe(t.Context(), live)
		must(t, err)
		return seen.Evidence
	}
	must(t, p.WatchCandidate(t.Context(), live))
	want("with a split", of(live.Split.Deployment)...)
	if e := finding(); e.Finding != "" {
		t.Errorf("before an alarm fires the evidence is %+v", e)
	}
	fired := of(live.Split.Deployment)[2]
	_, err = client.SetAlarmState(t.Context(), &cloudwatch.SetAlarmStateInput{
		AlarmName: &fired, StateValue: types.StateValueAlarm, StateReason: sdk.String("Threshold Crossed: 6 of 5"),
	})
	must(t, err)
	if e := finding(); e.Finding != anchor.FiredAlarm || !strings.Contains(e.Message, fired) || !strings.Contains(e.Message, "Threshold Crossed") {
		t.Errorf("after the alarm fired the evidence is %+v", e)
	}
	live.Split.Deployment = deployment()
	must(t, p.WatchCandidate(t.Context(), live))
	want("with another candidate", of(live.Split.Deployment)...)
	if e := finding(); e.Finding != "" {
		t.Errorf("the alarm of the candidate before accuses this one: %+v", e)
	}
	live.Split = nil
	must(t, p.WatchCandidate(t.Context(), live))
	want("after the split")
	settings.alarms = nil
	calls := cloud.Wire.Record()
	must(t, p.WatchCandidate(t.Context(), live))
	if made := calls(); len(made) > 0 {
		t.Errorf("without alarms it makes the calls %v", made)
	}
}
