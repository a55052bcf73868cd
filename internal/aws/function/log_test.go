package function_test

import (
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"

	"github.com/anchor-deploy/anchor/internal/aws/awstest"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
)

// Logs are not kept forever, nor longer than the setting of the last deployment says.
func TestLogs_HaveRetention(t *testing.T) {
	s := newStand(t)
	p := newProject()
	for _, days := range []int{7, 30} {
		s.LogDays = days
		a := artifactOf(t, p, platformtest.NewApp("one"))
		_, err := s.Publish(t.Context(), a, wanted(env(a)), t.Logf)
		must(t, err)
		out, err := s.Logs.DescribeLogGroups(t.Context(), &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: sdk.String("/aws/lambda/anchor-" + p.Slug + "-")})
		must(t, err)
		if len(out.LogGroups) == 0 {
			t.Error("there is no log group")
		}
		for _, g := range out.LogGroups {
			if got := sdk.ToInt32(g.RetentionInDays); int(got) != days {
				t.Errorf("%s is kept for %d days, want %d", sdk.ToString(g.LogGroupName), got, days)
			}
		}
	}
}

func TestLogs_RetentionFailureIsNotFatal(t *testing.T) {
	s := newStand(t)
	s.LogDays = 7
	s.cloud.Wire.Break(awstest.Fault{Operation: "CloudWatch Logs.PutRetentionPolicy", Status: 400, Code: "AccessDeniedException"})
	a := artifactOf(t, newProject(), platformtest.NewApp("one"))
	_, err := s.Publish(t.Context(), a, wanted(env(a)), t.Logf)
	must(t, err)
}
