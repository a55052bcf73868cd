package api_test

import (
	"encoding/json"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api"
	"github.com/anchor-deploy/anchor/internal/api/apitest"
	steps "github.com/anchor-deploy/anchor/internal/deploy"
)

// observed is an api.Splits that has seen something.
type observed struct{}

func (observed) Observed(anchor.Live) (*anchor.Evidence, string) {
	return &anchor.Evidence{Seconds: 9, Candidate: anchor.SplitShare{Requests: 3, Errors: 1}}, "It waits."
}

func TestSplit(t *testing.T) {
	a := apitest.New(t, apitest.Options{})
	services := a.Services()
	services.Splits = observed{}
	base := apitest.Serve(t, services, api.Options{}, nil)
	call(t, base, "POST", "/projects", apitest.AdminToken, `{"slug":"shop"}`, nil).is(t, 201)
	p, err := a.Projects.Get(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	var ids [2]string
	for i := range ids {
		d := anchor.Deployment{
			ID: anchor.DeploymentID(anchor.NewID()), ProjectID: p.ID, Status: anchor.Deployed, Version: "v" + string(rune('1'+i)), SkewID: string(rune('a' + i)),
			Functions: map[string]anchor.FunctionVersion{"default": {Version: "1"}},
		}
		if err := a.Records.CreateDeployment(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Platform.Publish(t.Context(), steps.Artifact{Project: p, Deployment: d}, nil); err != nil {
			t.Fatal(err)
		}
		ids[i] = string(d.ID)
	}
	promote := func(id, body string) answer {
		return call(t, base, "POST", "/projects/shop/deployments/"+id+"/promote", apitest.DeployToken, body, nil)
	}
	const path = "/projects/shop/split"
	promote(ids[0], `{"split":{"weight":10}}`).isProblem(t, 409, "nothing_live")
	promote(ids[0], "").is(t, 200)
	call(t, base, "GET", path, apitest.ReadToken, "", nil).isProblem(t, 404, "no_split")
	call(t, base, "DELETE", path, apitest.DeployToken, "", nil).isProblem(t, 409, "no_split")
	for body, code := range map[string]string{
		`{"split":{"weight":0}}`: "bad_field", `{"split":{"weight":100}}`: "bad_field", `{"split":{}}`: "bad_field",
		`{"split":{"weight":10,"then":[5],"everySeconds":5}}`: "bad_split", `{"split":{"weight":10},"forceReload":true}`: "bad_split",
	} {
		promote(ids[1], body).isProblem(t, 400, code)
	}
	type shown struct {
		DeploymentID, LiveDeploymentID, Version, LiveVersion, Waiting, Message, NewLabel, PreviousLabel string
		Weight                                                                                          int
		Sticky, Live                                                                                    bool
		Then                                                                                            []int
		NextAt                                                                                          int64
		Traffic                                                                                         *anchor.Evidence
	}
	read := func(what string, a answer) (s shown) {
		t.Helper()
		a.is(t, 200)
		if err := json.Unmarshal([]byte(a.body), &s); err != nil {
			t.Fatalf("%s: %v in %s", what, err, a.body)
		}
		return s
	}
	s := read("promote", promote(ids[1], `{"split":{"weight":10,"then":[50,100],"everySeconds":60,"guard":true}}`))
	if s.DeploymentID != ids[1] || s.Weight != 10 || s.NewLabel != "v2" || s.PreviousLabel != "v1" || s.Message != "v2 gets 10 % of the traffic of shop" {
		t.Errorf("%+v", s)
	}
	s = read("split", call(t, base, "GET", path, apitest.ReadToken, "", nil))
	if s.DeploymentID != ids[1] || s.LiveDeploymentID != ids[0] || s.Version != "v2" || s.LiveVersion != "v1" || s.Weight != 10 || s.Sticky ||
		len(s.Then) != 2 || s.NextAt == 0 || s.Waiting != "It waits." || s.Traffic == nil || s.Traffic.Candidate.Errors != 1 {
		t.Errorf("%+v", s)
	}
	for i, want := range []struct {
		live   bool
		weight int
	}{{true, 0}, {false, 10}} {
		if s := read("deployment", call(t, base, "GET", "/projects/shop/deployments/"+ids[i], apitest.ReadToken, "", nil)); s.Live != want.live || s.Weight != want.weight {
			t.Errorf("deployment %d: %+v", i, s)
		}
	}
	if s := read("cancel", call(t, base, "DELETE", path, apitest.DeployToken, "", nil)); s.DeploymentID != ids[0] || s.Weight != 0 || s.NewLabel != "v1" || s.PreviousLabel != "v2" {
		t.Errorf("%+v", s)
	}
	call(t, base, "GET", path, apitest.ReadToken, "", nil).isProblem(t, 404, "no_split")
}
