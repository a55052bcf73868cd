package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"

	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
)

// hostile is text that must never become a part of a page.
const hostile = `<img src=x onerror="window.xss=1"><script>window.xss=1</script>`

// hostileApp is a small app whose function prints hostile text.
func hostileApp(t *testing.T, version string) string {
	t.Helper()
	const server = "server-functions/default/index.mjs"
	app := platformtest.NewApp(version)
	return app.With(server, fmt.Sprintf("console.error(%q);\n%s", hostile+" of "+version, app[server])).Write(t)
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
	var xss bool
	d.do("look for hostile text in "+name, chromedp.Evaluate(`window.xss === 1 || !!document.querySelector('img[src="x"]')`, &xss))
	if xss {
		d.t.Errorf("%s runs hostile text", name)
	}
	d.isAccessible(name)
	var wide int
	d.do("measure "+name, chromedp.Evaluate(`document.documentElement.scrollWidth - document.documentElement.clientWidth`, &wide))
	if wide > 0 {
		d.t.Errorf("%s is %d px wider than the window", name, wide)
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
	a := up(t)
	first := a.deploy(variant(t, 1), "shop", "--commit", "1f0c7be6f2bd", "--branch", "main", "--message", "Show the stock of each product")
	second := a.deploy(hostileApp(t, "two"), "shop", "--commit", "2f0c7be6f2bd", "--branch", hostile[:30], "--message", hostile)
	for range 20 {
		res, err := a.client().Get("http://" + a.host("shop") + "/")
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
	}
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

	t.Run("pages", func(t *testing.T) {
		d.t = t
		d.do("open the project", chromedp.Click(`//a[text()="shop"]`), chromedp.WaitVisible(`[data-drawn="yes"]`))
		d.look("project")
		for name, path := range map[string]string{
			"deployments": "/projects/shop/deployments", "deployments-none": "/projects/shop/deployments?q=nothing",
			"deployment": "/projects/shop/deployments/" + second.DeploymentID, "domains": "/projects/shop/domains",
			"variables": "/projects/shop/env", "settings": "/projects/shop/settings", "people": "/people", "tokens": "/tokens",
			"audit": "/audit", "account": "/account", "system": "/system", "doctor": "/system/doctor",
			"empty-project": "/projects/empty", "empty-deployments": "/projects/empty/deployments", "empty-logs": "/projects/empty/logs",
		} {
			d.visit(name, path)
		}
		d.do("open the logs", chromedp.Navigate(a.api+"/dashboard/projects/shop/logs"), chromedp.WaitVisible(`.log .error`))
		if text := d.text(".log .error .text"); text != hostile+" of two" {
			t.Errorf("the line is %q", text)
		}
		d.look("logs")
	})
	t.Run("looks", d.looksWell)
	t.Run("switches", func(t *testing.T) {
		d.t = t
		d.visit("confirm-rollback", "/projects/shop/deployments/"+first.DeploymentID+"/rollback")
		d.submit(`//main//form//button`, "The project was rolled back.")
		d.visit("confirm-promote", "/projects/shop/deployments/"+second.DeploymentID+"/promote")
		d.submit(`//main//form//button`, "The deployment is live.")
		d.do("wait for the marks", chromedp.WaitVisible(`[data-drawn="yes"]`))
		d.look("project-after-switches")
	})
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
	d.t = t
	d.do("sign out", chromedp.Navigate(a.api+"/dashboard"), chromedp.Click(`//button[text()="Sign out"]`), chromedp.WaitVisible(".sign-in"))
	d.do("go back", chromedp.Navigate(a.api+"/dashboard/people"), chromedp.WaitVisible(".sign-in"))
}

// looksWell takes pictures in dark mode and at the width of a phone.
func (d *dashboard) looksWell(t *testing.T) {
	d.t = t
	pages := map[string]string{"projects": "", "project": "/projects/shop", "deployments": "/projects/shop/deployments", "people": "/people", "audit": "/audit", "system": "/system"}
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
	d.submit(`//td//button[contains(., "Remove")]`, "The variable was removed.")

	d.visit("domains-before", "/projects/shop/domains")
	d.fill(`input[name=domain]`, "www.shop.example")
	d.submit(`//form//button[text()="Add"]`, "The domain was added.")
	d.look("domain-added")
	d.submit(`//button[contains(., "Remove")]`, "The domain is being removed.")
	d.fill(`input[name=domain]`, "not a domain")
	d.do("add it", chromedp.Click(`//form//button[text()="Add"]`), chromedp.WaitVisible(".problem"))
	if text := d.text(".problem"); !strings.Contains(text, "not a domain") {
		t.Errorf("the problem is %q", text)
	}
	d.mu.Lock()
	d.wrong = nil // the status of the page, 400
	d.mu.Unlock()

	d.visit("settings-before", "/projects/shop/settings")
	d.fill(`input[name=memory]`, "512")
	d.submit(`//button[text()="Store limits"]`, "The limits were stored")
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
