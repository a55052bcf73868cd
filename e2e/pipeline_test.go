package e2e

import (
	"encoding/json"
	"net/http"
	"testing"
)

// TestReleases deploys, promotes and rolls back as a user does.
func TestReleases(t *testing.T) {
	t.Parallel()
	a := up(t)
	s := a.site(t, "shop")
	live := func() string { return s.get("/dynamic").want(t, 200).find(t, versionMeta) }

	one := a.deploy(variant(t, 1), "shop")
	if one.Status != "deployed" || live() != Label {
		t.Fatalf("after the first deploy: %+v, live %s", one, live())
	}

	t.Run("the same build again sends no file", func(t *testing.T) {
		again := a.deploy(variant(t, 1), "again")
		if again.FilesSent != 0 || again.FilesSkipped == 0 {
			t.Errorf("sent %d files, skipped %d", again.FilesSent, again.FilesSkipped)
		}
	})

	chunks := chunkURL.FindAllString(s.get("/").Body, -1)
	two := a.deploy(variant(t, 2), "shop")
	t.Run("the next version is live and the old one's chunks are still there", func(t *testing.T) {
		if live() != LabelOf(2) {
			t.Errorf("live is %s", live())
		}
		for _, c := range chunks {
			s.get(c).want(t, 200)
		}
	})
	t.Run("each deployment has a URL of its own", func(t *testing.T) {
		old := a.site(t, one.DeploymentID+"--shop")
		if got := old.get("/dynamic").want(t, 200).find(t, versionMeta); got != Label {
			t.Errorf("the first deployment's URL shows %s", got)
		}
	})
	t.Run("deployed without release is reachable and not live", func(t *testing.T) {
		three := a.deploy(variant(t, 3), "shop", "--no-release")
		if three.Status != "deployed" || live() != LabelOf(2) {
			t.Errorf("%+v, live is %s", three, live())
		}
		preview := a.site(t, three.DeploymentID+"--shop")
		if got := preview.get("/dynamic").want(t, 200).find(t, versionMeta); got != LabelOf(3) {
			t.Errorf("its own URL shows %s", got)
		}
		if _, errs, code := a.run("promote", three.DeploymentID, "--project", "shop", "--json"); code != 0 || live() != LabelOf(3) {
			t.Errorf("promote ended with %d: %s; live is %s", code, errs, live())
		}
		a.run("promote", two.DeploymentID, "--project", "shop")
	})
	t.Run("rollback by the API, as SPEC has it", func(t *testing.T) {
		var back struct {
			Message, DeploymentID, RolledBackTo, PreviousVersion, NewAliasVersion, PreviousLabel, NewLabel string
			RollbackTimeMs                                                                                 *int64
		}
		path := "/projects/" + one.ProjectID + "/rollback"
		if code, err := a.call("POST", path, map[string]string{"targetDeploymentId": one.DeploymentID}, &back); code != 200 || err != nil {
			t.Fatal(code, err)
		}
		if back.RolledBackTo != one.DeploymentID || back.DeploymentID == "" || back.PreviousLabel != two.Version || "v"+back.PreviousVersion != two.Version ||
			back.NewAliasVersion == "" || back.RollbackTimeMs == nil || back.Message == "" {
			t.Errorf("the answer is %+v", back)
		}
		if live() != Label {
			t.Errorf("live is %s", live())
		}
		var record map[string]any
		if code, err := a.call("GET", "/projects/shop/deployments/"+back.DeploymentID, nil, &record); code != 200 || err != nil {
			t.Fatal(code, err)
		}
		if record["isRollback"] != true || record["rollbackTo"] != one.DeploymentID || record["status"] != "deployed" {
			t.Errorf("the record is %v", record)
		}
	})
	t.Run("rollback's errors", func(t *testing.T) {
		other := a.deploy(variant(t, 1), "other")
		for name, c := range map[string]struct {
			project string
			body    any
			want    int
		}{
			"no target":          {"shop", map[string]string{}, 400},
			"unknown project":    {"nobody", map[string]string{"targetDeploymentId": one.DeploymentID}, 404},
			"unknown deployment": {"shop", map[string]string{"targetDeploymentId": "01arz3ndektsv4rrffq69g5fav"}, 404},
			"foreign deployment": {"shop", map[string]string{"targetDeploymentId": other.DeploymentID}, 404},
			"unknown field":      {"shop", map[string]string{"target": one.DeploymentID}, 400},
		} {
			var problem struct{ Title, Detail, Code string }
			code, err := a.call("POST", "/projects/"+c.project+"/rollback", c.body, &problem)
			if code != c.want || err != nil || problem.Detail == "" {
				t.Errorf("%s: %d %+v %v, want %d", name, code, problem, err, c.want)
			}
		}
		if live() != Label {
			t.Errorf("live is %s", live())
		}
	})
	t.Run("environment variables are locked into the version", func(t *testing.T) {
		shop := func() string {
			var env struct{ Shop map[string]string }
			s.get("/api/env").want(t, 200).json(t, &env)
			return env.Shop["SHOP_GREETING"]
		}
		for i, word := range []string{"ahoy", "avast"} {
			if _, errs, code := a.run("env", "set", "SHOP_GREETING="+word, "--project", "shop"); code != 0 {
				t.Fatal(errs)
			}
			a.deploy(variant(t, 4+i), "shop")
			if got := shop(); got != word {
				t.Errorf("the app sees %q, want %q", got, word)
			}
		}
		if _, errs, code := a.run("rollback", "--project", "shop"); code != 0 {
			t.Fatal(errs)
		}
		if got := shop(); got != "ahoy" {
			t.Errorf("after the rollback the app sees %q", got)
		}
	})
	t.Run("releases tell the story", func(t *testing.T) {
		out, _, code := a.run("releases", "--project", "shop", "--json")
		var list struct{ Items []struct{ Kind string } }
		if err := json.Unmarshal([]byte(out), &list); err != nil || code != 0 {
			t.Fatal(code, err, out)
		}
		if len(list.Items) < 7 || list.Items[0].Kind != "rollback" {
			t.Errorf("releases: %+v", list.Items)
		}
	})
	t.Run("a deleted project is gone", func(t *testing.T) {
		if code, err := a.call(http.MethodDelete, "/projects/other", nil, nil); code != 204 || err != nil {
			t.Fatal(code, err)
		}
		a.site(t, "other").get("/").want(t, 404)
	})
}

// TestRetention removes what no release may need.
func TestRetention(t *testing.T) {
	t.Parallel()
	a := up(t, "--keep", "2", "--skew-protection", "0")
	var ids []string
	for n := range 5 {
		ids = append(ids, a.deploy(variant(t, n+1), "shop").DeploymentID)
	}
	eventually(t, "old deployments are pruned", func() bool {
		return a.site(t, ids[0]+"--shop").get("/dynamic").Status == 404
	})
	code, err := a.call("POST", "/projects/shop/rollback", map[string]string{"targetDeploymentId": ids[0]}, nil)
	if code != http.StatusConflict || err != nil {
		t.Errorf("rollback to a pruned deployment: %d %v", code, err)
	}
	if _, errs, code := a.run("rollback", ids[3], "--project", "shop"); code != 0 {
		t.Errorf("rollback to a kept one: %s", errs)
	}
}
