//go:build slow

package e2e

import (
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/artifact/opennext"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
)

// TestStand drives an installation on AWS from its plan to its removal, as a user does: bin/anchor,
// requests to the HTTP API, a visitor's. The handlers' real zip runs in the emulator. What is in
// the account is read with boto3. docs/conformance.md says which rows of the contract this shows.
func TestStand(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	if !t.Run("plan and bootstrap", s.bootstraps) {
		return
	}
	app := &standApp{stand: s}
	if !t.Run("deploy", app.deploys) {
		return
	}
	t.Run("rollback and promote by HTTP", app.rollsBack)
	t.Run("cold starts after a rollback", app.countsColdStarts)
	t.Run("a cron", app.runsCrons)
	t.Run("a warmer", app.keepsInstancesStarted)
	t.Run("an edge that does not know the release yet", app.agreesWithOldEdges)
	t.Run("a call that is dropped after it took effect", app.survivesDrops)
	t.Run("a switch that AWS refuses", app.undoesRefusedSwitches)
	t.Run("a switch that can neither finish nor go back", app.reportsDividedTraffic)
	t.Run("a domain by HTTP", app.servesDomain)
	t.Run("a build in the account", app.buildsCommit)
	t.Run("destroy", s.destroys)
}

// bootstraps plans and creates the installation, and compares it with what the contract says of
// the handlers.
func (s *stand) bootstraps(t *testing.T) {
	var plan struct {
		Changes []struct{ Action, Resource string }
	}
	s.must(t, &plan, "aws", "plan", "--arch", architecture())
	if len(plan.Changes) < 20 {
		t.Errorf("the plan has %d changes", len(plan.Changes))
	}
	if h := s.look(t); len(h.Functions)+len(h.Tables)+len(h.Roles)+len(h.Stacks) != 0 {
		t.Errorf("the plan left %+v", h)
	}
	s.must(t, &s.made, "aws", "bootstrap", "--arch", architecture())
	s.readToken(t)
	h := s.look(t)
	roles := map[string]bool{}
	for name, want := range map[string][2]int{
		"anchor-deploy": {300, 512}, "anchor-rollback": {30, 256}, "anchor-domains": {30, 256}, "anchor-api": {30, 512}, "anchor-crons": {900, 128},
	} {
		f := h.Functions[name]
		if f.Runtime != "provided.al2023" || f.Timeout != want[0] || f.Memory != want[1] {
			t.Errorf("%s is %+v, want %d s and %d MB", name, f, want[0], want[1])
		}
		roles[f.Role] = true
	}
	if len(roles) != 5 {
		t.Errorf("the handlers' roles are %v", roles)
	}
	for what, list := range map[string][]string{
		"anchor-projects anchor-deployments anchor-domains": h.Tables, "anchor": h.APIs, "anchor-build": h.Builds, "anchor-reconcile anchor-alarm-fired": h.Rules,
	} {
		for name := range strings.FieldsSeq(what) {
			if !slices.Contains(list, name) {
				t.Errorf("%s is not in %v", name, list)
			}
		}
	}
	if !slices.Equal(h.ScheduleGroups, []string{"anchor"}) {
		t.Errorf("the groups of schedules are %v", h.ScheduleGroups)
	}
	if code := s.call(t, http.MethodGet, "/projects", nil, nil); code != http.StatusOK {
		t.Errorf("the API answers %d", code)
	}
}

// standApp is the project of the test, with its first two deployments: an app of Next.js and a tiny one.
type standApp struct {
	*stand
	site     string // its URL
	one, two release
}

// release is a deployment, with a text in its front page.
type release struct {
	deployed
	text string
}

// deploys makes two deployments.
func (a *standApp) deploys(t *testing.T) {
	a.one = a.deploy(t, variant(t, 1), LabelOf(1))
	chunks := chunkURL.FindAllString(a.get(t, a.one.URL+"/").Body, -1)
	a.two = a.deploy(t, tinyApp(t, "two"), "two")
	for _, chunk := range chunks {
		if p := a.get(t, a.one.URL+chunk); p.Status != 200 || p.Header.Get("Cache-Control") != "public,max-age=31536000,immutable" {
			t.Errorf("after the second deployment %s is %d, %v", chunk, p.Status, p.Header)
		}
	}
	if sent := a.proxy.logged(`execute-api\S* POST /projects/shop/deployments application/gzip`); len(chunks) == 0 || len(sent) == 0 {
		t.Errorf("there are %d chunks, and no manifest went through the gateway compressed", len(chunks))
	}
	h := a.look(t)
	for _, d := range h.Distributions {
		if d.HTTP != "http2and3" || !d.Enabled || d.Function != 1 || d.Tags["ManagedBy"] != "anchor-deploy" {
			t.Errorf("the distribution is %+v", d)
		}
	}
	if len(h.Distributions) != 1 || len(h.Stores) != 1 || !slices.Contains(h.Queues, "anchor-shop-revalidate.fifo") {
		t.Errorf("the site has %v, %v, %v", h.Distributions, h.Stores, h.Queues)
	}
}

