package api_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/apitest"
	"github.com/anchor-deploy/anchor/internal/api/client"
	"github.com/anchor-deploy/anchor/internal/api/wire"
	"github.com/anchor-deploy/anchor/internal/artifact"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
)

// deployAs deploys an app of a branch and returns the deployment.
func deployAs(t *testing.T, c *client.Client, r wire.StartDeployment) wire.Deployment {
	t.Helper()
	dir := platformtest.NewApp(r.CommitSha).Write(t)
	m, err := artifact.Scan(t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Manifest = m
	started, err := c.Start(t.Context(), "shop", r)
	if err != nil {
		t.Fatal(err)
	}
	id := started.Deployment.ID
	if _, err = c.Upload(t.Context(), "shop", id, client.Upload{Dir: dir, Manifest: m, Missing: started.Missing}); err != nil {
		t.Fatal(err)
	}
	if _, err = c.Finish(t.Context(), "shop", id); err != nil {
		t.Fatal(err)
	}
	return ended(t, c, id)
}

// ended returns a deployment at its end.
func ended(t *testing.T, c *client.Client, id anchor.DeploymentID) wire.Deployment {
	t.Helper()
	for _, err := range c.Watch(t.Context(), "shop", id) {
		if err != nil {
			t.Fatal(err)
		}
	}
	d, err := c.Deployment(t.Context(), "shop", id)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestPromote_PreviewRunsWithTheVariablesOfProduction(t *testing.T) {
	a := apitest.New(t, apitest.Options{})
	base := serve(t, a)
	c := client.New(base, apitest.AdminToken)
	if _, err := c.CreateProject(t.Context(), "shop", "main"); err != nil {
		t.Fatal(err)
	}
	err := c.SetEnv(t.Context(), "shop", []wire.SetVar{
		{Name: "API_URL", Value: "https://test.example", For: anchor.EnvRun, Environment: anchor.EnvPreview},
		{Name: "API_URL", Value: "https://live.example", For: anchor.EnvRun, Environment: anchor.EnvProduction},
		{Name: "NEXT_PUBLIC_B", Value: "1", For: anchor.EnvBuild}, {Name: "NEXT_PUBLIC_A", Value: "1", For: anchor.EnvBoth},
	})
	if err != nil {
		t.Fatal(err)
	}
	preview := deployAs(t, c, wire.StartDeployment{CommitSha: "c0ffee", Branch: "feature/x", NoRelease: true})
	call(t, base, "POST", "/projects/shop/rollback", apitest.DeployToken, fmt.Sprintf(`{"targetDeploymentId":%q}`, preview.ID), nil).
		isProblem(t, 409, "preview")

	at := "/projects/shop/deployments/" + string(preview.ID) + "/promote"
	answered := call(t, base, "POST", at, apitest.DeployToken, "", nil)
	answered.is(t, 202)
	promoted, err := c.Promote(t.Context(), "shop", preview.ID, wire.Promote{})
	if err != nil || !promoted.Redeployed || strings.Join(promoted.BuildVariables, " ") != "NEXT_PUBLIC_A NEXT_PUBLIC_B" {
		t.Fatalf("a preview is promoted as %+v, %v", promoted, err)
	}
	live := ended(t, c, promoted.DeploymentID)
	if live.ID == preview.ID || !live.Live || live.CommitSha != "c0ffee" || live.Branch != "feature/x" {
		t.Errorf("what is live is %+v", live)
	}
	for id, want := range map[anchor.DeploymentID]string{preview.ID: "https://test.example", live.ID: "https://live.example"} {
		vars, err := a.Env.Locked(t.Context(), id)
		if err != nil || vars["API_URL"] != want {
			t.Errorf("deployment %s runs with %v, %v", id, vars, err)
		}
	}
	// What was live once is promoted at once.
	first, err := c.Deployments(t.Context(), "shop", anchor.Page{})
	if err != nil || len(first.Items) != 3 {
		t.Fatalf("the deployments are %+v, %v", first.Items, err)
	}
	again, err := c.Promote(t.Context(), "shop", first.Items[1].ID, wire.Promote{})
	if err != nil || again.Redeployed || again.DeploymentID != first.Items[1].ID || again.NewLabel == "" {
		t.Errorf("a production deployment is promoted as %+v, %v", again, err)
	}
}

// The files of a fork never get the project's variables, by no route.
func TestPromote_ForkIsRefused(t *testing.T) {
	a := apitest.New(t, apitest.Options{})
	base := serve(t, a)
	c := client.New(base, apitest.AdminToken)
	p, err := c.CreateProject(t.Context(), "shop", "main")
	if err != nil {
		t.Fatal(err)
	}
	fork := anchor.Deployment{
		ID: anchor.DeploymentID(anchor.NewID()), ProjectID: p.ID, Branch: "pull/1", NoRelease: true, Fork: true,
		Status: anchor.Deployed, Version: "v1", Functions: map[string]anchor.FunctionVersion{},
	}
	if err := a.Records.CreateDeployment(t.Context(), fork); err != nil {
		t.Fatal(err)
	}
	call(t, base, "POST", "/projects/shop/deployments/"+string(fork.ID)+"/promote", apitest.AdminToken, "", nil).isProblem(t, 409, "fork")
	call(t, base, "POST", "/projects/shop/deployments", apitest.AdminToken, fmt.Sprintf(`{"filesOf":%q}`, fork.ID), nil).isProblem(t, 409, "fork")
}
