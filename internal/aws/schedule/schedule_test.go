package schedule_test

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	"github.com/google/go-cmp/cmp"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awstest"
	"github.com/anchor-deploy/anchor/internal/aws/schedule"
)

const (
	handler = "arn:aws:lambda:eu-central-1:123456789012:function:anchor-crons"
	role    = "arn:aws:iam::123456789012:role/anchor-schedules"
)

var (
	digest  = anchor.Cron{Path: "/api/digest", Schedule: "0 5 * * *"}
	monthly = anchor.Cron{Path: "/api/report?kind=full", Schedule: "0 6 1 * 1"}
)

func TestMain(m *testing.M) { os.Exit(awstest.Sharing(m).Run()) }

func schedules(t *testing.T, cloud *awstest.Cloud) schedule.Schedules {
	t.Helper()
	client := scheduler.NewFromConfig(cloud.Config())
	if _, err := client.CreateScheduleGroup(t.Context(), &scheduler.CreateScheduleGroupInput{Name: sdk.String("anchor")}); err != nil {
		t.Fatal(err)
	}
	return schedule.Schedules{Scheduler: client, Group: "anchor", Handler: handler, Role: role}
}

// seen returns the names of the schedules in the group, by project, path and expression.
func seen(t *testing.T, s schedule.Schedules) map[string]string {
	t.Helper()
	list, err := s.Scheduler.ListSchedules(t.Context(), &scheduler.ListSchedulesInput{GroupName: &s.Group})
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, entry := range list.Schedules {
		one, err := s.Scheduler.GetSchedule(t.Context(), &scheduler.GetScheduleInput{GroupName: &s.Group, Name: entry.Name})
		if err != nil {
			t.Fatal(err)
		}
		if *one.ScheduleExpressionTimezone != "UTC" || one.State != types.ScheduleStateEnabled || one.FlexibleTimeWindow.Mode != types.FlexibleTimeWindowModeOff ||
			*one.Target.Arn != handler || *one.Target.RoleArn != role || *one.Target.RetryPolicy.MaximumEventAgeInSeconds != 60 {
			t.Errorf("the schedule is %+v", one)
		}
		var event schedule.Event
		decode(t, *one.Target.Input, &event)
		if event.Cron == nil || !strings.HasPrefix(*one.Name, string(event.ProjectID)+"-") {
			t.Errorf("%s sends %s", *one.Name, *one.Target.Input)
			continue
		}
		all[string(event.ProjectID)+" "+event.Cron.Path+" "+*one.ScheduleExpression] = *one.Name
	}
	return all
}

func decode(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
}

func TestSchedules_FollowCrons(t *testing.T) {
	for name, start := range map[string]func(testing.TB) *awstest.Cloud{"MiniStack": awstest.Shared, "moto": awstest.Moto} {
		t.Run(name, func(t *testing.T) {
			cloud := start(t)
			s := schedules(t, cloud)
			p, other := anchor.Project{ID: "01p", Slug: "shop"}, anchor.Project{ID: "01q", Slug: "blog"}
			follow := func(p anchor.Project, any bool, crons ...anchor.Cron) {
				t.Helper()
				if got, err := s.Follow(t.Context(), p, crons); err != nil || got != any {
					t.Errorf("Follow returns %v, %v, want %v", got, err, any)
				}
			}
			want := func(names ...string) {
				t.Helper()
				if diff := cmp.Diff(names, slices.Sorted(maps.Keys(seen(t, s)))); diff != "" {
					t.Error(diff)
				}
			}
			follow(p, false)
			follow(other, true, digest)
			follow(p, true, digest, monthly)
			want("01p /api/digest cron(0 5 * * ? *)", "01p /api/report?kind=full cron(0 6 1 * ? *)",
				"01p /api/report?kind=full cron(0 6 ? * 2 *)", "01q /api/digest cron(0 5 * * ? *)")
			calls := cloud.Wire.Record()
			follow(p, true, monthly, digest)
			if made := calls(); len(made) != 1 {
				t.Errorf("what is there already costs %v", made)
			}
			follow(p, true, anchor.Cron{Path: digest.Path, Schedule: "0 4 * * *"})
			want("01p /api/digest cron(0 4 * * ? *)", "01q /api/digest cron(0 5 * * ? *)")
			for range 2 {
				if err := s.Remove(t.Context(), p); err != nil {
					t.Error(err)
				}
			}
			want("01q /api/digest cron(0 5 * * ? *)")
		})
	}
}