// rollsBack rolls back and promotes by the HTTP API, and sends what it refuses.
func (a *standApp) rollsBack(t *testing.T) {
	var back struct {
		DeploymentID, RolledBackTo, PreviousVersion, NewAliasVersion, Message string
		RollbackTimeMs                                                        *int64
	}
	code := a.rollback(t, a.one.DeploymentID, &back)
	if code != 200 || back.RolledBackTo != a.one.DeploymentID ||
		back.PreviousVersion != "2" || back.NewAliasVersion != "1" || back.RollbackTimeMs == nil || back.Message == "" {
		t.Errorf("the rollback answers %d: %+v", code, back)
	}
	a.wantLive(t, a.one)
	if code := a.rollback(t, "", nil); code != 400 {
		t.Errorf("a rollback without a target answers %d", code)
	}
	if code := a.rollback(t, "01arz3ndektsv4rrffq69g5fav", nil); code != 404 {
		t.Errorf("a rollback to an unknown deployment answers %d", code)
	}
	if code := a.call(t, http.MethodPost, "/projects/shop/deployments/"+a.two.DeploymentID+"/promote", map[string]string{}, nil); code != 200 {
		t.Errorf("promote answers %d", code)
	}
	a.wantLive(t, a.two)
}

// countsColdStarts rolls back to a deployment whose process has ended: the first request after the rollback
// meets a process that began before it was sent.
func (a *standApp) countsColdStarts(t *testing.T) {
	var three deployed
	a.must(t, &three, "deploy", "--prebuilt", tinyApp(t, "cold"), "--project", "shop")
	end := func() {
		t.Helper()
		preview := a.get(t, a.site+"/__anchor/preview/"+a.two.DeploymentID)
		cookie, _, _ := strings.Cut(preview.Header.Get("Set-Cookie"), ";")
		a.get(t, a.site+"/crash", "Cookie", cookie)
	}
	first := func(headers ...string) string {
		t.Helper()
		asked := strconv.FormatInt(time.Now().UnixMilli(), 10)
		return a.get(t, a.site+"/start", append(headers, "X-Asked", asked)...).Body
	}
	end()
	a.goBack(t, a.two)
	if got := first(); got != "warm" {
		t.Errorf("the first request after a rollback meets a process that is %q", got)
	}
	end()
	if got := first(); got != "cold" {
		t.Errorf("a request to a function whose process has ended meets one that is %q", got)
	}
	a.wantLive(t, a.two)
}

// runsCrons deploys an app with crons, runs one by command, and rolls back to an app without any.
func (a *standApp) runsCrons(t *testing.T) {
	const path = "/cron?version=crons"
	app := platformtest.NewApp("crons").Images("crons").
		With(opennext.CronsFile, `[{"path": "`+path+`", "schedule": "0 5 1 * 1"}, {"path": "/none", "schedule": "0 5 * * *"}]`)
	a.must(t, &struct{}{}, "env", "set", "CRON_SECRET=hidden", "--project", "shop")
	a.must(t, &deployed{}, "deploy", "--prebuilt", app.Write(t), "--project", "shop")
	eventually(t, "the schedules follow the deployment", func() bool { return len(a.look(t).Schedules) == 3 })
	if out, errs, code := a.run(t, "crons", "run", path, "--project", "shop"); code != 0 {
		t.Errorf("a cron ends with %d:\n%s%s", code, out, errs)
	}
	if out, errs, code := a.run(t, "crons", "run", "/none", "--project", "shop"); code == 0 || !strings.Contains(errs, "404") {
		t.Errorf("a cron whose path is not there ends with %d:\n%s%s", code, out, errs)
	}
	var crons struct {
		Items []struct {
			Path    string
			NextAt  int64
			LastRun struct{ Status string }
		}
	}
	if code := a.call(t, http.MethodGet, "/projects/shop/crons", nil, &crons); code != 200 || len(crons.Items) != 2 ||
		crons.Items[0].LastRun.Status != "succeeded" || crons.Items[1].LastRun.Status != "failed" || crons.Items[0].NextAt == 0 {
		t.Errorf("the crons answer %d: %+v", code, crons)
	}
	a.goBack(t, a.two)
	eventually(t, "the schedules follow the rollback", func() bool { return len(a.look(t).Schedules) == 0 })
	a.wantLive(t, a.two)
}

