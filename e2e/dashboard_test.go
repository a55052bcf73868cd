package e2e

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"

	"github.com/anchor-deploy/anchor/internal/access/oidc/oidctest"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
)

// hostile is text that must never become a part of a page.
const hostile = `<img src=x onerror="window.xss=1"><script>window.xss=1</script>`

// hostileApp is a small app whose function prints hostile text.
func hostileApp(t *testing.T, version string) string {
	t.Helper()
	const server = "server-functions/default/index.mjs"
	app := platformtest.NewApp(version)
	return app.With(server, fmt.Sprintf("console.error(%q);\n%s", hostile+" of "+version, app[server])).
		With("anchor-crons.json", `[{"path": "/api/digest", "schedule": "0 5 * * *"}]`).Write(t)
}

// dashboard is a browser that is signed in, with what it looks for on each page.
type dashboard struct {
	*browser
	api string
	axe string
}

func openDashboard(t *testing.T, a *anchor) *dashboard {
	t.Helper()
	code, err := os.ReadFile("axe/node_modules/axe-core/axe.min.js")
	if err != nil {
		t.Fatalf("%v; make axe installs it", err)
	}
	d := &dashboard{browser: newBrowser(t), api: a.api, axe: string(code)}
	d.shots = filepath.Join("artifacts", "dashboard")
	if err := os.MkdirAll(d.shots, 0o755); err != nil {
		t.Fatal(err)
	}
	return d
}

// visit opens a page and looks at it.
func (d *dashboard) visit(name, path string) {
	d.t.Helper()
	d.do("open "+path, chromedp.Navigate(d.api+"/dashboard"+path), chromedp.WaitReady("main h1, main h2"))
	d.look(name)
}

// look takes a picture of the page and checks it: no error, no violation of the policy or of the rules of
// accessibility, no hostile text that runs, and nothing wider than the window.
func (d *dashboard) look(name string) {
	d.t.Helper()
	d.shot(name)
	d.well(name)
	d.isHarmless(name)
	d.isAccessible(name)
	var wide int
	d.do("measure "+name, chromedp.Evaluate(`document.documentElement.scrollWidth - document.documentElement.clientWidth`, &wide))
	if wide > 0 {
		d.t.Errorf("%s is %d px wider than the window", name, wide)
	}
}

func (d *dashboard) isHarmless(name string) {
	d.t.Helper()
	var xss bool
	d.do("look for hostile text in "+name, chromedp.Evaluate(`window.xss === 1 || !!document.querySelector('img[src="x"]')`, &xss))
	if xss {
		d.t.Errorf("%s runs hostile text", name)
	}
}

func (d *dashboard) isAccessible(name string) {
	d.t.Helper()
	var found string
	const run = `axe.run(document, {resultTypes: ["violations"]}).then(r => JSON.stringify(
		r.violations.map(v => ({id: v.id, help: v.help, nodes: v.nodes.slice(0, 3).map(n => n.html.slice(0, 200) + " " + n.failureSummary)}))))`
	d.do("check accessibility of "+name, chromedp.Evaluate(d.axe+";0", nil), chromedp.Evaluate(run, &found, func(p *runtime.EvaluateParams) *runtime.EvaluateParams {
		return p.WithAwaitPromise(true)
	}))
	var violations []struct {
		ID, Help string
		Nodes    []string
	}
	if err := json.Unmarshal([]byte(found), &violations); err != nil {
		d.t.Fatal(err)
	}
	for _, v := range violations {
		d.t.Errorf("%s violates %s: %s\n%s", name, v.ID, v.Help, strings.Join(v.Nodes, "\n"))
	}
}

// submit clicks a button and waits for the message of the page that follows.
func (d *dashboard) submit(button, message string) {
	d.t.Helper()
	d.do("click "+button, chromedp.Click(button, chromedp.BySearch), chromedp.WaitVisible(fmt.Sprintf(`//*[contains(text(), %q)]`, message), chromedp.BySearch))
}

