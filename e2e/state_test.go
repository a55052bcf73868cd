package e2e

import (
	"slices"
	"testing"
)

// live returns the deployment that is live according to the records.
func (a *anchor) live(t *testing.T) string {
	t.Helper()
	var live struct{ DeploymentID string }
	if code, err := a.call("GET", "/projects/shop/live", nil, &live); code != 200 || err != nil {
		t.Fatal(code, err)
	}
	return live.DeploymentID
}

// settled asserts that every deployment has ended in a terminal status, or has one of the
// statuses in also.
func (a *anchor) settled(t *testing.T, also ...string) {
	t.Helper()
	var projects struct{ Items []struct{ Slug string } }
	if code, err := a.call("GET", "/projects?limit=100", nil, &projects); code != 200 || err != nil {
		t.Fatal(code, err)
	}
	for _, p := range projects.Items {
		var list struct {
			Items []struct{ DeploymentID, Status, ErrorStep, ErrorMessage string }
		}
		if code, err := a.call("GET", "/projects/"+p.Slug+"/deployments?limit=100", nil, &list); code != 200 || err != nil {
			t.Fatal(code, err)
		}
		for _, d := range list.Items {
			switch d.Status {
			case "deployed", "superseded", "canceled":
			case "deploy_failed", "build_failed":
				if d.ErrorStep == "" || d.ErrorMessage == "" {
					t.Errorf("%s failed without a word: %+v", d.DeploymentID, d)
				}
			default:
				if !slices.Contains(also, d.Status) {
					t.Errorf("%s is still %s", d.DeploymentID, d.Status)
				}
			}
		}
	}
}