// keepsInstancesStarted has the live version of a build by OpenNext answer the events of its warmer, and delivers the event of the
// schedule, as AWS does every five minutes.
func (a *standApp) keepsInstancesStarted(t *testing.T) {
	a.goBack(t, a.one)
	a.must(t, &struct{}{}, "projects", "set", "warmer=2", "--project", "shop")
	var schedule string
	eventually(t, "the warmer has a schedule", func() bool {
		schedules := a.look(t).Schedules
		if len(schedules) != 1 {
			return false
		}
		schedule = schedules[0]
		return true
	})
	var held struct {
		Target             struct{ Arn, Input string }
		ScheduleExpression string
	}
	if err := json.Unmarshal([]byte(a.cloud.CLI(t, "scheduler", "get-schedule", "--group-name", "anchor", "--name", schedule)), &held); err != nil {
		t.Fatal(err)
	}
	if held.ScheduleExpression != "rate(5 minutes)" {
		t.Errorf("the schedule is %q", held.ScheduleExpression)
	}
	const events = `^lambda Invoke \S*/functions/\S*anchor-shop-server`
	before := len(a.proxy.logged(events))
	if out := a.cloud.CLI(t, "lambda", "invoke", "--function-name", held.Target.Arn, "--payload", held.Target.Input, os.DevNull); strings.Contains(out, "FunctionError") {
		t.Errorf("the event ends with %s", out)
	}
	if sent := a.proxy.logged(events)[before:]; len(sent) != 2 {
		t.Errorf("the server function was invoked by %q, want two events", sent)
	}
	a.wantLive(t, a.one)
	a.must(t, &struct{}{}, "projects", "set", "warmer=none", "--project", "shop")
	eventually(t, "the schedule is gone", func() bool { return len(a.look(t).Schedules) == 0 })
	a.goBack(t, a.two)
	a.wantLive(t, a.two)
}

// agreesWithOldEdges asks an edge that the switch of CloudFront's store has not reached, while the
// aliases have moved: a page's public files are those of its own deployment.
func (a *standApp) agreesWithOldEdges(t *testing.T) {
	var next deployed
	a.must(t, &next, "deploy", "--prebuilt", tinyApp(t, "next"), "--project", "shop", "--no-release")
	reach := a.edge.Hold()
	if p := a.get(t, a.site+"/"); p.Body != a.two.text {
		t.Errorf("before the switch a visitor gets %q", p.Body)
	}
	purged := len(a.proxy.logged(`^cloudfront POST .*/invalidation`))
	promote := "/projects/shop/deployments/" + next.DeploymentID + "/promote"
	if code := a.call(t, http.MethodPost, promote, map[string]string{}, nil); code != 200 {
		t.Errorf("promote answers %d", code)
	}
	eventually(t, "the deploy handler has invalidated what CloudFront has cached", func() bool {
		return len(a.proxy.logged(`^cloudfront POST .*/invalidation`)) > purged
	})
	page := a.get(t, a.site+"/")
	cookie, _, _ := strings.Cut(page.Header.Get("Set-Cookie"), ";")
	if page.Body != "next" || page.Header.Get("Cache-Control") != "private, no-store" || !strings.HasPrefix(cookie, "__anchor_page=") {
		t.Errorf("the page is %q with %v", page.Body, page.Header)
	}
	if file := a.get(t, a.site+"/public.txt", "Cookie", cookie); file.Body != "public of next" {
		t.Errorf("the page's file is %q", file.Body)
	}
	if file := a.get(t, a.site+"/public.txt"); file.Body != "public of two" {
		t.Errorf("the file of a page that the edge has cached is %q", file.Body)
	}
	reach()
	if page := a.get(t, a.site+"/", "Cookie", cookie); page.Body != "next" || page.Header.Get("Set-Cookie") != "" {
		t.Errorf("after the switch the page is %q with %v", page.Body, page.Header)
	}
	if file := a.get(t, a.site+"/public.txt"); file.Body != "public of next" {
		t.Errorf("after the switch the file is %q", file.Body)
	}
	a.goBack(t, a.two)
	a.wantLive(t, a.two)
}