func (d *dashboard) fill(selector, text string) {
	d.t.Helper()
	d.do("fill "+selector, chromedp.WaitVisible(selector, chromedp.ByQuery), chromedp.SendKeys(selector, text, chromedp.ByQuery))
}

func (d *dashboard) text(selector string) (text string) {
	d.t.Helper()
	d.do("read "+selector, chromedp.Text(selector, &text, chromedp.ByQuery))
	return text
}

// signIn opens a link and presses the button.
func (d *dashboard) signIn(link string) {
	d.t.Helper()
	d.do("open the link", chromedp.Navigate(link), chromedp.WaitVisible("button.main"))
	d.look("sign-in-link")
	d.do("sign in", chromedp.Click("button.main"), chromedp.WaitVisible("header .who"))
}

// TestDashboard walks through the pages and actions of the dashboard on a server with deployments.
func TestDashboard(t *testing.T) {
	t.Parallel()
	provider := oidctest.New(t, oidctest.User{ID: "1", Name: "grace", Email: "grace@example.com"})
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte(oidctest.ClientSecret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a := up(t, "--oidc-issuer", provider.Issuer, "--oidc-client-id", oidctest.ClientID, "--oidc-client-secret-file", secret, "--oidc-name", "Example")
	provider.Register(a.api + "/dashboard/sign-in/oidc/callback")
	first := a.deploy(variant(t, 1), "shop", "--commit", "1f0c7be6f2bd", "--branch", "main", "--message", "Show the stock of each product")
	second := a.deploy(hostileApp(t, "two"), "shop", "--commit", "2f0c7be6f2bd", "--branch", hostile[:30], "--message", hostile)
	preview := a.deploy(hostileApp(t, "preview"), "shop", "--no-release", "--branch", "feature/"+hostile[:30], "--message", hostile)
	a.get(t, "shop", 20)
	if code, err := a.call(http.MethodPost, "/projects", map[string]string{"slug": "empty"}, nil); err != nil || code != 201 {
		t.Fatal(code, err)
	}
	out, errs, code := a.run("open", "--dashboard")
	if code != 0 {
		t.Fatal(errs)
	}
	d := openDashboard(t, a)
	d.visit("sign-in", "")
	d.signIn(strings.TrimSpace(out))
	d.look("projects")
	var paint float64
	d.do("read when it was painted", chromedp.Evaluate(`performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0`, &paint))
	t.Logf("the first paint of the projects came after %.0f ms", paint)

	t.Run("pages", func(t *testing.T) {
		d.t = t
		d.do("open the project", chromedp.Click(`//a[text()="shop"]`), chromedp.WaitVisible(`[data-drawn="yes"]`))
		d.look("project")
		for name, path := range map[string]string{
			"deployments": "/projects/shop/deployments", "deployments-none": "/projects/shop/deployments?q=nothing",
			"deployment": "/projects/shop/deployments/" + second.DeploymentID, "domains": "/projects/shop/domains",
			"variables": "/projects/shop/env", "settings": "/projects/shop/settings", "people": "/people", "tokens": "/tokens",
			"releases": "/projects/shop/releases", "previews": "/projects/shop/previews", "builds": "/projects/shop/builds", "crons": "/projects/shop/crons",
			"repository": "/projects/shop/repository", "errors": "/projects/shop/errors", "alerts": "/alerts", "redeploy": "/projects/shop/deployments/" + preview.DeploymentID + "/redeploy",
			"logs-none": "/projects/shop/logs?q=nothing+like+it&level=error&last=1h", "errors-of-deployment": "/projects/shop/errors?deployment=" + first.DeploymentID,
			"empty-releases": "/projects/empty/releases", "empty-previews": "/projects/empty/previews", "empty-errors": "/projects/empty/errors", "empty-crons": "/projects/empty/crons",
			"cache-none": "/projects/shop/cache?prefix=/nothing", "drains": "/drains", "backups": "/system/backups", "empty-cache": "/projects/empty/cache", "empty-variables": "/projects/empty/env",
			"deployment-of-app": "/projects/shop/deployments/" + first.DeploymentID, "audit": "/audit", "account": "/account", "system": "/system", "doctor": "/system/doctor",
			"empty-project": "/projects/empty", "empty-deployments": "/projects/empty/deployments", "empty-logs": "/projects/empty/logs",
		} {
			d.visit(name, path)
		}
		d.do("open the logs", chromedp.Navigate(a.api+"/dashboard/projects/shop/logs"), chromedp.WaitVisible(`.log .error`))
		if text := d.text(".log .error .text"); text != hostile+" of two" {
			t.Errorf("the line is %q", text)
		}
		d.look("logs")
		d.do("open the errors", chromedp.Navigate(a.api+"/dashboard/projects/shop/errors"), chromedp.Click(`td a.message`, chromedp.ByQuery), chromedp.WaitVisible(".stack-trace"))
		if text := d.text(".stack-trace"); !strings.HasPrefix(text, hostile+" of ") {
			t.Errorf("the error is %q", text)
		}
		d.look("error")
		d.do("show the lines around it", chromedp.Click(`//a[text()="Show the lines around it"]`), chromedp.WaitVisible(".log .error"))
	})
	t.Run("looks", func(t *testing.T) { d.looksWell(t, first.DeploymentID) })
	t.Run("switches", func(t *testing.T) {
		d.t = t
		d.visit("confirm-rollback", "/projects/shop/deployments/"+first.DeploymentID+"/rollback")
		d.submit(`//main//form//button`, "The project was rolled back.")
		d.visit("confirm-promote", "/projects/shop/deployments/"+second.DeploymentID+"/promote")
		d.submit(`//main//form//button`, "The deployment is live.")
		d.do("wait for the marks", chromedp.WaitVisible(`[data-drawn="yes"]`))
		d.look("project-after-switches")
	})
	t.Run("crons", func(t *testing.T) { d.t = t; d.runsCrons() })
	t.Run("releases step by step", func(t *testing.T) { d.t = t; d.dividesTraffic(t, a, first, second) })
	t.Run("deploys again", func(t *testing.T) { d.t = t; d.deploysAgain(t, preview) })
	t.Run("previews", func(t *testing.T) { d.t = t; d.protectsPreviews(t, a, preview) })
	t.Run("alerts", func(t *testing.T) { d.t = t; d.sendsAlerts(t) })
	t.Run("drains", func(t *testing.T) { d.t = t; d.drainsLogs(t) })
	t.Run("backups", func(t *testing.T) { d.t = t; d.copiesRecords() })
	t.Run("one click back", func(t *testing.T) { d.t = t; d.takesBack(t, a) })
	t.Run("a page follows a deploy", func(t *testing.T) {
		d.t = t
		d.visit("deployments-before", "/projects/shop/deployments")
		d.do("mark the page", chromedp.Evaluate(mark, nil))
		a.deploy(hostileApp(t, "three"), "shop", "--message", "The third one")
		d.do("wait for the deployment", chromedp.WaitVisible(`//tr[contains(., "The third one")][contains(., "Live")]`))
		if !d.marked() {
			t.Error("the page was loaded again")
		}
		d.look("deployments-after")
	})
	t.Run("settings", func(t *testing.T) { d.t = t; d.changesSettings(t, a) })
	t.Run("people", func(t *testing.T) { d.t = t; d.managesPeople(t, a) })
	t.Run("passkeys", func(t *testing.T) { signsInByPasskey(t, a) })
	t.Run("identity provider", func(t *testing.T) { signsInAtProvider(t, a, provider) })
	d.t = t
	d.do("sign out", chromedp.Navigate(a.api+"/dashboard"), chromedp.Click(`//button[text()="Sign out"]`), chromedp.WaitVisible(".sign-in"))
	d.do("go back", chromedp.Navigate(a.api+"/dashboard/people"), chromedp.WaitVisible(".sign-in"))
}

// looksWell takes pictures in dark mode and at the width of a phone; id is of a deployment.
func (d *dashboard) looksWell(t *testing.T, id string) {
	d.t = t
	pages := map[string]string{"projects": "", "project": "/projects/shop", "previews": "/projects/shop/previews", "errors": "/projects/shop/errors", "alerts": "/alerts", "drains": "/drains", "cache": "/projects/shop/cache", "variables": "/projects/shop/env", "deployment": "/projects/shop/deployments/" + id, "deployments": "/projects/shop/deployments", "people": "/people", "audit": "/audit", "system": "/system"}
	dark := emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}})
	d.do("switch to dark mode", dark)
	for name, path := range pages {
		d.visit(name+"-dark", path)
	}
	light := emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "light"}})
	d.do("switch to a phone", light, emulation.SetDeviceMetricsOverride(390, 844, 2, true))
	for name, path := range pages {
		d.visit(name+"-phone", path)
	}
	d.do("switch back", emulation.ClearDeviceMetricsOverride())
}