// TestSchedules_FollowWarmer: a project has one schedule of warmer events, which crons do not touch.
func TestSchedules_FollowWarmer(t *testing.T) {
	cloud := awstest.Shared(t)
	s := schedules(t, cloud)
	p := anchor.Project{ID: anchor.ProjectID(anchor.NewID()), Slug: "shop"}
	follow := func(instances map[string]int32) {
		t.Helper()
		if err := s.FollowWarmer(t.Context(), p, instances); err != nil {
			t.Fatal(err)
		}
	}
	want := func(inputs ...string) {
		t.Helper()
		list, err := s.Scheduler.ListSchedules(t.Context(), &scheduler.ListSchedulesInput{GroupName: &s.Group})
		if err != nil {
			t.Fatal(err)
		}
		got := []string{}
		for _, entry := range list.Schedules {
			one, err := s.Scheduler.GetSchedule(t.Context(), &scheduler.GetScheduleInput{GroupName: &s.Group, Name: entry.Name})
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, *one.ScheduleExpression+" "+strings.ReplaceAll(*one.Target.Input, string(p.ID), "P"))
		}
		slices.Sort(got)
		if !slices.Equal(got, inputs) {
			t.Errorf("there are %q, want %q", got, inputs)
		}
	}
	const cron = `cron(0 5 * * ? *) {"projectId":"P","cron":{"path":"/api/digest","schedule":"0 5 * * *"}}`
	if _, err := s.Follow(t.Context(), p, []anchor.Cron{digest}); err != nil {
		t.Fatal(err)
	}
	follow(nil)
	want(cron)
	follow(map[string]int32{"default": 2})
	follow(map[string]int32{"default": 2, "api": 1})
	want(cron, `rate(5 minutes) {"projectId":"P","warm":{"api":1,"default":2}}`)
	if err := s.Remove(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	want(`rate(5 minutes) {"projectId":"P","warm":{"api":1,"default":2}}`)
	follow(nil)
	want()
}

func TestSchedules_ConvergeAfterFaults(t *testing.T) {
	cloud := awstest.Shared(t)
	s := schedules(t, cloud)
	p := anchor.Project{ID: "01p", Slug: "shop"}
	for _, fault := range []awstest.Fault{
		{Operation: "Scheduler.CreateSchedule", Nth: 1, After: true},
		{Operation: "Scheduler.DeleteSchedule", Nth: 1, After: true},
		{Operation: "Scheduler.CreateSchedule", Nth: 1, Status: 429, Code: "ThrottlingException"},
	} {
		cloud.Wire.Break(fault)
		for _, crons := range [][]anchor.Cron{{digest}, {monthly}} {
			if _, err := s.Follow(t.Context(), p, crons); err != nil {
				t.Errorf("%+v: %v", fault, err)
			}
		}
		cloud.Wire.Mend()
		if got := seen(t, s); len(got) != 2 {
			t.Errorf("after %+v there are %v", fault, got)
		}
	}
	cloud.Wire.Break(awstest.Fault{Operation: "Scheduler.CreateSchedule", Status: 403, Code: "AccessDeniedException"})
	_, err := s.Follow(t.Context(), p, []anchor.Cron{digest})
	if anchor.CodeOf(err) != "aws_denied" || !strings.Contains(err.Error(), "scheduler:CreateSchedule") || anchor.HintOf(err) == "" {
		t.Errorf("a refusal is %v", err)
	}
	cloud.Wire.Mend()
	s.Group = "none"
	if _, err := s.Follow(t.Context(), p, nil); err != nil {
		t.Errorf("an installation without the group: %v", err)
	}
}
