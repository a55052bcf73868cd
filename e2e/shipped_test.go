//go:build slow

package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"testing"

	"github.com/anchor-deploy/anchor/internal/aws/awstest"
)

// TestShippedBinary runs the result of make build, which contains the aws commands and the
// handlers' code, against an empty account. All other tests run these in one process.
func TestShippedBinary(t *testing.T) {
	t.Parallel()
	cloud := awstest.MiniStack(t)
	env := append(os.Environ(), cloud.Env()...)
	env = append(env, "HOME="+t.TempDir(), "XDG_CACHE_HOME="+t.TempDir())
	run := func(into any, args ...string) {
		t.Helper()
		cmd := exec.Command("../bin/anchor", append(args, "--json")...)
		cmd.Env, cmd.Stderr = env, os.Stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("anchor %v: %v\n%s", args, err, out)
		}
		if err := json.Unmarshal(out, into); err != nil {
			t.Fatalf("anchor %v prints %s: %v", args, out, err)
		}
	}
	var carrier struct{ Version string }
	run(&carrier, "version")
	var plan struct {
		To      string
		Changes []struct{ Action, Resource string }
	}
	run(&plan, "aws", "plan")
	if len(plan.Changes) == 0 || plan.To != carrier.Version {
		t.Errorf("anchor %s plans %d changes to anchor %s", carrier.Version, len(plan.Changes), plan.To)
	}
	var made struct {
		APIURL  string
		Created bool
	}
	run(&made, "aws", "bootstrap")
	if !made.Created || made.APIURL == "" {
		t.Errorf("it made %+v", made)
	}
}