func (d *dashboard) changesSettings(t *testing.T, a *anchor) {
	d.visit("variables-before", "/projects/shop/env")
	d.fill(`input[name=name]`, "API_URL")
	d.fill(`textarea[name=value]`, "s3cret")
	d.submit(`//form//button[text()="Set"]`, "The variable was set.")
	d.look("variables-set")
	var html string
	d.do("read the page", chromedp.OuterHTML("html", &html))
	if strings.Contains(html, "s3cret") {
		t.Error("the page shows the value of a variable")
	}
	if out, _, _ := a.run("env", "ls", "--project", "shop"); !strings.Contains(out, "API_URL") {
		t.Errorf("the variables are %s", out)
	}
	d.submit(`//button[text()="Show the values"]`, "s3cret")
	d.look("variables-values")
	d.do("hide them", chromedp.Click(`//a[text()="Hide the values"]`), chromedp.WaitVisible(`textarea[name=file]`))
	d.fill(`textarea[name=file]`, "IMPORTED=1\nNODE_ENV=x\n")
	d.submit(`//button[text()="Import"]`, "The variables of the file were set.")
	if out, _, _ := a.run("env", "ls", "--project", "shop"); !strings.Contains(out, "IMPORTED") {
		t.Errorf("the variables are %s", out)
	}
	d.submit(`//td//button[contains(., "Remove")]`, "The variable was removed.")

	d.visit("domains-before", "/projects/shop/domains")
	d.fill(`input[name=domain]`, "www.shop.example")
	d.submit(`//form//button[text()="Add"]`, "The domain was added.")
	d.look("domain-added")
	d.do("open it", chromedp.Click(`section.card h2 a`, chromedp.ByQuery), chromedp.WaitVisible(`input[name=hsts]`))
	d.submit(`//button[contains(., "Check again")]`, "The DNS was asked again.")
	d.do("choose HSTS", chromedp.Click(`input[name=hsts]`))
	d.submit(`//form//button[text()="Store"]`, "The domain was changed.")
	d.look("domain")
	d.submit(`//button[contains(., "Remove")]`, "The domain is being removed.")
	d.fill(`input[name=domain]`, hostile)
	d.do("add it", chromedp.Click(`//form//button[text()="Add"]`), chromedp.WaitVisible(".problem"))
	if text := d.text(".problem"); !strings.Contains(text, "<img src=x") {
		t.Errorf("the problem is %q", text)
	}
	d.isHarmless("the problem")
	d.forget()

	d.visit("settings-before", "/projects/shop/settings")
	d.fill(`input[name=memory]`, "512")
	d.submit(`//button[text()="Store limits"]`, "The limits were stored")
	d.visit("cache", "/projects/shop/cache")
	d.submit(`//button[text()="Purge the cache"]`, "Stored answers were removed.")
	d.visit("settings-empty", "/projects/empty/settings")
	d.fill(`input[name=confirm]`, "empty")
	d.submit(`//button[text()="Delete the project"]`, "The project is deleted.")
	d.do("unfold the form", chromedp.Click(`#new-project summary`))
	d.fill(`input[name=slug]`, "another")
	d.submit(`//button[text()="Create"]`, "The project was created.")
	d.well("changing settings")
}

