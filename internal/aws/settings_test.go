package aws_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awstest"
)

// TestSettings_FollowProjectAndFile: the settings of anchor.json count over those of the project, are applied
// once, and go when they are removed; the role goes with the project.
func TestSettings_FollowProjectAndFile(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	const server = "anchor-shop-server"
	memory := func() string {
		return strings.TrimSpace(s.CLI(t, "lambda", "get-function-configuration", "--function-name", server, "--query", "[MemorySize,Role]", "--output", "text"))
	}
	tags := func() string { return s.CLI(t, "lambda", "get-function", "--function-name", server, "--query", "Tags") }
	alarms := func() string {
		return s.CLI(t, "cloudwatch", "describe-alarms", "--query", "MetricAlarms[].AlarmName")
	}
	record := func() anchor.SettingsRecord {
		t.Helper()
		r, err := s.store.ProjectSettings(t.Context(), s.project.ID)
		must(t, err)
		return r
	}
	set, err := anchor.ParseSettings([]byte(`{"memory": 2048, "tags": {"Team": "web"}, "alarms": {"errors": 5}}`))
	must(t, err)
	must(t, s.store.SetProjectSettings(t.Context(), s.project.ID, set))
	s.deploy(t, twoFunctions("one"))
	role := "role/anchor/anchor-" + string(s.project.ID)
	if got := memory(); !strings.HasPrefix(got, "2048") || !strings.HasSuffix(got, role) {
		t.Errorf("the function has %s", got)
	}
	if !strings.Contains(tags(), `"Team": "web"`) || !strings.Contains(alarms(), server+"-errors") || len(record().AppliedTo) < 2 {
		t.Errorf("applied are %s, %s, %+v", tags(), alarms(), record())
	}

	calls := s.Wire.Record()
	s.deploy(t, twoFunctions("two").With(anchor.SettingsFile, `{"projectId": "x", "aws": {"memory": 3072}}`))
	for _, c := range calls() {
		if slices.Contains([]string{"CloudWatch.PutMetricAlarm", "Lambda.TagResource", "IAM.PutRolePolicy", "IAM.CreateRole"}, c.Operation) {
			t.Errorf("nothing has changed, and the deployment calls %s", c.Operation)
		}
	}
	if got := memory(); !strings.HasPrefix(got, "3072") || record().File.Memory != 3072 {
		t.Errorf("with an anchor.json the function has %s, and the record %+v", got, record().File)
	}

	must(t, s.store.SetProjectSettings(t.Context(), s.project.ID, anchor.Settings{Tags: map[string]string{"Cost": "7"}}))
	s.Wire.Break(awstest.Fault{Operation: "Lambda.TagResource", Status: 403, Code: "AccessDeniedException"})
	if err := s.platform.ApplySettings(t.Context(), s.project.ID, false); err == nil || record().Failure == "" {
		t.Errorf("a refused call is not a failure: %v, %+v", err, record())
	}
	s.Wire.Mend()
	must(t, s.platform.ApplySettings(t.Context(), s.project.ID, false))
	if strings.Contains(tags(), "Team") || !strings.Contains(tags(), `"Cost": "7"`) || strings.Contains(alarms(), server) || record().Failure != "" {
		t.Errorf("after the change there are %s, %s, %+v", tags(), alarms(), record())
	}

	must(t, s.store.RetireProject(t.Context(), s.project.ID))
	for attempt := 0; ; attempt++ {
		err := s.platform.RemoveProject(t.Context(), s.project.ID)
		if err == nil {
			break
		}
		if anchor.KindOf(err) != anchor.KindBusy || attempt == 20 {
			t.Fatal(err)
		}
	}
	if left := s.CLI(t, "iam", "list-roles"); strings.Contains(left, role) {
		t.Errorf("the role is left: %s", left)
	}
}