// survivesDrops cuts the connection of calls that AWS has already executed.
func (a *standApp) survivesDrops(t *testing.T) {
	dropped := map[string]func() int{}
	for _, call := range []string{
		`^lambda PublishVersion .*-server/`, `^lambda UpdateAlias .*-server/`, `^lambda UpdateAlias .*-image/`, `^dynamodb TransactWriteItems`,
		`^lambda Invoke .*/functions/anchor-deploy/`, `^cloudfront POST .*/invalidation`, `^cloudfront-keyvaluestore POST`,
	} {
		dropped[call] = a.proxy.breaks(t, standFault{call: regexp.MustCompile(call), times: 1, after: true})
	}
	a.deploy(t, tinyApp(t, "three"), "three")
	for call, mend := range dropped {
		if n := mend(); n == 0 {
			t.Errorf("no call was %s", call)
		}
	}
	mend := a.proxy.breaks(t, standFault{call: regexp.MustCompile(`^lambda UpdateAlias .*-server/`), times: 1, after: true})
	if code := a.rollback(t, a.two.DeploymentID, nil); code != 200 || mend() != 1 {
		t.Errorf("a rollback whose switch was cut off answers %d", code)
	}
	a.wantLive(t, a.two)
}

// undoesRefusedSwitches denies one function's alias: nothing of the switch may remain, whichever
// function it is, and the record has the cause.
func (a *standApp) undoesRefusedSwitches(t *testing.T) {
	four := tinyApp(t, "four")
	for _, function := range []string{"anchor-shop-server", "anchor-shop-image"} {
		mend := a.proxy.breaks(t, denied(function))
		out, errs, code := a.run(t, "deploy", "--prebuilt", four, "--project", "shop")
		if mend() == 0 || code != 1 || out != "" {
			t.Errorf("without UpdateAlias on %s a deploy ended with %d; stdout: %q", function, code, out)
		}
		says(t, errs, `(?m)^error: `, `lambda:UpdateAlias`)
		if last := a.records(t)[0]; last.Status != "deploy_failed" || last.ErrorStep != "release" || !strings.Contains(last.ErrorMessage, "lambda:UpdateAlias") {
			t.Errorf("without UpdateAlias on %s the record is %+v", function, last)
		}
		a.wantLive(t, a.two)

		mend = a.proxy.breaks(t, denied(function))
		var problem struct{ Code, Detail string }
		if code := a.rollback(t, a.one.DeploymentID, &problem); mend() == 0 || code != 500 || problem.Code != "switch_failed" {
			t.Errorf("without UpdateAlias on %s a rollback answers %d: %+v", function, code, problem)
		}
		a.wantLive(t, a.two)
	}
	mend := a.proxy.breaks(t, standFault{call: regexp.MustCompile(`^lambda UpdateAlias`), times: 2, status: 429, code: "TooManyRequestsException"})
	if code := a.rollback(t, a.one.DeploymentID, nil); code != 200 || mend() == 0 {
		t.Errorf("a rollback that was throttled answers %d", code)
	}
	a.wantLive(t, a.one)
}

// reportsDividedTraffic denies the server's alias the way forward and the image function's the way
// back. Status and API say so until the schedule has mended it.
func (a *standApp) reportsDividedTraffic(t *testing.T) {
	stuck := denied("anchor-shop-image")
	stuck.skip = 1
	forward, back := a.proxy.breaks(t, denied("anchor-shop-server")), a.proxy.breaks(t, stuck)
	var problem struct{ Code, Detail string }
	if code := a.rollback(t, a.two.DeploymentID, &problem); code != 500 || problem.Code != "traffic_divided" {
		t.Errorf("the rollback answers %d: %+v", code, problem)
	}
	var live struct {
		DeploymentID string
		DividedSince int64
	}
	if code := a.call(t, http.MethodGet, "/projects/shop/live", nil, &live); code != 200 || live.DividedSince == 0 || live.DeploymentID != a.one.DeploymentID {
		t.Errorf("live is %+v", live)
	}
	if out, _, _ := a.run(t, "status"); !strings.Contains(out, "some requests for shop may reach another deployment") {
		t.Errorf("anchor status says\n%s", out)
	}
	if forward() == 0 || back() == 0 {
		t.Error("a fault was not met")
	}
	eventually(t, "the schedule has mended it", func() bool {
		a.reconcile(t, "anchor-deploy")
		live.DividedSince = 0
		a.call(t, http.MethodGet, "/projects/shop/live", nil, &live)
		return live.DividedSince == 0
	})
	a.wantLive(t, a.one)
}

