//go:build slow

package e2e

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/anchor-deploy/anchor/internal/aws/install"
)

// accepted are checkov's findings that we live with, and why.
var accepted = map[string]string{
	"CKV_AWS_18":  "access logs of a bucket go to another bucket: nobody but CloudFront, the sites and the handlers reads this one",
	"CKV_AWS_21":  "files are named by their content or their deployment and never overwritten; the incremental cache is a cache",
	"CKV_AWS_27":  "the queue is encrypted with SQS's own key (SqsManagedSseEnabled), which checkov does not count",
	"CKV_AWS_28":  "backups are on by default: the parameter PointInTimeRecovery, which checkov does not evaluate",
	"CKV_AWS_111": "creations that AWS grants on * only, because there is no resource yet (CreateDistribution and its like; the network interfaces and traces of functions)",
	"CKV_AWS_115": "a reserved concurrency would take it from the sites, and new accounts have too little to reserve",
	"CKV_AWS_116": "events that failed go to FailedEvents by an on-failure destination, which replaces a dead-letter queue",
	"CKV_AWS_117": "the handlers call AWS's public endpoints only; a VPC would need a NAT gateway, which costs money when idle",
	"CKV_AWS_119": "the tables are encrypted with DynamoDB's own key; secrets in them are encrypted with the installation's",
	"CKV_AWS_158": "logs are encrypted with CloudWatch's own key, and hold no secrets",
	"CKV_AWS_173": "no variable of a handler is a secret: the key is in the Parameter Store",
}

// TestStandTemplate_Checkov runs checkov on the template that bootstrap applies. Each finding is
// explained above, and each explanation has a finding.
func TestStandTemplate_Checkov(t *testing.T) {
	t.Parallel()
	tool, err := filepath.Abs("../.checkov/bin/checkov")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "template.yaml"), []byte(install.Template()), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), tool, "-d", dir, "--framework", "cloudformation", "--skip-download", "--output", "json")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if failed := (*exec.ExitError)(nil); err != nil && !errors.As(err, &failed) { // it ends with 1 when it found something
		t.Fatalf("%v (make checkov installs it)", err)
	}
	var report struct {
		Summary struct{ Passed, Failed int }
		Results struct {
			FailedChecks []struct {
				ID       string `json:"check_id"`
				Name     string `json:"check_name"`
				Resource string
			} `json:"failed_checks"`
		}
	}
	if err := json.Unmarshal(out, &report); err != nil || report.Summary.Passed == 0 {
		t.Fatalf("checkov reports %.500s (%v)", out, err)
	}
	found := map[string]bool{}
	for _, f := range report.Results.FailedChecks {
		found[f.ID] = true
		if accepted[f.ID] == "" {
			t.Errorf("%s: %s (%s)", f.Resource, f.Name, f.ID)
		}
	}
	for id := range accepted {
		if !found[id] {
			t.Errorf("%s is accepted and not found", id)
		}
	}
}
