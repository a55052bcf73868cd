package aws_test

import (
	"net/http"
	"slices"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact/opennext"
	"github.com/anchor-deploy/anchor/internal/aws"
	"github.com/anchor-deploy/anchor/internal/aws/awstest"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
)

// scheduled returns the expressions of the schedules in the installation's group, sorted.
func (in *installation) scheduled(t *testing.T) (expressions []string) {
	t.Helper()
	client, group := scheduler.NewFromConfig(in.Config()), sdk.String("anchor")
	list, err := client.ListSchedules(t.Context(), &scheduler.ListSchedulesInput{GroupName: group})
	must(t, err)
	for _, s := range list.Schedules {
		one, err := client.GetSchedule(t.Context(), &scheduler.GetScheduleInput{GroupName: group, Name: s.Name})
		must(t, err)
		expressions = append(expressions, *one.ScheduleExpression)
	}
	slices.Sort(expressions)
	return expressions
}

func invocations(calls []awstest.Call) (n int) {
	for _, c := range calls {
		if c.Operation == "Lambda.Invoke" {
			n++
		}
	}
	return n
}

// TestCrons_FollowTheLiveDeployment: schedules are those of the live deployment, and a cron's request reaches the
// function that answers its path, with what the app proves it by. The schedule of a warmer follows the settings.
func TestCrons_FollowTheLiveDeployment(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	const crons = `[{"path": "/cron?version=one", "schedule": "0 5 * * *"}, {"path": "/api/cron?version=split", "schedule": "*/20 * * * *"}]`
	a := s.artifact(t, platformtest.NewApp("one").Warmer().Split("api", "/api/*", "split").With(opennext.CronsFile, crons))
	a.Env = map[string]string{"CRON_SECRET": "hidden"}
	a.Deployment.Crons = a.Build.Crons
	must(t, s.platform.Check(t.Context(), a))
	old := s.with(t, func(c *aws.Config) { c.AWS, c.CronHandler, c.CronRole = s.Config(), "", "" })
	if err := old.Check(t.Context(), a); anchor.CodeOf(err) != "no_crons" || anchor.HintOf(err) == "" {
		t.Errorf("an installation that runs no crons: %v", err)
	}
	want := func(when string, expressions ...string) {
		t.Helper()
		if got := s.scheduled(t); !slices.Equal(got, expressions) {
			t.Errorf("%s there are the schedules %q, want %q", when, got, expressions)
		}
	}
	both := []string{"cron(0 5 * * ? *)", "cron(0,20,40 * * * ? *)"}

	d := platformtest.Prepare(t, s.platform, a)
	want("before the release")
	live, err := s.releases(s.platform).GoLive(t.Context(), d)
	must(t, err)
	must(t, s.platform.Purge(t.Context(), live))
	want("after the release", both...)

	for path, status := range map[string]int{"/cron?version=one": http.StatusOK, "/api/cron?version=split": http.StatusOK, "/api/cron?version=one": http.StatusNotFound} {
		got, location, err := s.platform.AskCron(t.Context(), d, "hidden", path, anchor.NewID(), "0 5 * * *")
		if got != status || location != "" || err != nil {
			t.Errorf("%s answers %d, %q (%v), want %d", path, got, location, err, status)
		}
	}
	if got, _, err := s.platform.AskCron(t.Context(), d, "guessed", "/cron?version=one", anchor.NewID(), ""); got != http.StatusNotFound || err != nil {
		t.Errorf("with another secret the cron answers %d (%v)", got, err)
	}

	warmed := anchor.Settings{FunctionSettings: anchor.FunctionSettings{Warmer: 2}}
	must(t, s.store.SetProjectSettings(t.Context(), s.project.ID, warmed))
	for range 2 {
		must(t, s.platform.ApplySettings(t.Context(), s.project.ID, false))
	}
	const warmer = "rate(5 minutes)"
	both = append(both, warmer)
	want("with a warmer", both...)
	calls := s.Wire.Record()
	must(t, s.platform.Warm(t.Context(), s.project.ID, warmed.Warmed()))
	if n := invocations(calls()); n != 2 {
		t.Errorf("to keep two instances started takes %d invocations", n)
	}
	must(t, s.platform.Warm(t.Context(), anchor.ProjectID(anchor.NewID()), warmed.Warmed())) // of a project that is gone
	if err := s.platform.Check(t.Context(), s.artifact(t, platformtest.NewApp("cold"))); anchor.CodeOf(err) != "no_warmer" || anchor.HintOf(err) == "" {
		t.Errorf("a build without a warmer: %v", err)
	}

	s.deploy(t, platformtest.NewApp("two").Warmer())
	want("after the release of an app without crons", warmer)
	_, err = s.releases(s.platform).Rollback(t.Context(), s.project.ID, d.ID)
	must(t, err)
	want("after the rollback", both...)
	must(t, s.platform.Settle(t.Context(), s.project.ID))
	want("after the rollback was settled again", both...)
	must(t, s.store.RetireProject(t.Context(), s.project.ID))
	removed := s.platform.RemoveProject(t.Context(), s.project.ID)
	for anchor.KindOf(removed) == anchor.KindBusy {
		removed = s.platform.RemoveProject(t.Context(), s.project.ID)
	}
	must(t, removed)
	want("after the removal")
}