// servesDomain adds a domain and removes it.
func (a *standApp) servesDomain(t *testing.T) {
	const name = "shop.example.com"
	var added struct {
		DomainID, Domain, Status string
		DNSInstructions          struct{ RecordType, RecordName, RecordValue string }
		CloudfrontCname          struct{ RecordValue string }
	}
	if code := a.call(t, http.MethodPost, "/projects/shop/domains", map[string]string{"domain": name}, &added); code != 201 ||
		added.Status != "pending_validation" || added.DNSInstructions.RecordType != "CNAME" || added.CloudfrontCname.RecordValue == "" {
		t.Errorf("adding a domain answers %d: %+v", code, added)
	}
	for bad, want := range map[string]int{"192.0.2.1": 400, "localhost": 400, name: 409} {
		if code := a.call(t, http.MethodPost, "/projects/shop/domains", map[string]string{"domain": bad}, nil); code != want {
			t.Errorf("adding %s answers %d, want %d", bad, code, want)
		}
	}
	var h holdings
	eventually(t, "CloudFront has the domain", func() bool {
		a.reconcile(t, "anchor-domains")
		h = a.look(t)
		return len(h.Tenants) == 1
	})
	if tags := h.Certificates[name]; h.Tenants[0].Domain != name || tags["Project"] != "shop" || tags["ManagedBy"] != "anchor-deploy" {
		t.Errorf("there are the tenants %+v and certificates %+v", h.Tenants, h.Certificates)
	}
	if code := a.call(t, http.MethodGet, "/projects/shop/domains/"+added.DomainID, nil, nil); code != 200 {
		t.Errorf("the domain's record answers %d", code)
	}
	if code := a.call(t, http.MethodDelete, "/projects/shop/domains/"+added.DomainID, nil, nil); code/100 != 2 {
		t.Errorf("removing the domain answers %d", code)
	}
	eventually(t, "nothing of the domain is left", func() bool {
		a.reconcile(t, "anchor-domains")
		h = a.look(t)
		return len(h.Tenants) == 0 && len(h.Certificates) == 0
	})
}

// destroys removes the installation with its project. Nothing may be left in the account.
func (s *stand) destroys(t *testing.T) {
	if _, errs, code := s.run(t, "aws", "destroy", "--yes"); code == 0 {
		t.Errorf("an installation with a project is removed without --force: %s", errs)
	}
	if out, errs, code := s.run(t, "aws", "destroy", "--yes", "--force"); code != 0 {
		t.Fatalf("destroy ended with %d:\n%s%s", code, out, errs)
	}
	h := s.look(t)
	for what, left := range map[string][]string{
		"functions": slices.Collect(maps.Keys(h.Functions)), "buckets": slices.Collect(maps.Keys(h.Buckets)),
		"distributions": slices.Collect(maps.Keys(h.Distributions)), "certificates": slices.Collect(maps.Keys(h.Certificates)),
		"edge functions": h.EdgeFunctions, "stores": h.Stores, "queues": h.Queues, "tables": h.Tables, "roles": h.Roles, "stacks": h.Stacks,
		"APIs": h.APIs, "build projects": h.Builds, "rules": h.Rules, "schedules": h.Schedules, "schedule groups": h.ScheduleGroups, "parameters": h.Parameters, "log groups": h.Logs,
	} {
		if len(left) > 0 {
			t.Errorf("of the %s, %v are left", what, left)
		}
	}
	if _, err := os.Stat(s.made.TokenFile); err == nil {
		t.Log("the token's file is left")
	}
}

func denied(function string) standFault {
	return standFault{call: regexp.MustCompile(`^lambda UpdateAlias .*/functions/` + function + `/aliases/live$`), status: 403, code: "AccessDeniedException"}
}