// signsInByPasskey adds a passkey of a virtual device and signs in by it. Browsers allow none at an address, so it
// opens the server as localhost.
func signsInByPasskey(t *testing.T, a *anchor) {
	out, errs, code := a.run("open", "--dashboard")
	if code != 0 {
		t.Fatal(errs)
	}
	named := strings.NewReplacer("127.0.0.1", "localhost")
	d := openDashboard(t, a)
	d.api = named.Replace(a.api)
	d.do("plug in a device", webauthn.Enable(), chromedp.ActionFunc(func(ctx context.Context) error {
		_, err := webauthn.AddVirtualAuthenticator(&webauthn.VirtualAuthenticatorOptions{
			Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal,
			HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
		}).Do(ctx)
		return err
	}))
	d.signIn(named.Replace(strings.TrimSpace(out)))
	d.visit("account-before", "/account")
	d.fill(`[data-passkey-add] input[name=name]`, "laptop")
	d.submit(`//button[text()="Add a passkey"]`, "The passkey was added.")
	d.look("account-passkey")
	d.do("sign out", chromedp.Click(`//button[text()="Sign out"]`), chromedp.WaitVisible(`[data-passkey-sign-in] button`))
	d.look("sign-in-passkey")
	d.do("sign in", chromedp.Click(`[data-passkey-sign-in] button`), chromedp.WaitVisible("header .who"))
	d.visit("account-after", "/account")
	d.submit(`//button[contains(., "Remove")]`, "The passkey was removed.")
	d.do("sign out", chromedp.Click(`//button[text()="Sign out"]`), chromedp.WaitVisible(`[data-passkey-sign-in] button`))
	d.well("signing in by a passkey")
	d.do("sign in", chromedp.Click(`[data-passkey-sign-in] button`), chromedp.WaitVisible(`[data-passkey-sign-in] .problem`))
	if text := d.text(`[data-passkey-sign-in] .problem`); !strings.Contains(text, "the passkey was not accepted") {
		t.Errorf("a removed passkey gets %q", text)
	}
}

