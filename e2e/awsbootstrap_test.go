package e2e

import (
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/aws/awstest"
)

// TestBootstrapRefusals covers users who cannot create an installation, or look for it in the
// wrong place.
func TestBootstrapRefusals(t *testing.T) {
	t.Parallel()
	cloud := awstest.MiniStack(t)
	for name, c := range map[string]struct {
		env  []string
		args string
		code int
		says []string
	}{
		"no credentials":   {env: []string{"AWS_ACCESS_KEY_ID="}, args: "bootstrap", code: 4, says: []string{`no AWS credentials`, `aws configure`}},
		"no such region":   {args: "bootstrap --region mars-north-1", code: 2, says: []string{`"mars-north-1" is not an AWS region`}},
		"another region":   {args: "status --region us-west-2", code: 3, says: []string{`no installation anchor in account \d+, us-west-2`, `anchor aws bootstrap`}},
		"no such profile":  {args: "bootstrap --profile ghost", code: 2, says: []string{`no AWS profile "ghost"`}},
		"without handlers": {args: "bootstrap", code: 2, says: []string{`built without the code of the AWS handlers`, `make build`}},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := command(t.Context(), append([]string{"aws"}, strings.Fields(c.args)...)...)
			cmd.Env = append(append(cmd.Env, cloud.Env()...), c.env...)
			cmd.Env = append(cmd.Env, "XDG_CONFIG_HOME="+t.TempDir(), "ANCHOR_E2E_HANDLERS="+t.TempDir())
			out, _ := cmd.CombinedOutput()
			if code := cmd.ProcessState.ExitCode(); code != c.code {
				t.Errorf("ended with %d, want %d", code, c.code)
			}
			says(t, string(out), append(c.says, `(?m)^error: `)...)
		})
	}
}
