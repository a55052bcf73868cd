package alarm

import (
	"context"
	"errors"
	"slices"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Candidate is a deployment that has a share of the traffic, which reaches it by an alias of its own.
type Candidate struct {
	Deployment anchor.DeploymentID
	Alias      string
}

// Watch creates the alarms of a candidate's functions, with the thresholds of the site's, or updates
// them, and deletes those of other candidates. A candidate with the zero Deployment is none.
func (s Alarms) Watch(ctx context.Context, p anchor.Project, functions []Function, c Candidate, now *anchor.Alarms) error {
	var failed error
	var unwanted []string
	for _, f := range functions {
		there, err := s.ofCandidates(ctx, f)
		failed = errors.Join(failed, err)
		for _, k := range kindsOf(now, f.HasURL) {
			name := candidateName(f, k, c)
			if c.Deployment == "" || k.threshold <= 0 {
				continue
			}
			there = slices.DeleteFunc(there, func(have string) bool { return have == name })
			k.alias = true
			failed = errors.Join(failed, s.put(ctx, p, f.Name, name, c.Alias, k, now.Topic))
		}
		unwanted = append(unwanted, there...)
	}
	return explain(errors.Join(failed, s.delete(ctx, unwanted)), "set the alarms of a split of "+p.Slug)
}

// Fired returns the alarm of a candidate that is in state ALARM, and the reason that CloudWatch names, or
// "" when there is none.
func (s Alarms) Fired(ctx context.Context, p anchor.Project, functions []Function, c Candidate) (name, reason string, err error) {
	var names []string
	for _, f := range functions {
		for _, k := range kindsOf(nil, f.HasURL) {
			names = append(names, candidateName(f, k, c))
		}
	}
	for some := range slices.Chunk(names, most) {
		out, err := s.CloudWatch.DescribeAlarms(ctx, &cloudwatch.DescribeAlarmsInput{AlarmNames: some, StateValue: types.StateValueAlarm})
		if err != nil {
			return "", "", explain(err, "read the alarms of a split of "+p.Slug)
		}
		for _, a := range out.MetricAlarms {
			return sdk.ToString(a.AlarmName), sdk.ToString(a.StateReason), nil
		}
	}
	return "", "", nil
}

func candidateName(f Function, k kind, c Candidate) string {
	return f.Name + k.suffix + "-" + string(c.Deployment)
}

// ofCandidates returns the names of the alarms that a function has for candidates.
func (s Alarms) ofCandidates(ctx context.Context, f Function) (names []string, err error) {
	pages := cloudwatch.NewDescribeAlarmsPaginator(s.CloudWatch, &cloudwatch.DescribeAlarmsInput{AlarmNamePrefix: sdk.String(f.Name + "-")})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, a := range page.MetricAlarms {
			for _, k := range kindsOf(nil, f.HasURL) {
				rest, found := strings.CutPrefix(sdk.ToString(a.AlarmName), f.Name+k.suffix+"-")
				if found && anchor.ValidID(rest) {
					names = append(names, *a.AlarmName)
				}
			}
		}
	}
	return names, nil
}
