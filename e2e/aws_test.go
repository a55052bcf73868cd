//go:build slow

package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestReleasesOnAWS is TestReleases for a user who moved to AWS: the same commands, with every
// event delivered to Lambda twice.
func TestReleasesOnAWS(t *testing.T) {
	t.Parallel()
	a := onAWS(t)
	a.twice = true
	first := variant(t, 1)
	one := a.deploy(first, "shop", "--commit", "1f0c7be6f2bd", "--branch", "main", "--message", "first")
	s := a.shop(t, one)
	live := func() string { return s.get("/dynamic").want(t, 200).find(t, versionMeta) }
	if one.Status != "deployed" || one.FilesSent == 0 || live() != Label {
		t.Fatalf("after the first deploy: %+v, live %s", one, live())
	}
	a.wantLive(t, "shop", one.DeploymentID)

	t.Run("the same build again sends no file", func(t *testing.T) {
		again := a.deploy(variant(t, 1), "again")
		if again.FilesSent != 0 || again.FilesSkipped == 0 {
			t.Errorf("sent %d files, skipped %d", again.FilesSent, again.FilesSkipped)
		}
	})
	t.Run("the site", func(t *testing.T) { a.visit(t, s) })

	t.Run("function:live answers CloudFront and nobody else", func(t *testing.T) {
		direct := a.invoker(t, "anchor-shop-server")
		if p, err := direct.get(t, "/dynamic"); err != nil || p.Status != 200 || p.find(t, versionMeta) != Label {
			t.Errorf("with the secret: %d, %v", p.Status, err)
		}
		direct.secret = "guessed"
		if p, err := direct.get(t, "/dynamic"); err != nil || p.Status != 403 || p.Body != "Forbidden\n" {
			t.Errorf("with another: %d %.100q, %v", p.Status, p.Body, err)
		}
	})

	chunks := chunkURL.FindAllString(s.get("/").Body, -1)
	two := a.deploy(variant(t, 2), "shop")
	t.Run("the next version is live and the old one's chunks are still there", func(t *testing.T) {
		if live() != LabelOf(2) || len(chunks) == 0 {
			t.Errorf("live is %s; the old page has the chunks %v", live(), chunks)
		}
		for _, c := range chunks {
			s.get(c).want(t, 200)
		}
		a.wantLive(t, "shop", two.DeploymentID)
	})
	t.Run("each deployment has a URL of its own", func(t *testing.T) {
		_, path, _ := strings.Cut(strings.TrimPrefix(one.DeploymentURL, "https://"), "/")
		cookie, _, _ := strings.Cut(s.get("/"+path).Header.Get("Set-Cookie"), ";")
		if got := s.get("/dynamic", "Cookie", cookie).want(t, 200).find(t, versionMeta); got != Label {
			t.Errorf("with the cookie %q of %s the site shows %s", cookie, one.DeploymentURL, got)
		}
	})
	t.Run("deployed without release is not live until it is promoted", func(t *testing.T) {
		three := a.deploy(variant(t, 3), "shop", "--no-release")
		if three.Status != "deployed" || live() != LabelOf(2) {
			t.Errorf("%+v, live is %s", three, live())
		}
		a.wantLive(t, "shop", two.DeploymentID)
		if _, errs, code := a.run("promote", three.DeploymentID, "--project", "shop", "--json"); code != 0 || live() != LabelOf(3) {
			t.Errorf("promote ended with %d: %s; live is %s", code, errs, live())
		}
		a.wantLive(t, "shop", three.DeploymentID)
	})
	t.Run("rollback", func(t *testing.T) { a.rollsBack(t, one) })
	t.Run("rollback's errors", func(t *testing.T) { a.refusesRollbacks(t, one.DeploymentID) })
	t.Run("environment variables are locked into the version", func(t *testing.T) { a.locksVariables(t, s) })
	t.Run("what a build leaves is deployed, too", func(t *testing.T) { a.deploysBuilds(t, first, one) })
	t.Run("a build that fails ends its deployment", a.endsFailedBuilds)
	t.Run("the log has what the app wrote", func(t *testing.T) {
		s.get("/api/log?msg=ahoy").want(t, 200)
		eventually(t, "the line is in the log", func() bool {
			out, _, code := a.run("logs", "--project", "shop")
			return code == 0 && strings.Contains(out, "ahoy")
		})
	})
	t.Run("every event came twice and none failed", func(t *testing.T) {
		a.running.Wait()
		if events := a.events(); len(events) == 0 || len(a.failed) > 0 {
			t.Errorf("%d events; failed: %v", len(events), a.failed)
		}
		a.settled(t)
	})
	t.Run("a deleted project is gone", func(t *testing.T) {
		if code, err := a.call(http.MethodDelete, "/projects/again", nil, nil); code != 202 || err != nil {
			t.Fatal(code, err)
		}
		eventually(t, "the schedule has removed it", func() bool {
			if _, err := a.handlers["anchor-deploy"].invoke(t.Context(), []byte(`{"reconcile": true}`)); err != nil {
				t.Fatal(err)
			}
			code, _ := a.call(http.MethodGet, "/projects/again", nil, nil)
			return code == 404
		})
		if list := a.cloud.CLI(t, "lambda", "list-functions"); strings.Contains(list, "anchor-again-") || !strings.Contains(list, "anchor-shop-server") {
			t.Errorf("left are %s", list)
		}
	})
}