func (d *dashboard) managesPeople(t *testing.T, a *anchor) {
	d.visit("people-before", "/people")
	d.fill(`form[action="/dashboard/people"] input[name=name]`, "Ada Lovelace")
	d.do("choose a role", chromedp.SetValue(`form[action="/dashboard/people"] select[name=role]`, "viewer", chromedp.ByQuery))
	d.submit(`//button[text()="Create the invitation"]`, "It signs them in once")
	d.look("invitation")
	link := d.text("#secret")

	viewer := openDashboard(t, a)
	viewer.signIn(link)
	viewer.visit("deployments-viewer", "/projects/shop/deployments")
	var buttons int
	viewer.do("count the actions", chromedp.Evaluate(`document.querySelectorAll("td.actions a, td.actions button").length`, &buttons))
	if buttons > 0 {
		t.Errorf("a viewer sees %d actions", buttons)
	}
	viewer.do("open the people", chromedp.Navigate(a.api+"/dashboard/people"), chromedp.WaitVisible(".problem"))
	if text := viewer.text(".problem"); !strings.Contains(text, "Ada Lovelace has the role viewer") {
		t.Errorf("a viewer who opens the people gets %q", text)
	}

	d.visit("tokens-before", "/tokens")
	d.fill(`input[name=name]`, "ci")
	d.submit(`//button[text()="Create"]`, "is not shown again")
	if token := d.text("#secret"); !strings.HasPrefix(token, "anchor_") {
		t.Errorf("the token is %q", token)
	}
	d.visit("tokens-after", "/tokens")
	d.submit(`//tr[contains(., "ci")]//button`, "The token was revoked.")

	d.visit("audit-after", "/audit")
	if text := d.text("tbody"); !strings.Contains(text, "invite-person") || !strings.Contains(text, "promote-deployment") {
		t.Errorf("the audit log is %s", text)
	}
	d.visit("people-after", "/people")
	d.do("remove her", chromedp.Click(`//tr[contains(., "Ada")]//summary`), chromedp.Click(`//tr[contains(., "Ada")]//button[text()="Remove"]`))
	d.do("wait", chromedp.WaitVisible(`//p[text()="The person was removed."]`))
	viewer.do("open a page", chromedp.Navigate(a.api+"/dashboard"), chromedp.WaitVisible(".sign-in"))
	d.well("managing people")
}

