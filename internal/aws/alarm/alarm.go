// Package alarm creates the CloudWatch alarms of a project's functions.
package alarm

import (
	"context"
	"errors"
	"maps"
	"slices"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awserr"
)

// Alarms creates and removes alarms. It is safe for concurrent use.
type Alarms struct {
	CloudWatch   *cloudwatch.Client
	Installation string
}

// period is the time that each alarm looks at, in seconds.
const period = 300

// kind is one alarm of a function: its name is the function's with the suffix.
type kind struct {
	suffix, metric, about string
	threshold             float64
	percentile            string // "" for a sum
	alias                 bool   // the metric is that of an alias: live, of requests to the site
}

// kindsOf returns the alarms that a function can have. Those with a threshold of 0 are not wanted. A
// function without URLs has errors of its own in place of responses.
func kindsOf(a *anchor.Alarms, hasURL bool) []kind {
	if a == nil {
		a = &anchor.Alarms{}
	}
	errs := kind{suffix: "-errors", metric: "Url5xxCount", about: "responses with a status of 500 or more", threshold: float64(a.Errors), alias: true}
	if !hasURL {
		errs.metric, errs.about = "Errors", "failed invocations"
	}
	return []kind{
		errs,
		{suffix: "-throttles", metric: "Throttles", about: "invocations refused for lack of concurrency", threshold: float64(a.Throttles)},
		{suffix: "-duration", metric: "Duration", about: "milliseconds that 95 of 100 invocations stay below", threshold: float64(a.DurationMS), percentile: "p95", alias: true},
	}
}

// Function is a function in Lambda that has alarms.
type Function struct {
	Name   string
	HasURL bool
}

// Apply creates the alarms of the functions, or updates them, and deletes those that they have beyond.
// It makes no call when there were none and shall be none.
func (s Alarms) Apply(ctx context.Context, p anchor.Project, functions []Function, before, now *anchor.Alarms) error {
	var unwanted []string
	var failed error
	for _, f := range functions {
		for i, k := range kindsOf(now, f.HasURL) {
			switch {
			case k.threshold > 0:
				failed = errors.Join(failed, s.put(ctx, p, f.Name, f.Name+k.suffix, anchor.LiveAlias, k, now.Topic))
			case kindsOf(before, f.HasURL)[i].threshold > 0:
				unwanted = append(unwanted, f.Name+k.suffix)
			}
		}
	}
	return explain(errors.Join(failed, s.delete(ctx, unwanted)), "set the alarms of "+p.Slug)
}

// put creates an alarm of a function. Where its kind looks at an alias, it looks at the one of that name.
func (s Alarms) put(ctx context.Context, p anchor.Project, function, name, alias string, k kind, topic string) error {
	dimension := func(name, value string) types.Dimension { return types.Dimension{Name: &name, Value: &value} }
	in := &cloudwatch.PutMetricAlarmInput{
		AlarmName: &name, AlarmDescription: sdk.String(function + ": " + k.about + " (anchor projects set)"),
		Namespace: sdk.String("AWS/Lambda"), MetricName: &k.metric, Dimensions: []types.Dimension{dimension("FunctionName", function)},
		Period: sdk.Int32(period), EvaluationPeriods: sdk.Int32(1), Threshold: &k.threshold,
		ComparisonOperator: types.ComparisonOperatorGreaterThanOrEqualToThreshold,
		TreatMissingData:   sdk.String("notBreaching"), // a site without visitors is not broken
	}
	if k.alias {
		in.Dimensions = append(in.Dimensions, dimension("Resource", function+":"+alias))
	}
	if k.percentile != "" {
		in.ExtendedStatistic = &k.percentile
	} else {
		in.Statistic = types.StatisticSum
	}
	if topic != "" {
		in.AlarmActions, in.OKActions = []string{topic}, []string{topic}
	}
	tags := map[string]string{"Project": p.Slug, "ManagedBy": "anchor-deploy", "Installation": s.Installation}
	for _, name := range slices.Sorted(maps.Keys(tags)) {
		in.Tags = append(in.Tags, types.Tag{Key: sdk.String(name), Value: sdk.String(tags[name])})
	}
	_, err := s.CloudWatch.PutMetricAlarm(ctx, in)
	return err
}

// Remove deletes the alarms of functions. It is idempotent.
func (s Alarms) Remove(ctx context.Context, p anchor.Project, functions []Function) error {
	var names []string
	for _, f := range functions {
		for _, k := range kindsOf(nil, f.HasURL) {
			names = append(names, f.Name+k.suffix)
		}
	}
	return explain(s.delete(ctx, names), "delete the alarms of "+p.Slug)
}

// most is how many alarms a call names (CloudWatch API, DescribeAlarms and DeleteAlarms).
const most = 100

// delete deletes those of the alarms that exist: DeleteAlarms deletes none when one does not.
func (s Alarms) delete(ctx context.Context, names []string) error {
	for some := range slices.Chunk(names, most) {
		out, err := s.CloudWatch.DescribeAlarms(ctx, &cloudwatch.DescribeAlarmsInput{AlarmNames: some})
		if err != nil {
			return err
		}
		var there []string
		for _, a := range out.MetricAlarms {
			there = append(there, sdk.ToString(a.AlarmName))
		}
		if len(there) == 0 {
			continue
		}
		if _, err := s.CloudWatch.DeleteAlarms(ctx, &cloudwatch.DeleteAlarmsInput{AlarmNames: there}); err != nil && !awserr.Is(err, "ResourceNotFound") {
			return err
		}
	}
	return nil
}

func explain(err error, what string) error {
	return awserr.Explain(err, what, "The cause says what to change: anchor projects set.")
}
