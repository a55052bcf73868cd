package cli

import (
	"bytes"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

func TestDivided(t *testing.T) {
	live := []wire.Serving{
		{Project: wire.Project{Project: anchor.Project{Slug: "well"}}, DeploymentID: "d1", Version: "v1"},
		{Project: wire.Project{Project: anchor.Project{Slug: "shop"}}, DeploymentID: "d2", Version: "v2", DividedSince: 1_000},
	}
	var out bytes.Buffer
	divided(&out, live)
	text := strings.Join(strings.Fields(out.String()), " ")
	for _, want := range []string{"Since 1970-01-01T00:00:01Z some requests for shop", "another deployment than v2", "anchor promote d2 --project shop"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q does not say %q", text, want)
		}
	}
	if strings.Contains(text, "well") {
		t.Errorf("%q names a project whose traffic is whole", text)
	}
}

// TestEnding_TrafficDoesNotFollow: a deployment that is live in the records only is not a success.
func TestEnding_TrafficDoesNotFollow(t *testing.T) {
	d := wire.Deployment{Deployment: anchor.Deployment{ID: "d1", Status: anchor.Deployed}}
	if err := endingError(d); err != nil {
		t.Errorf("a deployed one ends with %v", err)
	}
	d.ErrorStep, d.ErrorMessage = "release", "lambda:UpdateAlias is not allowed"
	if err := endingError(d); anchor.CodeOf(err) != "traffic_divided" || !strings.Contains(err.Error(), d.ErrorMessage) {
		t.Errorf("it ends with %v", err)
	}
	d.Status = anchor.DeployFailed
	if hint := anchor.HintOf(endingError(d)); !strings.Contains(hint, "anchor status") || strings.Contains(hint, "was not affected") {
		t.Errorf("a failed switch is called harmless: %q", hint)
	}
}