// get requests a page of a project n times that functions answer.
func (a *anchor) get(t *testing.T, project string, n int) {
	t.Helper()
	for range n {
		res, err := a.client().Get("http://" + a.host(project) + "/cart")
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
	}
}

// visit requests a page of a project that functions answer, one time after another, until leave is called.
func (a *anchor) visit(t *testing.T, project string) (leave func()) {
	left, done := make(chan struct{}), make(chan error, 1)
	go func() {
		for {
			select {
			case <-left:
				done <- nil
				return
			default:
			}
			res, err := a.client().Get("http://" + a.host(project) + "/cart")
			if err != nil {
				done <- err
				return
			}
			res.Body.Close()
		}
	}()
	return func() {
		t.Helper()
		close(left)
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// dividesTraffic sends a share of the traffic to the deployment that is not live, another share, none, and all.
func (d *dashboard) dividesTraffic(t *testing.T, a *anchor, first, second deployed) {
	start := func() {
		t.Helper()
		d.do("open it", chromedp.Navigate(d.api+"/dashboard/projects/shop/deployments/"+first.DeploymentID), chromedp.Click(`//a[text()="Release step by step"]`), chromedp.WaitVisible(`input[name=then]`))
		d.do("set the share", chromedp.SetValue(`input[name=weight]`, "50", chromedp.ByQuery))
		d.submit(`//button[text()="Start"]`, "gets its share of the traffic")
	}
	start()
	leave := a.visit(t, "shop")
	d.do("wait for the numbers", chromedp.WaitVisible(`//section[@aria-label="Candidate"]//dt[text()="Requests"]/following-sibling::dd[text()!="0"]`))
	leave()
	d.look("split")
	d.visit("project-divided", "/projects/shop")
	d.do("go back", chromedp.Click(`//a[text()="Compare both versions"]`), chromedp.WaitVisible(`input[name=weight]`))
	d.do("set another share", chromedp.SetValue(`input[name=weight]`, "60", chromedp.ByQuery))
	d.submit(`//button[text()="Change the share"]`, "The share was changed.")
	if text := d.text(`section[aria-label="Candidate"]`); !strings.Contains(text, "60 %") {
		t.Errorf("the candidate has %q", text)
	}
	d.submit(`//button[text()="Take it back"]`, "All traffic reaches the live deployment again.")
	start()
	d.submit(`//button[text()="Give it all traffic"]`, "The deployment is live.")
	d.look("releases-after-splits")
	if out, _, _ := a.run("status", "--project", "shop"); strings.Contains(out, "is divided") {
		t.Errorf("the status is %s", out)
	}
	d.visit("plan-split", "/projects/shop/deployments/"+second.DeploymentID+"/split")
	d.do("make it rise nowhere", chromedp.SetValue(`input[name=then]`, "5", chromedp.ByQuery), chromedp.Click(`//button[text()="Start"]`), chromedp.WaitVisible(".problem"))
	if text := d.text(".problem"); !strings.Contains(text, "cannot follow") {
		t.Errorf("the problem is %q", text)
	}
	d.forget()
}

// forget drops what went wrong in the tab: a page with an error has the status of an error.
func (d *dashboard) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wrong = nil
}

func (d *dashboard) deploysAgain(t *testing.T, preview deployed) {
	d.do("open the preview", chromedp.Navigate(d.api+"/dashboard/projects/shop/deployments/"+preview.DeploymentID), chromedp.Click(`//a[text()="Redeploy"]`))
	d.submit(`//button[text()="Redeploy"]`, "The deployment was started.")
	var path string
	d.do("wait until it is ready", chromedp.WaitVisible(`//span[@role="status"]//span[text()="Ready"]`), chromedp.Evaluate(`location.pathname`, &path))
	if strings.HasSuffix(path, preview.DeploymentID) {
		t.Errorf("the page is of the deployment before: %s", path)
	}
}

func (d *dashboard) runsCrons() {
	d.visit("crons-before", "/projects/shop/crons")
	d.submit(`//button[contains(., "Run now")]`, "The cron was started.")
	d.do("wait for the run", chromedp.WaitVisible(`//div[@aria-label="Runs"]//span[contains(@class, "state")][text()="Succeeded" or text()="Failed"]`))
	d.look("crons-run")
	d.submit(`//button[contains(., "Pause")]`, "The cron is paused.")
	d.look("crons-paused")
	d.submit(`//button[contains(., "Resume")]`, "The cron runs on its schedule again.")
}

func (d *dashboard) protectsPreviews(t *testing.T, a *anchor, preview deployed) {
	status := func() int {
		t.Helper()
		r, err := http.NewRequest(http.MethodGet, preview.DeploymentURL+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := a.client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res.StatusCode
	}
	d.visit("previews-before", "/projects/shop/previews")
	d.do("keep few", chromedp.SetValue(`input[name=keep]`, "7", chromedp.ByQuery))
	d.submit(`//form//button[text()="Store"]`, "Which previews are kept was stored.")
	if text := d.text("main"); !strings.Contains(text, "The newest 7 previews are kept") {
		t.Errorf("the page says %s", text)
	}
	d.fill(`input[name=password]`, "a long password")
	d.submit(`//button[contains(., "Ask for a password")]`, "Previews ask for the password now.")
	d.look("previews-protected")
	if got := status(); got != http.StatusUnauthorized {
		t.Errorf("the preview answers %d", got)
	}
	d.submit(`//button[contains(., "Create a bypass token")]`, "it is not shown again")
	d.visit("previews-bypass", "/projects/shop/previews")
	d.submit(`//button[text()="Open them to everybody"]`, "Previews can be seen by everybody now.")
	if got := status(); got != http.StatusOK {
		t.Errorf("the open preview answers %d", got)
	}
}

// sendsAlerts adds a webhook, sends it a test message and removes it.
func (d *dashboard) sendsAlerts(t *testing.T) {
	got := make(chan string, 1)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- r.Header.Get("Webhook-Signature") }))
	defer hook.Close()
	d.visit("alerts-before", "/alerts")
	d.fill(`input[name=target]`, hook.URL+"/hook")
	d.submit(`//button[text()="Add the channel"]`, "Alerts go to")
	d.look("alert-added")
	d.submit(`//button[text()="Send a test message"]`, "The test message was sent.")
	if signature := <-got; signature == "" {
		t.Error("the message is not signed")
	}
	d.look("alerts-after")
	d.submit(`//button[contains(., "Remove")]`, "The channel was removed.")
}