// visit requests each kind of resource of a site.
func (a *account) visit(t *testing.T, s *site) {
	s.get("/").want(t, 200).has(t, "storefront-")
	for _, c := range chunkURL.FindAllString(s.get("/").Body, -1) {
		s.get(c).want(t, 200).header(t, "Cache-Control", "public,max-age=31536000,immutable")
	}
	var echo struct{ Sha256 string }
	s.post("/api/echo", "a body", "Content-Type", "application/octet-stream").want(t, 200).json(t, &echo)
	if echo.Sha256 != sha([]byte("a body")) {
		t.Errorf("a posted body came as %s", echo.Sha256)
	}
	s.get("/nowhere").want(t, 404)
}

// rollsBack rolls back to a deployment and checks the answer and the record.
func (a *account) rollsBack(t *testing.T, to deployed) {
	s := a.shop(t, to)
	before := a.records(t, "shop")[0].DeploymentID
	var was struct{ Version string }
	if code, err := a.call("GET", "/projects/shop/deployments/"+before, nil, &was); code != 200 || err != nil {
		t.Fatal(code, err)
	}
	events := len(a.events())
	var back struct {
		Message, DeploymentID, RolledBackTo, PreviousVersion, NewAliasVersion, PreviousLabel, NewLabel string
		RollbackTimeMs                                                                                 *int64
	}
	path := "/projects/" + to.ProjectID + "/rollback"
	if code, err := a.call("POST", path, map[string]string{"targetDeploymentId": to.DeploymentID}, &back); code != 200 || err != nil {
		t.Fatal(code, err)
	}
	if back.RolledBackTo != to.DeploymentID || back.DeploymentID == "" || back.PreviousLabel != was.Version || "v"+back.PreviousVersion != was.Version ||
		"v"+back.NewAliasVersion != to.Version || back.NewLabel != to.Version || back.RollbackTimeMs == nil || back.Message == "" {
		t.Errorf("the answer is %+v after version %s", back, was.Version)
	}
	if got := s.get("/dynamic").want(t, 200).find(t, versionMeta); got != Label {
		t.Errorf("live is %s", got)
	}
	a.wantLive(t, "shop", to.DeploymentID)
	// The deploy handler is asked for what follows the switch, once, and for nothing of the switch itself.
	if now := a.events(); len(now) != events+1 || !strings.Contains(strings.Join(now[events:], " "), `"switched":true`) {
		t.Errorf("the deploy handler was asked for %v", now[events:])
	}
	var record map[string]any
	if code, err := a.call("GET", "/projects/shop/deployments/"+back.DeploymentID, nil, &record); code != 200 || err != nil {
		t.Fatal(code, err)
	}
	arn, _ := record["lambdaServerAliasArn"].(string)
	if record["isRollback"] != true || record["rollbackTo"] != to.DeploymentID || record["status"] != "deployed" ||
		record["commitSha"] != "1f0c7be6f2bd" || !strings.HasSuffix(arn, ":function:anchor-shop-server:live") {
		t.Errorf("the record is %v", record)
	}
}

func (a *account) refusesRollbacks(t *testing.T, known string) {
	other := a.records(t, "again")[0].DeploymentID
	live := a.live(t)
	for name, c := range map[string]struct {
		project string
		body    any
		want    int
	}{
		"no target":          {"shop", map[string]string{}, 400},
		"unknown project":    {"nobody", map[string]string{"targetDeploymentId": known}, 404},
		"unknown deployment": {"shop", map[string]string{"targetDeploymentId": "01arz3ndektsv4rrffq69g5fav"}, 404},
		"foreign deployment": {"shop", map[string]string{"targetDeploymentId": other}, 404},
		"unknown field":      {"shop", map[string]string{"target": known}, 400},
	} {
		var problem struct{ Title, Detail, Code string }
		code, err := a.call("POST", "/projects/"+c.project+"/rollback", c.body, &problem)
		if code != c.want || err != nil || problem.Detail == "" {
			t.Errorf("%s: %d %+v %v, want %d", name, code, problem, err, c.want)
		}
	}
	if now := a.live(t); now != live {
		t.Errorf("live was %s and is %s", live, now)
	}
}

// locksVariables sets a variable, which the next deployment has and the one before does not.
func (a *account) locksVariables(t *testing.T, s *site) {
	seen := func() string {
		var env struct{ Shop map[string]string }
		s.get("/api/env").want(t, 200).json(t, &env)
		return env.Shop["SHOP_GREETING"]
	}
	if _, errs, code := a.run("env", "set", "SHOP_GREETING=ahoy", "--project", "shop"); code != 0 {
		t.Fatal(errs)
	}
	a.deploy(variant(t, 4), "shop")
	if got := seen(); got != "ahoy" {
		t.Errorf("the app sees %q", got)
	}
	if _, errs, code := a.run("rollback", "--project", "shop"); code != 0 {
		t.Fatal(errs)
	}
	if got := seen(); got != "" {
		t.Errorf("after the rollback the app sees %q", got)
	}
	out, _, code := a.run("releases", "--project", "shop", "--json")
	var list struct{ Items []struct{ Kind string } }
	if err := json.Unmarshal([]byte(out), &list); err != nil || code != 0 || len(list.Items) < 6 || list.Items[0].Kind != "rollback" {
		t.Errorf("releases ended with %d: %v: %s", code, err, out)
	}
}

// keyed sends an API request with an Idempotency-Key.
func (a *account) keyed(t *testing.T, method, path, key string, in any) ([]byte, int) {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, a.api+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+a.token)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", key)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	out, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return out, res.StatusCode
}
