package alarm_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/google/go-cmp/cmp"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/alarm"
	"github.com/anchor-deploy/anchor/internal/aws/awstest"
)

// thresholds returns the alarms that the AWS CLI lists, with their metrics and thresholds.
func thresholds(t *testing.T, cloud *awstest.Cloud) map[string]string {
	t.Helper()
	var out struct {
		MetricAlarms []struct {
			AlarmName, MetricName string
			Threshold             float64
			AlarmActions          []string
		}
	}
	if err := json.Unmarshal([]byte(cloud.CLI(t, "cloudwatch", "describe-alarms")), &out); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, a := range out.MetricAlarms {
		text, err := json.Marshal(a.Threshold)
		if err != nil {
			t.Fatal(err)
		}
		all[a.AlarmName] = a.MetricName + " " + string(text) + " " + strings.Join(a.AlarmActions, ",")
	}
	return all
}

func TestAlarms_FollowSettings(t *testing.T) {
	for name, start := range map[string]func(testing.TB) *awstest.Cloud{"MiniStack": awstest.MiniStack, "moto": awstest.Moto} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cloud := start(t)
			s := alarm.Alarms{CloudWatch: cloudwatch.NewFromConfig(cloud.Config()), Installation: "anchor"}
			p := anchor.Project{ID: "p", Slug: "shop"}
			functions := []alarm.Function{{Name: "anchor-shop-server", HasURL: true}, {Name: "anchor-shop-revalidate"}}
			const topic = "arn:aws:sns:eu-central-1:123456789012:alerts"
			first, second := &anchor.Alarms{Topic: topic, Errors: 5, DurationMS: 3000}, &anchor.Alarms{Errors: 7, Throttles: 1}
			for _, step := range []struct {
				before, now *anchor.Alarms
				want        map[string]string
			}{
				{nil, first, map[string]string{
					"anchor-shop-server-errors": "Url5xxCount 5 " + topic, "anchor-shop-server-duration": "Duration 3000 " + topic,
					"anchor-shop-revalidate-errors": "Errors 5 " + topic, "anchor-shop-revalidate-duration": "Duration 3000 " + topic,
				}},
				{first, second, map[string]string{
					"anchor-shop-server-errors": "Url5xxCount 7 ", "anchor-shop-server-throttles": "Throttles 1 ",
					"anchor-shop-revalidate-errors": "Errors 7 ", "anchor-shop-revalidate-throttles": "Throttles 1 ",
				}},
				{second, nil, map[string]string{}},
				{nil, nil, map[string]string{}},
			} {
				if err := s.Apply(t.Context(), p, functions, step.before, step.now); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(step.want, thresholds(t, cloud)); diff != "" {
					t.Errorf("the alarms of %+v:\n%s", step.now, diff)
				}
			}
			if err := s.Apply(t.Context(), p, functions, nil, first); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if err := s.Remove(t.Context(), p, functions); err != nil {
					t.Fatal(err)
				}
			}
			if left := thresholds(t, cloud); len(left) > 0 {
				t.Errorf("%v are left", left)
			}
		})
	}
}