// drainsLogs adds a drain, sends it a test line and removes it.
func (d *dashboard) drainsLogs(t *testing.T) {
	got := make(chan string, 100)
	target := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- r.Header.Get("Authorization") }))
	defer target.Close()
	d.visit("drains-before", "/drains")
	d.fill(`input[name=url]`, target.URL+"/lines")
	d.fill(`textarea[name=headers]`, "Authorization: Bearer t0ken")
	d.submit(`//button[text()="Add the drain"]`, "The drain was added.")
	d.submit(`//button[contains(., "Test")]`, "The test line was sent.")
	if header := <-got; header != "Bearer t0ken" {
		t.Errorf("the header is %q", header)
	}
	d.look("drains-after")
	var html string
	d.do("read the page", chromedp.OuterHTML("html", &html))
	if strings.Contains(html, "t0ken") || strings.Contains(html, "/lines") && !strings.Contains(html, "example.com/lines") {
		t.Error("the page shows what is secret")
	}
	d.submit(`//button[contains(., "Remove")]`, "The drain was removed.")
}

func (d *dashboard) copiesRecords() {
	d.visit("backups-before", "/system/backups")
	d.submit(`//button[text()="Make a copy now"]`, "The records were copied.")
	d.submit(`//button[contains(., "Verify")]`, "The copy is whole")
	d.look("backups-after")
}

// takesBack takes the live deployment back from the plots of the project, with one click.
func (d *dashboard) takesBack(t *testing.T, a *anchor) {
	live := func() string {
		t.Helper()
		out, errs, code := a.run("deployments", "--project", "shop", "--json")
		if code != 0 {
			t.Fatal(errs)
		}
		var list struct {
			Items []struct {
				DeploymentID, RollbackTo string
				Live                     bool
			}
		}
		if err := json.Unmarshal([]byte(out), &list); err != nil {
			t.Fatal(err)
		}
		for _, one := range list.Items {
			if one.Live {
				return cmp.Or(one.RollbackTo, one.DeploymentID)
			}
		}
		return ""
	}
	before := live()
	d.do("open the project", chromedp.Navigate(d.api+"/dashboard/projects/shop"), chromedp.WaitVisible(`[data-drawn="yes"]`))
	d.submit(`//button[contains(., "goes live again")]`, "The project was rolled back.")
	after := live()
	if after == "" || after == before {
		t.Errorf("%s was live, and %s is", before, after)
	}
	d.submit(`//button[contains(., "goes live again")]`, "The project was rolled back.")
	if again := live(); again != before {
		t.Errorf("%s was live, and %s is", before, again)
	}
}

// signsInAtProvider signs in on the page of a real provider: before and after the invitation.
func signsInAtProvider(t *testing.T, a *anchor, provider *oidctest.Provider) {
	d := openDashboard(t, a)
	atProvider := func(then string) {
		t.Helper()
		d.do("go to the provider", chromedp.Navigate(d.api+"/dashboard/sign-in"), chromedp.Click(`//a[text()="Sign in with Example"]`), chromedp.WaitVisible(`input[name=password]`))
		d.fill(`input[name=username]`, "grace")
		d.fill(`input[name=password]`, oidctest.Password)
		d.do("sign in there", chromedp.Click(`button[type=submit]`), chromedp.WaitVisible(then))
	}
	atProvider("div.problem")
	if text := d.text("div.problem"); !strings.Contains(text, "nobody is invited with the e-mail address grace@example.com") {
		t.Errorf("somebody who is not invited gets %q", text)
	}
	d.forget()
	d.look("sign-in-refused")
	if _, errs, code := a.run("people", "invite", "Grace Hopper", "--email", "grace@example.com", "--role", "viewer"); code != 0 {
		t.Fatal(errs)
	}
	atProvider("header .who")
	if text := d.text(".who a"); text != "Grace Hopper" {
		t.Errorf("%q is signed in", text)
	}
	if out, _, _ := a.run("people", "list", "--json"); !strings.Contains(out, provider.Issuer) {
		t.Errorf("the account is not stored: %s", out)
	}
	if out, _, _ := a.run("doctor"); !strings.Contains(out, "Example answers") {
		t.Errorf("the doctor says %s", out)
	}
}
